"""The table that compares codecs of several qualities at equal rate."""

import importlib
import math
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from tfic.measuring.row import MEASURES, ROWS_FILE, Row, write_rows


def measured(folder: Path, bpp: float, accuracies: list[float]) -> None:
    folder.mkdir(parents=True)
    nothing = {each.name: math.nan for each in fields(Row) if each.name in MEASURES and each.default is MISSING}
    values = [nothing | {"bpp": bpp, "accuracy": each} for each in accuracies]
    write_rows([Row(f"{i}", 8, 8, 8, truth="", text="", **each) for i, each in enumerate(values)], folder / ROWS_FILE)


def test_each_quality_is_compared_and_rates_out_of_reach_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "scripts")
    script = importlib.import_module("equal_rates")
    measured(tmp_path / "ours/measured/0-50", 0.2, [0.9, 0.7])
    measured(tmp_path / "ours/measured/0-0", 0.05, [0.6, 0.6])
    measured(tmp_path / "avif/measured/0-5", 0.1, [0.4, 0.4])
    measured(tmp_path / "avif/measured/0-25", 0.4, [0.8, 0.8])
    measured(tmp_path / "avif/measured/1-25", 0.2, [0.0, 0.0])
    assert script.comparison(script.measured(tmp_path, "0"), "0", ["ours"], ["avif"]).splitlines() == [
        "At equal rate on 2 test pages of set 0, difference and its 95 % interval:",
        "",
        "| codec, quality | bpp | against | page |",
        "| --- | --- | --- | --- |",
        "| ours, 0 | 0.0500 | avif, which has more bits | +0.200 [+0.200, +0.200] |",
        "| ours, 50 | 0.2000 | avif | +0.200 [+0.100, +0.300] |",
    ]
