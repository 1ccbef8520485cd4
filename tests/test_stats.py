"""Bootstrap intervals against the theory they approximate."""

import numpy as np
import pytest

from analysis import stats

VALUES = np.random.default_rng(5).normal(0.6, 0.2, size=200)


def test_the_interval_is_that_of_the_normal_theory_for_many_images():
    interval = stats.mean(VALUES)
    error = VALUES.std(ddof=1) / np.sqrt(len(VALUES))
    assert interval.value == pytest.approx(VALUES.mean())
    assert interval.low == pytest.approx(VALUES.mean() - 1.96 * error, abs=0.15 * error)
    assert interval.high == pytest.approx(VALUES.mean() + 1.96 * error, abs=0.15 * error)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    assert stats.mean(VALUES, seed=1) == stats.mean(VALUES, seed=1)
    assert stats.mean(VALUES, seed=1) != stats.mean(VALUES, seed=2)


def test_more_confidence_is_a_wider_interval():
    narrow, wide = stats.mean(VALUES, 0.8), stats.mean(VALUES, 0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_interval_of_the_best_of_many_goes_on_widening_beyond_what_resamples_reach():
    reach = [stats.mean(VALUES).value - stats.mean(VALUES, stats.confidence_of_best(n)).low for n in (1, 10, 100, 1000)]
    error = VALUES.std(ddof=1) / np.sqrt(len(VALUES))
    for got, wanted in zip(reach, (1.97, 2.84, 3.54, 4.15), strict=True):
        assert got == pytest.approx(wanted * error, rel=0.12)
    assert reach[3] > 1.1 * reach[2] > 1.1 * reach[1]
    far = [stats.mean(VALUES, stats.confidence_of_best(n)).low for n in (1_000, 10_000, 100_000)]
    assert far == sorted(far, reverse=True)
    assert len(set(far)) == 3


def test_no_codec_of_thousands_that_gain_nothing_leads_by_luck():
    rng = np.random.default_rng(2)
    images = 32
    drawn = rng.normal(0, 1, (300_000, images))
    scores = drawn.mean(axis=1) / drawn.std(axis=1, ddof=1) * np.sqrt(images)
    confidence = stats.confidence_of_best(1000)
    false = sum(stats.mean(each, confidence).low > 0 for each in drawn[scores > 3.4])
    assert false <= 20, "of 300 sweeps with 1,000 codecs each, 2.5 % is 8"


def test_pairing_sees_a_small_difference_that_the_images_spread_hides():
    other = VALUES + 0.02 + np.random.default_rng(6).normal(0, 0.01, size=len(VALUES))
    assert stats.mean(other - VALUES).low > 0
    assert stats.mean(VALUES).high > stats.mean(other).low


def test_an_interval_of_95_per_cent_holds_the_true_mean_about_so_often():
    held, rng = 0, np.random.default_rng(7)
    for _ in range(200):
        interval = stats.mean(rng.normal(0.0, 1.0, size=40))
        held += interval.low <= 0 <= interval.high
    assert 175 <= held <= 199


def test_equal_images_leave_no_doubt():
    interval = stats.mean(np.full(10, 0.1))
    assert interval.low == pytest.approx(0.1)
    assert interval.high == pytest.approx(0.1)
    assert interval.low <= interval.value <= interval.high


def test_images_without_a_finite_value_are_left_out_and_counted_out():
    interval = stats.mean(np.array([1.0, np.nan, np.inf, 3.0]))
    assert (interval.value, interval.images) == (2.0, 2)


def test_a_ratio_is_of_the_means_and_exact_for_proportional_images():
    below = np.array([10.0, 20.0, 60.0])
    interval = stats.ratio(below / 2, below)
    assert (interval.value, interval.low, interval.high) == pytest.approx((0.5, 0.5, 0.5))
    assert stats.ratio(np.array([1.0, 2.0, np.nan]), below).value == pytest.approx(3 / 30)


def test_what_has_no_mean_is_refused():
    with pytest.raises(ValueError, match="nothing to average"):
        stats.mean(np.array([np.nan]))
    with pytest.raises(ValueError, match="same images"):
        stats.ratio(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match="between 0 and 1"):
        stats.mean(VALUES, confidence=95)


def test_numbers_carry_a_true_minus_sign():
    text = stats.show(stats.Interval(-0.1, -0.2, 0.3, 5), sign=True)
    assert text == "−0.10 [−0.20, +0.30]"
