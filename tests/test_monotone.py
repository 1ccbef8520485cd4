"""The monotone cubic: exact where the points are one, never falling, and no luckier than its points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import bd, monotone
from analysis.bd import Difference, NotComparable

RATES = np.array([0.05, 0.1, 0.2, 0.4, 0.8])


def cubic(bpp):
    x = np.log2(bpp / 0.05) / 4
    return 0.2 + 0.5 * x + 0.3 * x**2 - 0.1 * x**3


def test_a_rising_cubic_is_found_exactly():
    found = monotone.fit(RATES, cubic(RATES))
    between = np.array([0.07, 0.3, 0.55])
    np.testing.assert_allclose(found.at(np.log2(between)), cubic(between), atol=1e-9)


@given(st.lists(st.floats(0, 1), min_size=5, max_size=5))
def test_a_fit_never_falls(quality):
    found = monotone.fit(RATES, np.array(quality))
    assert (np.diff(found.at(np.linspace(found.low, found.high, 50))) >= -1e-9).all()


def test_the_gain_of_a_lifted_curve_is_the_lift_and_has_the_common_rates():
    found = monotone.average_gain(RATES, cubic(RATES), RATES * 2, cubic(RATES * 2) + 0.1)
    assert isinstance(found, Difference)
    assert found.value == pytest.approx(0.1, abs=1e-6)
    assert (found.low, found.high) == pytest.approx((0.1, 0.8))


def test_a_lucky_point_moves_the_envelope_by_more_than_the_fit():
    lucky = cubic(RATES) + np.array([0, 0.3, 0, 0, 0])
    envelope = bd.average_gain(RATES, cubic(RATES), RATES, lucky)
    fitted = monotone.average_gain(RATES, cubic(RATES), RATES, lucky)
    assert 0 < fitted.value < envelope.value


def test_too_few_or_too_distant_points_are_refused_with_the_reason():
    few = monotone.average_gain(RATES, cubic(RATES), RATES[:3], cubic(RATES[:3]))
    far = monotone.average_gain(RATES, cubic(RATES), RATES * 12, cubic(RATES))
    assert isinstance(few, NotComparable)
    assert "3 different rates; a cubic needs 4" in few.why
    assert isinstance(far, NotComparable)
    assert "share 10%" in far.why
    with pytest.raises(ValueError, match="a rate is not positive"):
        monotone.fit(np.array([0.0, 1, 2, 3]), np.ones(4))
