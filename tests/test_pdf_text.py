"""The text layer of PDF pages: what can be seen, at its place, and nothing else."""

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from made_pdfs import pdf, picture, shown

from tfic.importing.candidate import Skipped
from tfic.importing.pdf import pages
from tfic.importing.words import Word, lines_of
from tfic.pages.lines import Page


def read(tmp_path: Path, *operators: str, dpi: float = 144, **options: Any) -> Page | Skipped:
    """The page that has these operators."""
    file = tmp_path / "made.pdf"
    file.write_bytes(pdf([" ".join(operators)], **options))
    (candidate,) = pages(file, PurePosixPath("made"), dpi)
    assert candidate.name == "made-p0001.png"
    return candidate.read()


def page(tmp_path: Path, *operators: str, dpi: float = 144, **options: Any) -> Page:
    found = read(tmp_path, *operators, dpi=dpi, **options)
    assert isinstance(found, Page)
    return found


@pytest.mark.parametrize("dpi", [50, 144, 300])
def test_a_line_has_its_text_and_encloses_its_ink_at_any_resolution(tmp_path: Path, dpi: float) -> None:
    found = page(tmp_path, shown("Grand total", 40, 100), dpi=dpi)
    assert found.size_px == (pytest.approx(200 * dpi / 72, abs=1), pytest.approx(300 * dpi / 72, abs=1))
    assert found.text == "Grand total"
    rows, columns = np.nonzero(found.image.min(axis=2) < 128)
    (left, top), _, (right, bottom), _ = found.lines[0].quad
    assert left - 1 <= columns.min() <= columns.max() <= right + 1
    assert top - 1 <= rows.min() <= rows.max() <= bottom + 1
    assert right - left < 1.2 * np.ptp(columns) + 3


def test_columns_are_lines_of_their_own_and_words_of_a_line_are_joined(tmp_path: Path) -> None:
    found = page(
        tmp_path,
        shown("left", 20, 150), shown("right", 200, 150), shown("below", 20, 130), shown("left", 56, 130),
    )  # fmt: skip
    assert sorted(line.text for line in found.lines) == ["below left", "left", "right"]
    assert found.text == "left\nright\nbelow left"


def test_a_page_that_is_shown_turned_has_its_text_where_it_is_seen(tmp_path: Path) -> None:
    upright = page(tmp_path, shown("turned", 150, 60, matrix="0 1 -1 0"), rotate=90)
    assert upright.size_px == (600, 400)
    (line,) = upright.lines
    assert line.text == "turned"
    rows, columns = np.nonzero(upright.image.min(axis=2) < 128)
    assert np.ptp(columns) > 2 * np.ptp(rows)
    assert line.left - 1 <= columns.min() <= columns.max() <= line.quad[1][0] + 1


def test_what_nobody_sees_or_reads_upright_is_no_truth(tmp_path: Path) -> None:
    found = page(
        tmp_path,
        shown("seen", 20, 150),
        shown("hidden", 100, 150, mode=3),
        shown("up", 250, 20, matrix="0 1 -1 0"),
        shown("beyond", 400, 150),
    )
    assert found.text == "seen"
    assert len(found.ignored) == 2


def test_a_picture_without_known_text_on_it_is_a_region_that_is_not_to_be_read(tmp_path: Path) -> None:
    found = page(tmp_path, shown("caption", 20, 20), picture(20, 60, 200, 100), dpi=72)
    assert found.ignored == (((20, 40), (220, 40), (220, 140), (20, 140)),)
    under = page(tmp_path, picture(0, 0, 300, 200), shown("on a picture", 20, 20), dpi=72)
    assert under.ignored == ()


def test_scans_are_skipped_with_the_reason(tmp_path: Path) -> None:
    assert read(tmp_path, picture(0, 0, 300, 200)) == Skipped("without a text layer")
    assert read(tmp_path, picture(0, 0, 300, 200), shown("as a program read it", 20, 20, mode=3)) == Skipped(
        "scans with text that a program read"
    )


def test_words_come_in_any_order() -> None:
    words = [
        Word("b", 30, 10, 40, 20),
        Word("far", 200, 11, 230, 21),
        Word("a", 10, 11, 25, 21),
        Word("c", 44, 9, 60, 19),
    ]
    for order in (words, words[::-1]):
        assert sorted(line.text for line in lines_of(order)) == ["a b c", "far"]
