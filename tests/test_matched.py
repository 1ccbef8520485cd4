"""A baseline at the rate of another codec."""

import numpy as np
import pandas as pd
import pytest

from analysis.matched import by_image, differences, match_rate, matched_values, nearest

POINTS = pd.DataFrame({"trial_key": ["b", "a", "c"], "bpp": [0.2, 0.1, 0.8], "accuracy": [0.5, 0.2, 0.8]})


def test_between_two_baselines_the_shares_go_by_the_log_of_the_rate():
    matched = match_rate(POINTS, 0.4)
    assert matched.weights == pytest.approx({"b": 0.5, "c": 0.5})
    assert (matched.bpp, matched.bits) == (0.4, "equal")


def test_at_a_measured_rate_the_measured_codec_stands_alone():
    assert match_rate(POINTS, 0.2).weights == {"b": 1.0}
    assert match_rate(POINTS, 0.1).bits == "equal"


def test_outside_the_range_the_nearest_end_stands_in_and_says_so():
    assert (match_rate(POINTS, 0.05).weights, match_rate(POINTS, 0.05).bits) == ({"a": 1.0}, "more")
    assert (match_rate(POINTS, 2.0).weights, match_rate(POINTS, 2.0).bits) == ({"c": 1.0}, "fewer")


def test_without_a_baseline_there_is_nothing_to_match():
    with pytest.raises(ValueError, match="needs a finished pre-training"):
        match_rate(POINTS.head(0), 0.2)


def test_each_image_is_mixed_on_its_own_and_an_error_free_picture_has_no_psnr():
    rows = pd.DataFrame(
        {"image": ["x", "y", "x", "y"], "trial_key": ["b", "b", "c", "c"], "psnr_db": [20.0, np.inf, 30.0, 40.0]}
    )
    mixed = matched_values(by_image(rows, "psnr_db"), match_rate(POINTS, 0.4))
    assert mixed[0] == pytest.approx(25.0)
    assert np.isnan(mixed[1])


def test_the_nearest_is_nearest_in_ratio_and_of_equals_the_better_reader():
    points = pd.DataFrame({"trial_key": ["a", "b", "c"], "bpp": [0.1, 0.4, 0.4], "accuracy": [0.9, 0.3, 0.6]})
    assert nearest(points, 0.25)["trial_key"] == "c"
    assert nearest(points, 0.15)["trial_key"] == "a"
    assert nearest(points.head(0), 0.2) is None


def test_a_codec_is_compared_with_another_at_its_rate_image_by_image():
    rows = pd.DataFrame(
        {
            "image": ["x", "y"] * 3,
            "trial_key": ["own", "own", "b", "b", "c", "c"],
            "bpp": [0.3, 0.5, 0.1, 0.3, 0.8, 0.8],
            "accuracy": [0.7, 0.6, 0.4, 0.6, 0.6, 1.0],
        }
    )
    matched, gains = differences(rows, "own", ["c", "b"], ["accuracy"])
    assert (matched.bits, matched.bpp) == ("equal", pytest.approx(0.4))
    assert gains["accuracy"].to_dict() == pytest.approx({"x": 0.2, "y": -0.2})
