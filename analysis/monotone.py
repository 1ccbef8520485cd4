"""A monotone cubic through a rate curve: the other reading of points that do not rise, beside their envelope.

The envelope (`analysis.bd`) keeps the luckiest point within each rate and is optimistic, the more so the more points
there are. A least-squares cubic over log2 of the rate that may not fall takes lucky and unlucky points alike. It is
written in Bernstein polynomials, where a cubic with coefficients that never fall is one that never falls.

Idea: CompressAI-Vision's curve fitting, which also makes non-monotone accuracy curves comparable; written anew.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import lsq_linear

from analysis.bd import Difference, NotComparable, common

FEWEST = 4
"""Points of different rates that a fit needs."""
STEPS = 201
"""Rates at which two fits are compared."""


@dataclass(frozen=True)
class Fit:
    """A cubic in log2 of the rate that never falls, between the least and the greatest rate of its points."""

    low: float
    """log2 of the least rate."""
    high: float
    """log2 of the greatest rate."""
    coefficients: np.ndarray
    """Its four Bernstein coefficients, which never fall."""

    def at(self, log_rates: np.ndarray) -> np.ndarray:
        """Quality at some log2 rates between `low` and `high`."""
        return _basis((np.asarray(log_rates) - self.low) / (self.high - self.low)) @ self.coefficients


def fit(bpp: np.ndarray, quality: np.ndarray) -> Fit | NotComparable:
    """The best monotone cubic through points, or why there is none.

    Raises:
        ValueError: for a rate that is not positive or a quality that is not finite.
    """
    bpp, quality = np.asarray(bpp, dtype=float), np.asarray(quality, dtype=float)
    if not (np.isfinite(bpp).all() and (bpp > 0).all() and np.isfinite(quality).all()):
        raise ValueError("a rate is not positive or a quality is not finite; leave such points out of a curve")
    count = len(np.unique(bpp))
    if count < FEWEST:
        return NotComparable(f"one of the curves has {count} different rates; a cubic needs {FEWEST}")
    logs = np.log2(bpp)
    low, high = float(logs.min()), float(logs.max())
    # coefficients as the first one and steps of at least 0
    steps = _basis((logs - low) / (high - low)) @ np.tril(np.ones((4, 4)))
    solved = lsq_linear(steps, quality, bounds=([-np.inf, 0, 0, 0], np.inf))
    return Fit(low, high, np.cumsum(solved.x))


def average_gain(
    bpp_a: np.ndarray, quality_a: np.ndarray, bpp_b: np.ndarray, quality_b: np.ndarray
) -> Difference | NotComparable:
    """Mean of B's fit minus A's over the log-rates that both cover, as `bd.average_gain` has it of envelopes."""
    a, b = fit(bpp_a, quality_a), fit(bpp_b, quality_b)
    if isinstance(a, NotComparable):
        return a
    if isinstance(b, NotComparable):
        return b
    shared = common(np.array([a.low, a.high]), np.array([b.low, b.high]), "rates")
    if isinstance(shared, NotComparable):
        return shared
    low, high = shared
    rates = np.linspace(low, high, STEPS)
    return Difference(float(np.mean(b.at(rates) - a.at(rates))), 2**low, 2**high)


def _basis(x: np.ndarray) -> np.ndarray:
    """The four cubic Bernstein polynomials at x in [0, 1], (points, 4)."""
    x = np.clip(x, 0.0, 1.0)
    return np.stack([(1 - x) ** 3, 3 * x * (1 - x) ** 2, 3 * x**2 * (1 - x), x**3], axis=-1)
