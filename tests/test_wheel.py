"""The wheel holds the whole program, and runs where nothing but what it declares is installed."""

import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from shutil import copytree, ignore_patterns

import numpy as np
import pytest
from packaging.requirements import Requirement
from PIL import Image

from tfic.checkpoints import models
from tfic.checkpoints.checkpoint import load
from tfic.checkpoints.export import export

ROOT = Path(__file__).parent.parent
PACKAGES = ("tfic", "sweep", "analysis")
MODEL = "zoo/lite-cpu-0.003"
LEFT_OUT = ignore_patterns("__pycache__", "*.pyc")
pytestmark = pytest.mark.slow  # builds, makes two environments, loads torch in several processes


def run(*command: str | Path, cwd: Path, code: int = 0) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        copytree(ROOT / name, folder / "source" / name, ignore=LEFT_OUT)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (folder / "source" / name).write_bytes((ROOT / name).read_bytes())
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(folder)!r})"  # as pip does
    run(sys.executable, "-c", build, cwd=folder / "source")
    (built,) = folder.glob("*.whl")
    return built


def environment(folder: Path, wheel: Path, extra: str | None) -> Path:
    """An environment with the wheel; the folder of its commands.

    Args:
        folder: where to make it.
        wheel: what to install.
        extra: links are made to what pip would install with this extra, and to nothing else; None: to all that is here.
    """
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps")
    run(*pip, wheel, cwd=folder.parent)
    packages = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).stdout.strip()
    )
    if extra is None:
        (packages / "here.pth").write_text(str(Path(np.__file__).parent.parent))
    else:
        for name in required(wheel, extra):
            link(name, packages)
    return folder / "bin"


def required(wheel: Path, extra: str) -> set[str]:
    """Distributions that pip would install, by the word of the wheel and of what is installed here."""
    with zipfile.ZipFile(wheel) as opened:
        (metadata,) = (name for name in opened.namelist() if name.endswith(".dist-info/METADATA"))
        lines = opened.read(metadata).decode().split("\n\n")[0].splitlines()
    wanted = [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist: ")]
    waiting, found = [(each, extra) for each in map(Requirement, wanted)], set()
    while waiting:
        requirement, asked = waiting.pop()
        name = requirement.name.lower()
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": asked})):
            continue
        found.add(name)
        waiting += [(Requirement(each), "") for each in distribution(name).requires or ()]
    return found


def link(name: str, packages: Path) -> None:
    for file in distribution(name).files or ():
        top = file.parts[0]
        if top != ".." and not (packages / top).exists():
            (packages / top).symlink_to(Path(str(distribution(name).locate_file(top))))


@pytest.fixture(scope="module")
def device(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Commands of an environment in which there is what [onnx] brings and nothing else."""
    return environment(tmp_path_factory.mktemp("device") / "venv", wheel, "onnx")


@pytest.fixture(scope="module")
def desk(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Commands of an environment in which there is everything."""
    return environment(tmp_path_factory.mktemp("desk") / "venv", wheel, None)


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        held = {name for name in opened.namelist() if ".dist-info/" not in name}
    ours = {
        str(path.relative_to(ROOT))
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == ours
    assert {f"{name}/py.typed" for name in PACKAGES} <= held
    for part in ("tfic/zoo/lite-cpu-0.003.safetensors", "tfic/zoo/lite-cpu-0.003.md", "analysis/templates/report.css"):
        assert part in held
    assert any(name.startswith("tfic/synth/fonts/") and name.endswith(".ttf") for name in held)


def test_a_device_encodes_without_torch_and_a_full_installation_decodes(
    device: Path, desk: Path, tmp_path: Path
) -> None:
    run(desk / "tfic", "synth", "pages", "--count", "1", "--height", "64", "--width", "96", cwd=tmp_path)
    (page,) = (tmp_path / "pages").rglob("*.png")
    export(load(models.find(MODEL)), 64, 96, tmp_path / "encoder.onnx")
    program = (
        "import sys; from importlib.util import find_spec\n"
        "assert not [name for name in ('torch', 'ray', 'mlflow', 'cv2', 'compressai') if find_spec(name)]\n"
        "from pathlib import Path; from PIL import Image; from tfic.onnx_encoder import OnnxEncoder\n"
        "data = OnnxEncoder(Path('encoder.onnx')).encode(Image.open(sys.argv[1])); Path('x.tfic').write_bytes(data)"
    )
    run(device / "python", "-c", program, page, cwd=tmp_path)
    assert "TFIC version" in run(device / "tfic", "info", "x.tfic", cwd=tmp_path).stdout
    run(desk / "tfic", "decode", "x.tfic", "back.png", "--model", MODEL, cwd=tmp_path)
    before, after = (np.asarray(Image.open(path).convert("RGB"), float) for path in (page, tmp_path / "back.png"))
    assert before.shape == after.shape
    assert np.square(before - after).mean() < 255**2 / 100  # 20 dB


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (("tfic", "encode", "x.png", "x.tfic", "--model", MODEL), "codec"),
        (("tfic", "synth", "out"), "codec"),
        (("tfic-sweep", "run", "--recipe", "tiny"), "sweep"),
        (("tfic-sweep", "status"), "sweep"),
        (("tfic-report",), "report"),
        (("tfic-pareto", "--json"), "report"),
    ],
)
def test_a_missing_extra_is_one_sentence_with_the_command_that_installs_it(
    device: Path, tmp_path: Path, command: tuple[str, ...], extra: str
) -> None:
    done = run(device / command[0], *command[1:], cwd=tmp_path, code=2)
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert line.endswith(f" is not installed; pip install 'tfic-sweep[{extra}]'")
    assert not list(tmp_path.iterdir())


def test_a_missing_extra_is_told_to_a_program_too(device: Path, tmp_path: Path) -> None:
    done = run(device / "python", "-c", "import tfic; tfic.load('zoo/lite-cpu-0.003')", cwd=tmp_path, code=1)
    assert "ModuleNotFoundError: safetensors is not installed; pip install 'tfic-sweep[codec]'" in done.stderr
