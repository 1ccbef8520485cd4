"""The order of lines costs nothing, and what was read wrong costs as much as ever."""

import math
import random

import numpy as np
import pytest

from tfic.measuring.scoring import BY_EDIT_DISTANCE, BY_PLACES, BY_READING_ORDER, assign, overlaps, score
from tfic.pages.lines import Line, Page, dominant_angle, quad_of, reading_order

BLANK = np.full((256, 256, 3), 255, np.uint8)


def box(text: str, left: float, top: float, width: float = 100, height: float = 16, degrees: float = 0) -> Line:
    """A line on a page that is turned by so many degrees about its middle, (128, 128)."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = ((left, top), (left + width, top), (left + width, top + height), (left, top + height))
    moved = [(x - 128, y - 128) for x, y in corners]
    return Line(text, quad_of((128 + c * x - s * y, 128 + s * x + c * y) for x, y in moved))


def upright(line: Line) -> Line:
    """The line with the upright box around it, as readers without angles give it."""
    (left, top), (right, bottom) = np.min(line.quad, axis=0), np.max(line.quad, axis=0)
    return Line(line.text, quad_of(((left, top), (right, top), (right, bottom), (left, bottom))))


def page(*lines: Line, stated: str | None = None) -> Page:
    return Page("a.png", BLANK, lines, stated)


LABEL = (box("W5Fng", 40, 60, 60, 30, degrees=12), box("+2 797 173 2004", 40, 96, 150, 22, degrees=12))
"""A label with two lines that runs downhill, so that the lower line begins about as high as the upper one ends."""


@pytest.mark.parametrize("degrees", [-30, -20, -9, 0, 9, 20, 30])
def test_a_tilted_label_that_is_read_without_an_error_has_an_accuracy_of_one(degrees: float) -> None:
    truth = page(
        box("W5Fng", 40, 60, 60, 30, degrees=degrees), box("+2 797 173 2004", 40, 96, 150, 22, degrees=degrees)
    )
    assert truth.text == "W5Fng\n+2 797 173 2004"
    for lines in (truth.lines, truth.lines[::-1]):
        for found in (lines, [upright(line) for line in lines]):
            read = score(truth, found)
            assert (read.accuracy, read.accuracy_words, read.cer, read.order) == (1.0, 1.0, 0.0, BY_PLACES)


def test_the_order_of_a_page_is_the_same_at_every_angle() -> None:
    texts = [["Tea", "2.50"], ["Cake", "4.00"], ["Total", "6.50"]]
    for degrees in (-170, -90, -30, -3, 0, 8, 45, 90, 180):
        lines = [
            box(text, 20 + 110 * column, 20 + 24 * row, 90, degrees=degrees)
            for row, pair in enumerate(texts)
            for column, text in enumerate(pair)
        ]
        shuffled = random.Random(degrees).sample(lines, len(lines))
        assert [line.text for line in reading_order(shuffled)] == [text for pair in texts for text in pair]
        assert math.degrees(dominant_angle(shuffled)) == pytest.approx(degrees, abs=1e-6) or abs(degrees) == 180


def test_a_stray_line_at_another_angle_does_not_turn_the_page() -> None:
    lines = [box("one", 20, 20, degrees=10), box("two", 20, 60, degrees=10), box("stamp", 90, 90, 40, degrees=-60)]
    assert math.degrees(dominant_angle(lines)) == pytest.approx(10)
    assert dominant_angle([]) == 0


def test_a_line_found_in_two_pieces_keeps_them_together_and_what_overlaps_nothing_comes_last() -> None:
    truth = page(box("Gross weight", 20, 20), box("12 kg", 20, 60), box("net", 20, 100))
    found = [
        box("stray", 150, 4, 40),
        box("12 kg", 20, 61),
        box("weight", 72, 21, 48),
        box("Gross", 19, 20, 49),
    ]
    assert score(truth, found).text == "Gross\nweight\n12 kg\nstray"
    assert score(truth, []).text == ""
    assert score(page(), found[:1]).order == BY_READING_ORDER


def test_what_was_read_wrong_missed_or_invented_costs_what_it_did() -> None:
    truth = page(box("abcd", 20, 20), box("efgh", 20, 60))
    assert score(truth, [box("abxd", 20, 20), box("efgh", 20, 60)]).accuracy == pytest.approx(1 - 1 / 9)
    assert score(truth, [box("efgh", 20, 60)]).accuracy == pytest.approx(1 - 5 / 9)
    assert score(truth, [*truth.lines, box("xyz", 20, 120)]).accuracy == pytest.approx(1 - 4 / 13)


def test_without_places_the_better_of_reading_order_and_edit_distance_counts_and_is_named() -> None:
    stated = page(stated="W5Fng\n+2 797 173 2004")
    found = [upright(line) for line in LABEL]
    swapped = [Line(found[0].text, found[1].quad), Line(found[1].text, found[0].quad)]
    read = {id(lines): score(stated, lines) for lines in (found, swapped)}
    assert [each.accuracy for each in read.values()] == [1.0, 1.0]
    assert {each.order for each in read.values()} == {BY_READING_ORDER, BY_EDIT_DISTANCE}
    wrapped = page(stated="a text that was broken elsewhere")
    assert score(wrapped, [box("a text that was", 20, 20), box("broken elsewhere", 20, 60)]).order == BY_READING_ORDER


def test_overlap_is_that_of_areas_whichever_way_round_the_corners_go() -> None:
    line = box("a", 20, 20, 40, 10)
    beside = box("b", 40, 20, 40, 10)
    backwards = Line("c", line.quad[::-1])
    nothing = Line("d", ((5, 5), (5, 5), (5, 5), (5, 5)))
    found = overlaps([line, beside, nothing], [line, backwards, box("e", 200, 200)])
    assert found == pytest.approx(np.array([[1, 1, 0], [1 / 3, 1 / 3, 0], [0, 0, 0]]))
    assert overlaps([], [line]).shape == (0, 1)


def test_the_best_pairs_go_first_and_none_takes_a_line_that_it_hardly_fits() -> None:
    likeness = np.array([[0.9, 0.8], [0.85, 0.1], [0.0, 0.0]])
    assert assign(likeness, 0.0) == [0, 0, None]  # the second would take what it hardly fits
    assert assign(np.array([[0.9, 0.8], [0.85, 0.5]]), 0.0) == [0, 1]
    assert assign(np.zeros((2, 0)), 0.0) == [None, None]
