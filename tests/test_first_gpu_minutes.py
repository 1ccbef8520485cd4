"""The script for the first minutes on a GPU runs on a CPU, question by question, and keeps what it found."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch

ROOT = Path(__file__).parent.parent


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return importlib.import_module("first_gpu_minutes")


def test_it_dry_runs_question_by_question_and_goes_on_from_its_file(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "answers.json"
    for question in ("waits", "attention", "coding", "ranks"):
        script.main([question, "--device", "cpu", "--out", str(out)])
    script.main(["table", "--out", str(out)])
    found = json.loads(out.read_text())
    assert set(found) == {"waits", "attention", "coding", "ranks"}
    assert found["waits"]["waits"] == "not tried: no GPU"
    assert found["attention"]["MATH torch.float32"].endswith("ms")
    assert found["ranks"]["1 ranks"]["images_per_s"] > 0
    shown = capsys.readouterr().out.rpartition("| question |")[2]
    assert f"torch {torch.__version__}" in shown
    assert "| speed |  | not asked yet |" in shown
