"""The marathon goes on where it stopped, and what it ships codes at any quality."""

import csv
import importlib
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

import tfic
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
    card, before = (tmp_path / "zoo" / "lite-vbr.md").read_text(encoding="utf-8"), marathon.steps_before()
    assert f"{before + done():,} (batch 2), the last {done():,} in " in card
