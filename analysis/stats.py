"""Bootstrap intervals of means over test images, paired by image where two codecs are compared.

Test images differ far more from each other than codecs do on the same image, so a difference is always taken image
by image first. Intervals are percentiles of the means of resampled images (Efron 1979); they cover the difference
between images, and not that between trainings with other seeds. Ends so far out that few resamples lie beyond them, as
for the best of many codecs, are at least those of Student's t with the standard error of the resampled means.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.stats import t as student

RESAMPLES = 4000
"""Times the images are drawn again."""
FEW = 10
"""Resamples beyond an end that are too few to find it by."""


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval around it."""

    value: float
    """The estimate from the images themselves."""
    low: float
    """Lower end."""
    high: float
    """Upper end."""
    images: int
    """Images it rests on."""


def show(interval: Interval, unit: str = "", sign: bool = False, digits: int = 2) -> str:
    """An interval as text: value, then both ends in brackets."""
    how = f"{'+' if sign else ''}.{digits}f"
    text = f"{interval.value:{how}}{unit} [{interval.low:{how}}, {interval.high:{how}}]"
    return text.replace("-", "\N{MINUS SIGN}")


def confidence_of_best(count: int) -> float:
    """Confidence of each of `count` intervals from which the best is taken, 1 - 0.05 / count (Bonferroni).

    Without it a long sweep would find its best codec by luck.
    """
    return 1 - 0.05 / max(count, 1)


@lru_cache(maxsize=8)
def resamples(images: int, seed: int = 0) -> np.ndarray:
    """Share of each image in each resample: (RESAMPLES, images), rows sum to 1."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(images, np.full(images, 1 / images), size=RESAMPLES) / images


def mean(values: np.ndarray, confidence: float = 0.95, seed: int = 0) -> Interval:
    """The mean over images and its interval; images without a finite value are left out.

    Args:
        values: one value per image; for a comparison the paired difference, image by image.
        confidence: probability of the interval, in (0, 1); for the best of several codecs `confidence_of_best`.
        seed: same seed, same interval.

    Raises:
        ValueError: when no image has a finite value, or `confidence` is no probability.
    """
    values = _finite(values)
    return _interval(float(values.mean()), resamples(len(values), seed) @ values, confidence, len(values))


def ratio(above: np.ndarray, below: np.ndarray, confidence: float = 0.95, seed: int = 0) -> Interval:
    """Mean of `above` over mean of `below`, one value per image in each, the same images in the same order.

    Raises:
        ValueError: when the lengths differ, or no image has both values.
    """
    above, below = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    if above.shape != below.shape:
        raise ValueError(f"{above.shape} values over {below.shape}; a ratio pairs the same images in the same order")
    both = np.isfinite(above) & np.isfinite(below)
    above, below = _finite(above[both]), _finite(below[both])
    weights = resamples(len(above), seed)
    return _interval(float(above.mean() / below.mean()), (weights @ above) / (weights @ below), confidence, len(above))


def _finite(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    if len(values) == 0:
        raise ValueError("no image has a finite value here; there is nothing to average")
    return values


def _interval(value: float, resampled: np.ndarray, confidence: float, images: int) -> Interval:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence!r}; it must lie between 0 and 1, such as 0.95")
    low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    if (1 - confidence) / 2 * RESAMPLES < FEW and images > 1:
        error = float(resampled.std()) * np.sqrt(images / (images - 1))
        reach = float(student.isf((1 - confidence) / 2, images - 1)) * error
        low, high = min(low, value - reach), max(high, value + reach)
    # Summing in another order moves the last digit: equal images must give an interval that holds their mean.
    return Interval(value, min(float(low), value), max(float(high), value), images)
