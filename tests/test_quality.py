"""Quality is lambda on a scale on which equal steps are equal factors, and the weights between two knots."""

import math

import pytest
import torch

from tfic.codec.bitstream import LEVELS, level_of, quality_of_level
from tfic.codec.quality import KNOTS, LMBDA_HIGHEST, LMBDA_LOWEST, knot_weights, lmbda_of, quality_of


def test_the_ends_of_the_scale_are_the_ends_of_lambda_and_the_way_back_is_the_way() -> None:
    assert (lmbda_of(0), lmbda_of(100)) == pytest.approx((LMBDA_LOWEST, LMBDA_HIGHEST))
    assert lmbda_of(50) ** 2 == pytest.approx(LMBDA_LOWEST * LMBDA_HIGHEST)
    for quality in (0, 12.5, 61.3, 100):
        assert quality_of(lmbda_of(quality)) == pytest.approx(quality, abs=1e-9)
    assert (quality_of(1e-9), quality_of(1)) == (0, 100)


def test_a_file_keeps_quality_in_steps_of_a_half() -> None:
    assert [level_of(each) for each in (0, 0.5, 33.3, 100)] == [0, 1, 67, LEVELS - 1]
    assert [quality_of_level(each) for each in (0, 1, 67, LEVELS - 1)] == [0, 0.5, 33.5, 100]
    assert all(level_of(quality_of_level(each)) == each for each in range(LEVELS))
    for wrong in (-0.1, 100.1, math.nan):
        with pytest.raises(ValueError, match=r"quality is .*; it must be between 0 \(fewest bits\) and 100"):
            level_of(wrong)


def test_a_quality_takes_its_share_of_the_two_knots_beside_it() -> None:
    qualities = torch.linspace(0, 100, 4 * (KNOTS - 1) + 1, dtype=torch.double)
    weights = knot_weights(qualities)
    assert torch.allclose(weights.sum(1), torch.ones(len(qualities), dtype=torch.double))
    assert torch.equal(weights[::4], torch.eye(KNOTS, dtype=torch.double))
    assert int((weights > 0).sum(1).max()) == 2
    assert torch.allclose(weights @ torch.linspace(0, 100, KNOTS, dtype=torch.double), qualities)
