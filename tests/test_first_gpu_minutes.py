"""The script for the first minutes on a GPU runs on a CPU, question by question, and goes on from its file."""

import importlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import tfic
from tfic.config import PRECISIONS

ROOT = Path(__file__).parent.parent


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return importlib.import_module("first_gpu_minutes")


@pytest.mark.slow
def test_it_dry_runs_question_by_question_and_goes_on_from_its_file(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "answers.json"
    asked = [name for name in script.QUESTIONS if name != "attention"]
    for question in asked:
        script.main([question, "--device", "cpu", "--out", str(out)])
    script.main(["table", "--out", str(out)])
    found = json.loads(out.read_text())
    assert set(found) == set(asked)
    assert set(found["waits"].values()) == {cpu(), "not tried: no GPU"}
    assert [name for name in found["waits"] if name != "device"] == ["pretrain", "finetune"]
    assert {"float32", "tf32", "bf16", "bf16, crops cut on the host"} < set(found["speed"])
    assert found["ranks"]["1 ranks"]["images_per_s"] > 0
    assert found["reading"].keys() == {"device", *(f"{kind}, 600 px of text" for kind in PRECISIONS)}
    assert found["reading"]["float32, 600 px of text"]["step_returns_after_ms"] > 0
    slides = {name: value.get("slides_ms") for name, value in found["coding"].items() if name != "device"}
    assert slides == {
        "encoding: g_a": 12.9,
        "encoding: the whole file": 12.9,
        "decoding: g_s": None,
        "reading: 4 lines of 320 px": 24.1,
    }
    shown = capsys.readouterr().out.rpartition("| question |")[2]
    assert f"torch {torch.__version__}" in shown
    assert "| attention |  | not asked yet |" in shown
    assert "marathon.py RUN --scale gpu" in shown


def cpu() -> str:
    return f"cpu, {os.cpu_count()} cores, torch {torch.__version__}"


def test_the_kernels_of_attention_answer_or_say_why_not(script: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "answers.json"
    script.main(["attention", "--device", "cpu", "--out", str(out)])
    found = json.loads(out.read_text())["attention"]
    assert found["device"] == cpu()
    assert found["MATH torch.float32"].endswith("ms")
    assert found["FLASH_ATTENTION torch.float32"].startswith("refused: ")


def test_a_row_that_failed_fails_the_command_after_the_table(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def questions(device: torch.device) -> Iterator[tuple[str, Any]]:
        yield "broken", lambda: tfic.build("lite").train()(torch.zeros(1, 2, 64, 64))
        yield "whole", lambda: 1.0

    monkeypatch.setitem(script.QUESTIONS, "speed", questions)
    with pytest.raises(SystemExit, match=r"^speed, broken failed: RuntimeError: .* at tfic/codec/\w+\.py:\d+$"):
        script.main(["speed", "--device", "cpu", "--out", str(tmp_path / "answers.json")])
    shown = capsys.readouterr().out
    assert f"| speed | device | {cpu()} |" in shown
    assert "| speed | broken | failed: RuntimeError: " in shown
    assert "| speed | whole | 1 |" in shown


def test_a_wait_is_told_with_the_line_that_waits_and_any_other_error_is_raised(script: ModuleType) -> None:
    class Waits(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("called a synchronizing CUDA operation\nmore")

    codec = tfic.build("lite").train()
    codec.g_a = Waits()
    found = script.first_wait(lambda: codec(torch.zeros(1, 3, 64, 64)))
    assert re.match(r"called a synchronizing CUDA operation at tfic/codec/hyperprior\.py:\d+$", found)
    assert script.first_wait(lambda: None) == "none"

    def full() -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.cuda.OutOfMemoryError, match="out of memory"):
        script.first_wait(full)


@pytest.mark.slow
def test_stage_2_trains_what_the_recipe_trains(script: ModuleType) -> None:
    """The recipes of a GPU let the encoder alone learn, whose step is another one."""
    config = script.settings(torch.device("cpu"), learns="encoder")
    steps = script.steps_of(config, "finetune", torch.device("cpu"))
    learning = {name.split(".")[0] for name, each in steps.parts["codec"].named_parameters() if each.requires_grad}
    assert learning == {"g_a", "h_a"}
