"""The matrix of readers that codecs are trained against and read by, from rows of single pages."""

import importlib
import math
from dataclasses import MISSING, fields
from pathlib import Path
from types import ModuleType

import pytest

from tfic.measuring.row import MEASURES, ROWS_FILE, Row, write_rows

ROOT = Path(__file__).parent.parent


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("transfer")


def measured(folder: Path, bpp: float, training: list[float], easyocr: list[float]) -> None:
    folder.mkdir(parents=True)
    nothing = {each.name: math.nan for each in fields(Row) if each.name in MEASURES and each.default is MISSING}
    rows = [
        Row(f"{i}", 8, 8, 8, truth="", text="", **(nothing | {"bpp": bpp, "accuracy": a}), accuracy_easyocr=b)
        for i, (a, b) in enumerate(zip(training, easyocr, strict=True))
    ]
    write_rows(rows, folder / ROWS_FILE)


def test_a_cell_is_the_mean_gain_over_the_qualities_that_all_have_within_the_controls_rates(
    script: ModuleType, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    for quality, bpp in (("0", 0.1), ("50", 0.2), ("100", 0.4)):
        measured(runs / f"control/measured/seed0-{quality}", bpp, [0.5, 0.5], [0.4, 0.4])
    measured(runs / "gamma2/measured/seed0-0", 0.1, [0.6, 0.8], [0.4, 0.4])
    measured(runs / "gamma2/measured/seed0-50", 0.2, [0.6, 0.6], [0.5, 0.3])
    measured(runs / "gamma2/measured/seed0-100", 0.9, [1.0, 1.0], [1.0, 1.0])  # more bits than any control
    measured(runs / "gamma2-easyocr/measured/seed0-0", 0.1, [0.5, 0.5], [0.7, 0.7])
    measured(runs / "gamma2-easyocr/measured/seed0-50", 0.2, [0.5, 0.5], [0.7, 0.7])
    measured(runs / "gamma2-easyocr/measured/seed0-25", 0.15, [0.0, 0.0], [0.0, 0.0])  # the other has no such quality
    table = tmp_path / "transfer.csv"
    script.collect(runs).to_csv(table, index=False)
    rows = script.read(table)["seed0"]
    found = {(each.trained, each.read_by): each for each in script.cells(rows)}
    assert set(found) == {(a, b) for a in ("PP-OCRv6", "EasyOCR") for b in ("PP-OCRv6", "EasyOCR")}
    own, other = found["PP-OCRv6", "PP-OCRv6"], found["PP-OCRv6", "EasyOCR"]
    assert (own.codecs, own.own, other.own) == (2, True, False)
    assert own.gain.value == pytest.approx(0.15)
    assert (own.gain.low, own.gain.high) == (pytest.approx(0.1), pytest.approx(0.2))
    assert other.gain.value == pytest.approx(0.0)
    assert found["EasyOCR", "EasyOCR"].gain.value == pytest.approx(0.3)
    said = script.matrix(list(found.values())).splitlines()
    assert said[0] == "| trained against | qualities | PP-OCRv6 | EasyOCR |"
    assert said[2].startswith("| PP-OCRv6 | 2 | +0.150 [+0.100, +0.200]* | ")
    assert "| gamma2, 0 | 0.1000 | control | +0.200 [+0.100, +0.300] |" in script.report({"seed0": rows})
