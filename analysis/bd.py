"""The distance between two rate curves: the average gain at equal rate, and the rate saved at equal quality.

Bjontegaard's two differences (VCEG-M33, 2001) with two departures, both because reading accuracy is no PSNR: it need
not rise with the rate, so each curve is first replaced by its envelope (the best value within the rate), and a cubic
fit can swing between points, so the envelope is joined by straight lines over log2 of the rate. And curves that
share too little of their range are refused with the reason, for a number there would be extrapolated.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LEAST_SHARE = 0.5
"""Curves compare when they share at least this part of the shorter one's range."""
Curve = tuple[np.ndarray, np.ndarray]
"""The x and the y of a curve's knots, by rising x."""
ValueAt = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""The y of a curve, given as its x and y, at some x."""


@dataclass(frozen=True)
class Difference:
    """An average difference between two curves and where it was taken."""

    value: float
    """Average of B minus A: in the units of the quality, or for `rate_saving` the part of the rate that B saves."""
    low: float
    """Lower end of the common range: a rate in bpp, or for `rate_saving` a quality."""
    high: float
    """Upper end of the common range."""


@dataclass(frozen=True)
class NotComparable:
    """Two curves that share too little to be compared."""

    why: str
    """The reason, as a sentence."""


def envelope(bpp: np.ndarray, quality: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best quality at or below each rate: (log2 rates, strictly rising; qualities, never falling).

    Raises:
        ValueError: for a rate that is not positive, a quality that is not finite, or arrays of different lengths.
    """
    bpp, quality = np.asarray(bpp, dtype=float), np.asarray(quality, dtype=float)
    if bpp.shape != quality.shape or bpp.ndim != 1 or len(bpp) == 0:
        raise ValueError(
            f"rates of shape {bpp.shape} and qualities of shape {quality.shape}; wanted one quality per rate"
        )
    if not (np.isfinite(bpp).all() and (bpp > 0).all() and np.isfinite(quality).all()):
        raise ValueError("a rate is not positive or a quality is not finite; leave such points out of a curve")
    rates = np.unique(bpp)
    best = np.array([quality[bpp == rate].max() for rate in rates])
    return np.log2(rates), np.maximum.accumulate(best)


def average_gain(
    bpp_a: np.ndarray, quality_a: np.ndarray, bpp_b: np.ndarray, quality_b: np.ndarray
) -> Difference | NotComparable:
    """Mean of B's quality minus A's over the log-rates that both curves cover; above 0, B is better."""
    found = _average(envelope(bpp_a, quality_a), envelope(bpp_b, quality_b), np.interp, "rates")
    if isinstance(found, NotComparable):
        return found
    return Difference(found.value, 2**found.low, 2**found.high)


def rate_saving(
    bpp_a: np.ndarray, quality_a: np.ndarray, bpp_b: np.ndarray, quality_b: np.ndarray
) -> Difference | NotComparable:
    """Part of A's rate that B saves at equal quality, 1 - 2^(mean log2 ratio): 0.3 is 30 % fewer bits, below 0 more."""
    a, b = envelope(bpp_a, quality_a)[::-1], envelope(bpp_b, quality_b)[::-1]
    found = _average(a, b, _rate_for, "qualities")
    if isinstance(found, NotComparable):
        return found
    return Difference(1 - 2**found.value, found.low, found.high)


def common(a: np.ndarray, b: np.ndarray, axis: str) -> tuple[float, float] | NotComparable:
    """The range that both (low, high) share, or why it is too little."""
    if a[0] == a[1] or b[0] == b[1]:
        return NotComparable(f"one of the curves has only a single point in its {axis}; each needs two that differ")
    low, high = max(a[0], b[0]), min(a[1], b[1])
    share = (high - low) / min(a[1] - a[0], b[1] - b[0])
    if share < LEAST_SHARE:
        return NotComparable(
            f"the curves share {max(share, 0.0):.0%} of the shorter one's range of {axis}; "
            f"below {LEAST_SHARE:.0%} no average is given"
        )
    return float(low), float(high)


def _average(a: Curve, b: Curve, value_at: ValueAt, axis: str) -> Difference | NotComparable:
    """Mean of curve b minus curve a over the range of x that both cover; `axis` names x.

    Both are straight lines between neighbouring knots, so their value at the middle of a piece is their mean there.
    """
    shared = common(a[0][[0, -1]], b[0][[0, -1]], axis)
    if isinstance(shared, NotComparable):
        return shared
    low, high = shared
    knots = np.unique(np.clip(np.concatenate([a[0], b[0]]), low, high))
    middles = (knots[:-1] + knots[1:]) / 2
    difference = value_at(middles, *b) - value_at(middles, *a)
    return Difference(float(np.average(difference, weights=np.diff(knots))), low, high)


def _rate_for(quality: np.ndarray, best: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Least log2 rate at which the envelope reaches each quality; a plateau costs its left end."""
    right = np.clip(np.searchsorted(best, quality), 1, len(best) - 1)
    rise = best[right] - best[right - 1]
    return rates[right - 1] + (quality - best[right - 1]) / rise * (rates[right] - rates[right - 1])
