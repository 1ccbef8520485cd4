"""The marathon goes on where it stopped, and what it ships codes at any quality."""

import csv
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tfic
from tfic.codec import build
from tfic.codec.variable_rate import VariableRate
from tfic.metrics import psnr_db
from tfic.synth import draw

ROOT = Path(__file__).parent.parent
PAGE = Image.fromarray(draw(0, "test", 0).image)


@pytest.mark.slow
def test_it_dry_runs_from_call_to_call_and_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    marathon = importlib.import_module("marathon")

    def call(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["marathon.py", str(tmp_path / "run"), "--scale", "tiny", *arguments])
        return int(marathon.main())

    def done() -> int:
        return int(torch.load(tmp_path / "run" / "state.pt", weights_only=True)["step"])

    assert call("--minutes", "0.01") == 0
    first = done()
    assert call("--minutes", "0.01") == 0
    assert done() > first > 0
    with (tmp_path / "run" / "evaluations.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {float(row["quality"]) for row in rows} == set(marathon.QUALITIES)
    assert max(int(row["step"]) for row in rows) == done()
    assert call("--ship", "--out", str(tmp_path / "zoo")) == 0
    codec = tfic.load(tmp_path / "zoo" / "lite-vbr.safetensors")
    assert codec.decode(codec.encode(PAGE, 15)).size == PAGE.size
    assert f"{done():,} (batch 2)" in (tmp_path / "zoo" / "lite-vbr.md").read_text(encoding="utf-8")


@torch.no_grad()
def test_it_takes_over_every_weight_of_a_lite_and_adds_what_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    marathon = importlib.import_module("marathon")
    trained, codec = tfic.load("zoo/lite-cpu-0.003"), build("lite-vbr").eval()
    assert isinstance(codec, VariableRate)
    marathon.take_over(codec, trained)
    ours = {each.data_ptr(): each for each in codec.state_dict().values()}.values()
    for name, theirs in trained.state_dict().items():
        same = (each.numel() == theirs.numel() and torch.equal(each.flatten(), theirs.flatten()) for each in ours)
        assert any(same), name
    codec.update()
    decoded = np.asarray(codec.decode(codec.encode(PAGE)))
    assert psnr_db(np.asarray(PAGE), decoded) > 20, "ReLU for GELU costs some decibels before the first step"
