"""The rate at which each family of codecs loses a stated part of the reading: the table to choose by.

For each reader and each loss in percentage points against uncompressed, the least rate of a family's envelope that
keeps the rest, along straight lines over the log of the rate. Intervals are a bootstrap over pages: with each draw of
pages rates, accuracies, the reference and so the crossing are taken anew, the same pages for all families. The
envelope takes the best of a family's codecs, so a family of many has an advantage; intervals do not hold it.
"""

from dataclasses import dataclass

import numpy as np

from analysis import stats
from analysis.curves import by_family
from analysis.matched import by_image
from analysis.readers import metrics
from analysis.stats import Interval
from analysis.sweep_data import SweepData, lossy

LOSSES = (0.5, 1.0, 2.0, 5.0)
"""Losses of accuracy against uncompressed, in percentage points."""
CONFIDENCE = 0.95
"""Probability of each interval."""


@dataclass(frozen=True)
class RateAtLoss:
    """The rate of a family at one loss for one reader."""

    reader: str
    """Name of the reader."""
    loss: float
    """Accuracy lost against uncompressed, in percentage points."""
    family: str
    """Family of codecs."""
    bpp: Interval
    """The rate; an end is inf where pages drawn again let no codec of the family keep so much."""
    codec: str
    """Trial key of the measured codec with the least rate that keeps so much."""
    saved: Interval | None
    """Part of this family's bits, in percent, that the family with the least rate at the same loss saves; None for
    that family itself."""


def table(data: SweepData) -> dict[str, list[RateAtLoss]]:
    """For each reader that read the uncompressed images every loss and family that reaches it; none where none does.

    Losses are in the order of LOSSES, and families by their rate, least first.
    """
    reference = data.kind("uncompressed")
    if reference.empty:
        return {}
    found: dict[str, list[RateAtLoss]] = {}
    bits = by_image(data.rows, "bpp")
    for name, metric in metrics(data.points).items():
        # a codec that this reader did not read takes no part; a page that one lacks is left out for all
        accuracy = by_image(data.rows, metric).dropna(axis="columns", how="all")
        whole = accuracy.notna().all(axis=1)
        first = reference.iloc[0]["trial_key"]
        if first not in accuracy or not whole.any():
            continue
        found[name] = []
        weights = stats.resamples(int(whole.sum()))
        weights = np.vstack([np.full(weights.shape[1], 1 / weights.shape[1]), weights])
        bar = weights @ accuracy.loc[whole, first].to_numpy()
        curves = {}
        for family, own in by_family(lossy(data.points)):
            keys = [key for key in own.sort_values("bpp")["trial_key"] if key in accuracy]
            if not keys:
                continue
            curves[family] = (
                keys,
                weights @ bits.loc[whole, keys].to_numpy(),
                weights @ accuracy.loc[whole, keys].to_numpy(),
            )
        for loss in LOSSES:
            rates = {family: crossing(rate, reads, bar - loss / 100) for family, (_, rate, reads) in curves.items()}
            reaching = sorted((family for family in rates if np.isfinite(rates[family][0])), key=lambda f: rates[f][0])
            for family in reaching:
                keys, _, reads = curves[family]
                codec = keys[int(np.argmax(reads[0] >= bar[0] - loss / 100))]
                images, first = int(whole.sum()), rates[reaching[0]]
                saved = None if family == reaching[0] else _saved(first, rates[family], images)
                found[name].append(RateAtLoss(name, loss, family, _interval(rates[family], images), codec, saved))
    return found


def crossing(bpp: np.ndarray, accuracy: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The least rate at which the envelope of each row's codecs reaches what is wanted; inf where it never does.

    Args:
        bpp: (draws, codecs) by rising rate.
        accuracy: (draws, codecs).
        wanted: (draws,).
    """
    best = np.maximum.accumulate(accuracy, axis=1)
    reached = best >= wanted[:, None]
    rows, right = np.arange(len(bpp)), reached.argmax(axis=1)
    left = np.maximum(right - 1, 0)
    logs = np.log2(bpp)
    rise = best[rows, right] - best[rows, left]
    share = np.divide(wanted - best[rows, left], rise, out=np.ones(len(bpp)), where=rise > 0)
    found = 2 ** (logs[rows, left] + np.clip(share, 0, 1) * (logs[rows, right] - logs[rows, left]))
    return np.where(reached.any(axis=1), found, np.inf)


def _saved(first: np.ndarray, rival: np.ndarray, images: int) -> Interval:
    """Percent of the rival's bits that the first saves; 100 or -inf where only one of both reaches the loss."""
    both = np.isfinite(first) & np.isfinite(rival)
    saved = np.where(np.isfinite(first), 100.0, np.where(np.isfinite(rival), -np.inf, 0.0))
    saved[both] = 100 * (1 - first[both] / rival[both])
    return _interval(saved, images)


def _interval(values: np.ndarray, images: int) -> Interval:
    """The first value, of the pages as they are, with the interval of the others."""
    low, high = np.quantile(values[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], method="nearest")
    return Interval(float(values[0]), min(float(low), float(values[0])), max(float(high), float(values[0])), images)
