"""The benchmark on real pages: what it measures anew, how it cuts pages, and what its report says."""

import importlib
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tfic import data
from tfic.config import MEASURING_VERSION, DataConfig
from tfic.pages.lines import Line, Page, Quad


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "benchmarks")
    return importlib.import_module("real_pages")


def across(top: float, bottom: float) -> Quad:
    return (4, top), (60, top), (60, bottom), (4, bottom)


def test_a_row_is_measured_once_and_anew_with_other_weights(script: ModuleType, tmp_path: Path) -> None:
    (page,) = data.draw_set("test", 1, DataConfig(height_px=128, width_px=128))
    rows, coders = tmp_path / "rows.csv", ["jpeg@20", "zoo/lite-vbr@0"]
    script.measure(page, 110, "whole", coders, rows, until=0.0)
    assert script.read_points(rows) == []
    script.measure(page, 110, "whole", coders, rows)
    jpeg, ours = script.read_points(rows)
    assert (jpeg.weights, len(ours.weights)) == ("", 16)
    assert (jpeg.page, jpeg.measuring_version) == (page.name, MEASURING_VERSION)
    assert jpeg.bpp > ours.bpp > 0
    assert 0 <= jpeg.accuracy_heldout <= 1
    written = rows.read_text()
    script.measure(page, 110, "whole", coders, rows)
    assert rows.read_text() == written
    rows.write_text(written.replace(ours.weights, "0" * 16))
    script.measure(page, 110, "whole", coders, rows)
    assert script.read_points(rows) == [jpeg, replace(ours, weights="0" * 16), ours]
    script.measure(page, 150, "whole", coders[:1], rows)
    assert [point.dpi for point in script.read_points(rows)] == [110, 110, 110, 150]


def test_pages_are_taken_from_all_documents_in_turns(script: ModuleType) -> None:
    names = [f"{name}-p{i:04}.png" for name in ("bash", "R-intro") for i in (1, 2, 3)]
    names += [f"refcard-{language}-a4-p0001.png" for language in ("de", "pt_BR")]
    taken = script.in_turns([Page(name, np.zeros((8, 8, 3), np.uint8), ()) for name in names])
    documents = [script.document_of(page.name) for page in taken]
    assert documents == ["bash", "R-intro", "refcard"] * 2 + ["bash", "R-intro"]
    assert sorted(page.name for page in taken) == sorted(names)


def test_the_upper_half_ends_above_the_lines_that_cross_the_middle(script: ModuleType) -> None:
    lines = tuple(Line(f"from {top}", across(top, top + 12)) for top in (10, 30, 44.5, 60))
    page = Page("a.png", np.arange(100 * 64 * 3, dtype=np.uint8).reshape(100, 64, 3), lines, ignored=(across(40, 46),))
    half = script.upper_half(page)
    assert half.size_px == (30, 64)  # 44.5 to 56.5 crosses 50; 40 to 46 crosses 44; 30 to 42 crosses 40
    assert [line.text for line in half.lines] == ["from 10"]
    assert half.ignored == ()
    assert np.array_equal(half.image, page.image[:30])


def test_the_report_compares_on_shared_pages_and_draws_documents(script: ModuleType) -> None:
    def point(page: str, coder: str, bpp: float, accuracy: float, weights: str = "", version: int = MEASURING_VERSION):
        return script.Point(110, "whole", page, coder, weights, version, bpp, accuracy, accuracy, accuracy, 30.0)

    pages = ["a-p0001.png", "a-p0002.png", "a-p0003.png", "b-p0001.png"]
    points = [point(page, "avif@5", 0.1, 0.5) for page in pages] + [point(page, "avif@9", 0.4, 0.7) for page in pages]
    points += [point(page, "zoo/lite-vbr@50", 0.2, 0.6, "11111111") for page in pages[:2]]
    points += [point(page, "zoo/lite-vbr@0", 0.1, 0.3, "11111111") for page in pages[:2]]
    points += [point(page, "zoo/lite-vbr@50", 0.2, 0.8 if page in pages[:3] else 0.4, "22222222") for page in pages]
    points.append(point(pages[0], "avif@5", 0.9, 0.0, version=MEASURING_VERSION - 1))
    report = script.report(points)
    assert "## whole pages at 110 dpi" in report
    assert "Means over 4 pages of 2 documents that all coders here have:" in report
    own = next(line for line in report.splitlines() if line.startswith("| zoo/lite-vbr, quality 50 | 0.20"))
    assert "0.70 [0.40, 0.80]" in own  # of two documents either may be drawn twice
    against = {
        line.split(" | ")[2]: line
        for line in report.splitlines()
        if line.startswith("| zoo/lite-vbr, quality 50 | 0.200")
    }
    assert set(against) == {"AVIF", "zoo/lite-vbr of weights 111111"}
    assert "0.200 | 4 pages of 2 documents | +0.100 [\N{MINUS SIGN}0.200, +0.200]" in against["AVIF"]
    assert "| 2 pages of 1 documents | +0.200 [+0.200, +0.200]" in against["zoo/lite-vbr of weights 111111"]
    assert "lite-vbr, quality 0" not in report, "it was never measured with the latest weights"
    assert "of weights" not in script.report(points, ["avif@5"])
