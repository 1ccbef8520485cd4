"""The measures are what their formulas say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfic.measuring.metrics import accuracy, cer, ms_ssim, psnr_db, word_accuracy

TEXTS = st.text("ab \n", max_size=8)


def levenshtein(a: str, b: str) -> int:
    """The definition, by recursion over prefixes."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_accuracy_is_one_minus_distance_over_the_longer_length(truth: str, read: str) -> None:
    longer = max(len(truth), len(read))
    expected = 1 - levenshtein(truth, read) / longer if longer else 1.0
    assert accuracy(truth, read) == pytest.approx(expected)


@given(TEXTS, TEXTS)
def test_blanks_at_line_ends_and_doubled_blanks_cost_nothing(truth: str, read: str) -> None:
    assert accuracy(truth, read) == accuracy(f" {truth} ", read.replace(" ", "  "))


def test_character_errors_are_counted_against_the_truth() -> None:
    assert cer("abcd", "abxd") == 0.25
    assert cer("ab", "abcdef") == 2.0
    assert cer("", "") == 0.0
    assert cer("", "a") == math.inf


def test_words_count_whole_and_a_line_break_parts_them_like_a_space() -> None:
    assert word_accuracy("one two\nthree", "one two three") == 1.0
    assert word_accuracy("one two three", "one tvo three four") == 0.5
    assert word_accuracy("one", "") == 0.0
    assert word_accuracy("", " ") == 1.0


def test_psnr_of_a_known_error_of_equal_images_and_of_a_region() -> None:
    x = np.zeros((4, 4, 3), np.uint8)
    off = x.copy()
    off[:2] = 255
    assert psnr_db(x, off) == pytest.approx(10 * math.log10(2))
    assert psnr_db(x, x) == math.inf
    upper = np.zeros((4, 4), bool)
    upper[:2] = True
    assert psnr_db(x, off, upper) == 0.0
    assert psnr_db(x, off, ~upper) == math.inf
    assert math.isnan(psnr_db(x, off, np.zeros((4, 4), bool)))
    with pytest.raises(ValueError, match="wants the same"):
        psnr_db(x, off[:3])


def test_ms_ssim_is_one_for_equal_images_falls_with_noise_and_is_unknown_for_small_ones() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (176, 176, 3), dtype=np.uint8)
    noisy = (x.astype(int) + rng.integers(-40, 40, x.shape)).clip(0, 255).astype(np.uint8)
    assert ms_ssim(x, x) == pytest.approx(1)
    assert ms_ssim(x, noisy) < 0.99
    assert math.isnan(ms_ssim(x[:160], x[:160]))
