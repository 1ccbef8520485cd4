"""Differences between rate curves, against shapes whose difference is known by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.bd import Difference, NotComparable, average_gain, envelope, rate_saving

RATES = np.array([0.125, 0.25, 0.5, 1.0])
QUALITY = np.array([0.2, 0.4, 0.6, 0.8])
CURVE = st.lists(st.tuples(st.floats(0.05, 4.0), st.floats(0.0, 1.0)), min_size=2, max_size=8)


def test_a_curve_raised_by_a_constant_gains_that_constant():
    gain = average_gain(RATES, QUALITY, RATES, QUALITY + 0.1)
    assert isinstance(gain, Difference)
    assert (gain.value, gain.low, gain.high) == pytest.approx((0.1, 0.125, 1.0))


def test_a_curve_at_half_the_rate_saves_half_and_gains_one_octave_of_slope():
    saving = rate_saving(RATES, QUALITY, RATES / 2, QUALITY)
    assert isinstance(saving, Difference)
    assert saving.value == pytest.approx(0.5)
    gain = average_gain(RATES, QUALITY, RATES / 2, QUALITY)
    assert isinstance(gain, Difference)
    assert gain.value == pytest.approx(0.2)


def test_a_triangle_above_a_line_gains_its_area_over_its_base():
    gain = average_gain(
        np.array([1.0, 4.0]), np.array([0.0, 1.0]), np.array([1.0, 2.0, 4.0]), np.array([0.0, 1.0, 1.0])
    )
    assert isinstance(gain, Difference)
    assert gain.value == pytest.approx(0.25)


def test_a_worse_point_at_more_rate_does_not_lower_the_envelope():
    log_rates, best = envelope(np.array([4.0, 1.0, 2.0, 2.0]), np.array([0.3, 0.1, 0.5, 0.4]))
    assert log_rates.tolist() == [0.0, 1.0, 2.0]
    assert best.tolist() == [0.1, 0.5, 0.5]


def test_a_plateau_is_charged_at_its_cheap_end():
    # A reaches 0.5 at 1 bpp and stays there until 2; B is A without the plateau.
    saving = rate_saving(
        np.array([0.5, 1, 2, 4]), np.array([0.0, 0.5, 0.5, 1.0]), np.array([0.5, 1, 2]), np.array([0.0, 0.5, 1.0])
    )
    assert isinstance(saving, Difference)
    assert saving.value == pytest.approx(1 - 2**-0.5)


@pytest.mark.parametrize("difference", [average_gain, rate_saving])
def test_curves_that_share_too_little_are_refused_with_the_share(difference):
    answer = difference(RATES, QUALITY, RATES * 6, QUALITY + 0.5)
    assert isinstance(answer, NotComparable)
    assert "share" in answer.why
    assert "%" in answer.why


def test_curves_apart_and_single_points_are_refused():
    apart = average_gain(RATES, QUALITY, RATES * 100, QUALITY)
    assert isinstance(apart, NotComparable)
    assert "share 0%" in apart.why
    single = average_gain(RATES, QUALITY, np.array([0.5]), np.array([0.5]))
    assert isinstance(single, NotComparable)
    assert "single point" in single.why


@given(CURVE, CURVE)
def test_swapping_the_curves_turns_the_sign(a, b):
    (rate_a, quality_a), (rate_b, quality_b) = (np.array(curve).T for curve in (a, b))
    there, back = average_gain(rate_a, quality_a, rate_b, quality_b), average_gain(rate_b, quality_b, rate_a, quality_a)
    assert type(there) is type(back)
    if isinstance(there, Difference) and isinstance(back, Difference):
        assert there.value == pytest.approx(-back.value, abs=1e-9)
        assert abs(there.value) <= 1 + 1e-9


@pytest.mark.parametrize("rates", [np.array([0.0, 1.0]), np.array([1.0, np.inf]), np.array([1.0])])
def test_rates_that_are_none_are_an_error(rates):
    with pytest.raises(ValueError, match=r"leave such points out|one quality per rate"):
        envelope(rates, np.array([0.1, 0.2]))
