"""One rule orders true and detected lines alike."""

import random

import numpy as np
import pytest

from tfic.pages.lines import Line, Page, counted, normalise, page_text, reading_order


def box(text: str, left: float, top: float, width: float = 40, height: float = 10) -> Line:
    right, bottom = left + width, top + height
    return Line(text, ((left, top), (right, top), (right, bottom), (left, bottom)))


RECEIPT = [
    box("Tea", 5, 10),
    box("2.50", 200, 13),
    box("Cake", 5, 30),
    box("4.00", 200, 27),
    box("Total", 5, 60, 90, 24),
]


def test_rows_go_down_and_each_row_from_left_to_right_whatever_order_lines_came_in() -> None:
    for seed in range(20):
        shuffled = random.Random(seed).sample(RECEIPT, len(RECEIPT))
        assert [line.text for line in reading_order(shuffled)] == ["Tea", "2.50", "Cake", "4.00", "Total"]


def test_lines_that_overlap_by_less_than_half_are_rows_of_their_own() -> None:
    assert page_text([box("below", 0, 6), box("above", 50, 0)]) == "above\nbelow"
    assert page_text([box("left", 0, 5), box("right", 50, 0)]) == "left\nright"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a  b\t c", "a b c"), ("  a \n b ", "a\nb"), ("a\n\n b", "a\nb"), ("Ab", "Ab"), ("", ""), (" \n ", "")],
)
def test_runs_of_blanks_count_as_one_and_case_counts(text: str, expected: str) -> None:
    assert normalise(text) == expected


def test_a_page_s_text_is_its_lines_in_reading_order() -> None:
    page = Page("x.png", np.zeros((100, 300, 3), np.uint8), tuple(reversed(RECEIPT)))
    assert page.text == "Tea\n2.50\nCake\n4.00\nTotal"


def test_lines_of_which_half_lies_in_a_region_not_to_be_read_do_not_count() -> None:
    region = box("", 100, 0, 40, 10).quad
    found = [box("in", 105, 0, 30), box("half", 80, 0, 40), box("beside", 20, 0), box("less", 50, 0, 60)]
    assert [line.text for line in counted(found, [region])] == ["beside", "less"]
    assert counted(found, []) == found
