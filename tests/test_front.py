"""The front and the volume under it, against brute force and closed forms."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.front import front_of, hypervolume, non_dominated

GRID = st.integers(1, 3).flatmap(
    lambda objectives: st.tuples(
        st.lists(st.lists(st.integers(0, 3), min_size=objectives, max_size=objectives), min_size=1, max_size=9),
        st.lists(st.sampled_from([-1, 1]), min_size=objectives, max_size=objectives),
    )
)


def dominates(a, b, directions):
    """Straight from the definition, one pair at a time."""
    turned = [(x * d, y * d) for x, y, d in zip(a, b, directions, strict=True)]
    return all(x >= y for x, y in turned) and any(x > y for x, y in turned)


@given(GRID)
def test_the_front_is_what_brute_force_finds_ties_included(case):
    points, directions = case
    wanted = [not any(dominates(other, point, directions) for other in points) for point in points]
    assert non_dominated(np.array(points), directions).tolist() == wanted


@given(GRID)
def test_hypervolume_counts_the_unit_cells_that_some_point_dominates(case):
    points, directions = case
    reference = [0 if direction == 1 else 3 for direction in directions]
    gains = [
        [point[axis] if direction == 1 else 3 - point[axis] for axis, direction in enumerate(directions)]
        for point in points
    ]
    cells = itertools.product(range(3), repeat=len(directions))
    count = sum(any(all(g > c for g, c in zip(gain, cell, strict=True)) for gain in gains) for cell in cells)
    assert hypervolume(np.array(points), directions, reference) == pytest.approx(count)


@pytest.mark.parametrize("steps", [1, 2, 7, 50])
def test_a_staircase_has_the_hypervolume_of_its_closed_form(steps):
    # Points (i, i) with cost i and gain i for i = 1..n, from the corner (n + 1, 0): the sum of i is n(n + 1)/2.
    points = np.array([(i, i) for i in range(1, steps + 1)], dtype=float)
    assert hypervolume(points, [-1, 1], [steps + 1, 0]) == pytest.approx(steps * (steps + 1) / 2)


def test_equal_points_on_the_front_all_stay_on_it():
    points = np.array([[1, 5], [1, 5], [2, 5], [2, 6]])
    assert non_dominated(points, [-1, 1]).tolist() == [True, True, False, True]


def test_a_dominated_point_adds_no_volume_and_neither_does_one_beyond_the_reference():
    front = np.array([[1.0, 0.5], [2.0, 0.9]])
    more = np.vstack([front, [[1.5, 0.4], [9.0, 1.0]]])
    volume = hypervolume(front, [-1, 1], [4, 0])
    assert volume == pytest.approx(3 * 0.5 + 2 * 0.4)
    assert hypervolume(more, [-1, 1], [4, 0]) == pytest.approx(volume)
    assert hypervolume(np.array([[5.0, 0.5]]), [-1, 1], [4, 0]) == 0.0


def test_no_points_make_an_empty_front():
    assert non_dominated(np.zeros((0, 2)), [1, 1]).shape == (0,)


def test_a_point_that_lacks_an_objective_is_never_on_a_front_and_pushes_none_off():
    bpp, psnr_db = np.array([5.0, 1.0, 2.0]), np.array([np.nan, 20.0, 19.0])
    assert front_of([bpp, psnr_db], [-1, 1]).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("values", "directions", "words"),
    [
        (np.array([[1.0, np.nan]]), [1, 1], "not finite"),
        (np.array([[1.0, 2.0]]), [1], "wanted \\(points, objectives\\)"),
        (np.array([[1.0, 2.0]]), [1, 0], "1 \\(more is better\\) or -1"),
    ],
)
def test_what_cannot_be_ordered_is_refused(values, directions, words):
    with pytest.raises(ValueError, match=words):
        non_dominated(values, directions)


def test_a_reference_point_needs_one_value_for_each_objective():
    with pytest.raises(ValueError, match="1 values for 2 objectives; give one for each"):
        hypervolume(np.ones((2, 2)), [1, 1], [0.0])
