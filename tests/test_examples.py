"""The examples run as their docstrings say, and are short."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from made_docs import ROOT

from tfic.config import DataConfig
from tfic.data import draw_set, write_folder

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `scans` of two images with their texts, in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    pages = draw_set("test", 2, DataConfig(height_px=96, width_px=128))
    write_folder(pages, tmp_path / "scans")
    (tmp_path / "scans" / "metadata.jsonl").unlink()
    for path, page in zip(sorted((tmp_path / "scans").rglob("*.png")), pages, strict=True):
        path.replace(tmp_path / "scans" / path.name)
        (tmp_path / "scans" / path.with_suffix(".txt").name).write_text(page.text, encoding="utf-8")
    return tmp_path / "scans"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_shows_the_command_that_runs_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    assert f"\npython examples/{path.name}" in text
    assert len(re.findall(r"^ +# ", text, re.MULTILINE)) >= 2, "an example has comments"


def test_a_folder_is_encoded(scans: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["encode_folder.py", "scans", "coded"])
    example("encode_folder").main()
    images = sorted(path.stem for path in scans.glob("*.png"))
    assert [path.stem for path in sorted(Path("coded").glob("*.tfic"))] == images
    told = capsys.readouterr().out.splitlines()
    assert [line.partition(".png: ")[0] for line in told] == images
    for line, path in zip(told, sorted(Path("coded").iterdir()), strict=True):
        size = path.stat().st_size
        assert f"{size:,} bytes, {8 * size / (96 * 128):.3f} bpp" in line
        assert float(line.split(", ")[-1].removesuffix(" dB")) > 18


def test_own_scans_are_swept(scans: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Planned only; tests/test_story.py runs such a sweep."""
    monkeypatch.setattr(sys, "argv", ["sweep_scans.py", "scans", "--plan"])
    assert example("sweep_scans").main() == 0
    told = capsys.readouterr().out
    assert told.startswith("2 scans to test on\nSweep 'scans', recipe 'demo'")
    tuned = "finetune-l0.0032-g0.5-"
    for trial in ("pretrain-l0.0032-", tuned, f"{tuned}at-l0.0016-", f"{tuned}at-l0.0064-", "jpeg-q5-"):
        assert trial in told
    assert len((scans / "metadata.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_a_front_is_read(tracking_uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    example("read_front").main(tracking_uri, "demo")
    head, *told = capsys.readouterr().out.splitlines()
    assert head.startswith(f"demo: {len(told)} of 18 codecs")
    found = re.findall(r"(\S+) bpp  accuracy (\S+)", "\n".join(told))
    points = [(float(rate), float(accuracy)) for rate, accuracy in found]
    assert points == sorted(points)
    assert len(points) == len(told) > 1
