"""The loss is the formula, checked against enumeration."""

import itertools
import math

import pytest
import torch

from tfic.training import losses


def test_distortion_is_mse_on_the_scale_of_255() -> None:
    x = torch.zeros(2, 3, 4, 4)
    assert losses.distortion(x, x + 0.1).item() == pytest.approx(255**2 * 0.01)


def test_rate_is_bits_over_pixels_of_the_batch() -> None:
    assert losses.rate(torch.tensor(96.0), torch.zeros(2, 3, 4, 6)).item() == 2.0


def test_reading_is_the_likelihood_of_all_paths_that_spell_the_text_per_character() -> None:
    torch.manual_seed(0)
    log_p = torch.randn(2, 4, 3).log_softmax(-1)
    targets = [[1, 2], [1, 1]]

    def spelt(path: tuple[int, ...]) -> list[int]:
        return [k for k, before in zip(path, (0, *path[:-1]), strict=True) if k not in (before, 0)]

    total = 0.0
    for line, target in enumerate(targets):
        paths = [path for path in itertools.product(range(3), repeat=4) if spelt(path) == target]
        total -= math.log(sum(math.exp(sum(log_p[line, t, k].item() for t, k in enumerate(path))) for path in paths))
    assert losses.reading(log_p, targets).item() == pytest.approx(total / 4, rel=1e-5)


def test_a_double_letter_needs_a_step_for_the_blank_between() -> None:
    assert losses.ctc_steps([1, 2, 3]) == 3
    assert losses.ctc_steps([1, 1, 2, 2]) == 6


@pytest.mark.parametrize("target", [[], [1, 1, 1]])
def test_a_text_without_likelihood_is_refused(target: list[int]) -> None:
    with pytest.raises(ValueError, match=f"{len(target)} characters cannot be spelt in 4 steps"):
        losses.reading(torch.zeros(1, 4, 3).log_softmax(-1), [target])
