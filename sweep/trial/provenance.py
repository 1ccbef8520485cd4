"""Provenance of a result: commit, versions and host, as tags of a run."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tfic.errors import ReaderMissingError
from tfic.ocr.tesseract import find_program

PACKAGES = (
    "tfic-sweep",
    "torch",
    "compressai",
    "rapidocr",
    "onnxruntime",
    "pillow",
    "numpy",
    "faker",
    "opencv-python-headless",
)
"""Packages whose version can change a result."""


def provenance() -> dict[str, str]:
    """Tags `host`, `versions` and, in a git checkout of this program, `git_commit` (`-dirty` when changed)."""
    tags = {"host": platform.node(), "versions": ", ".join(_versions())}
    commit = git_commit(Path(__file__).parent.parent.parent)
    return tags | ({"git_commit": commit} if commit else {})


def _versions() -> list[str]:
    found = [f"python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:  # installed under another name, such as a vendor's build of torch
            continue
    try:
        found.append(f"tesseract {find_program().version()}")
    except ReaderMissingError:
        found.append("no tesseract")
    return found


def git_commit(folder: Path) -> str:
    """The commit that `folder` has checked out, or "" when git does not track this program there."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    tracked = ["git", "-C", str(folder), "ls-files", "--error-unmatch", "sweep/trial/provenance.py"]
    try:
        if subprocess.run(tracked, capture_output=True).returncode:
            return ""
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):  # no git here, or a checkout it refuses to read
        return ""
