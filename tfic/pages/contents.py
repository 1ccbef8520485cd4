"""Hashes of files and sizes of images, in a cache; computed again when a file has changed."""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tfic.pages.images import open_image
from tfic.system.files import FileWriteError, write_whole

_SETTLED_NS = 1_000_000_000
"""A file that changed so shortly before it was looked at may change again without another time of change."""


def cache_root() -> Path:
    """The folder of all that is remembered: `$XDG_CACHE_HOME/tfic`, or `~/.cache/tfic` where that is not absolute."""
    stated = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (stated if stated.is_absolute() else Path.home() / ".cache") / "tfic"


class Contents:
    """Hashes and sizes of the files of a folder, remembered in the cache by inode, size and times of change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        name = hashlib.sha256(str(folder.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[:24]
        self._file = cache_root() / "contents" / f"{name}.json"
        self._known: dict[str, list[Any]] = _remembered(self._file)
        self._new = False

    def sha256s(self, names: Sequence[str]) -> list[str]:
        """SHA-256 of each file.

        Raises:
            OSError: when a file cannot be read.
        """
        return [str(self._look(name)[1]) for name in names]

    def size_px(self, name: str) -> tuple[int, int]:
        """Height and width of an image, which is decoded if it was not looked at since it changed.

        Raises:
            ValueError: when it is no image, or a damaged one.
        """
        seen = self._look(name)
        if not seen[2]:
            image = open_image(self.folder / name)
            self._known[name] = seen = [seen[0], seen[1], image.height, image.width]
            self._new = True
        return seen[2], seen[3]

    def keep(self) -> None:
        """Remember what was looked at, where the cache can be written."""
        if not self._new:
            return
        self._new = False
        with contextlib.suppress(FileWriteError):  # only time is lost: the next process looks again
            write_whole(self._file, json.dumps(self._known).encode())

    def _look(self, name: str) -> list[Any]:
        """[state of the file, SHA-256, height, width]; a size of 0 is not known."""
        path = self.folder / name
        stat = path.stat()
        state = [stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
        seen = self._known.get(name)
        if seen is None or seen[0] != state:
            now = time.time_ns()
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            settled = max(state[2:]) + _SETTLED_NS < now
            self._known[name] = seen = [state if settled else None, digest, 0, 0]
            self._new = True
        return seen


def _remembered(file: Path) -> dict[str, list[Any]]:
    """The content of the cache; empty if it is missing or damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    whole = isinstance(found, dict) and all(isinstance(each, list) and len(each) == 4 for each in found.values())
    return found if whole else {}


def digest(folder: Path, names: Sequence[str]) -> str:
    """SHA-256 over names and contents of files of a folder, wherever the folder lies."""
    contents = Contents(folder)
    with ThreadPoolExecutor(min(8, len(os.sched_getaffinity(0)))) as threads:
        hashes = list(threads.map(lambda name: contents.sha256s([name])[0], names))
    contents.keep()
    return hashlib.sha256(json.dumps(sorted(zip(names, hashes, strict=True))).encode()).hexdigest()
