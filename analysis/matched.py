"""The baseline at the rate of another codec, image by image.

Two trained codecs never land on the same rate. Between two baselines the baseline is interpolated for each image over
the log of their mean rates. Outside their range nothing is extrapolated: the nearest end stands in, and
`RateMatched.bits` says whether it has more bits (so that a win against it is safe) or fewer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class RateMatched:
    """One measured codec, or a mixture of two, at the rate of another codec."""

    weights: dict[str, float]
    """Trial keys and their shares, which sum to 1."""
    bpp: float
    """Its mean rate."""
    bits: Literal["equal", "more", "fewer"]
    """Its rate against the asked one."""


def match_rate(points: pd.DataFrame, bpp: float) -> RateMatched:
    """The mixture of `points` (rows with trial_key and bpp, one family) at rate `bpp`.

    Raises:
        ValueError: when there are no points.
    """
    if points.empty:
        raise ValueError("no point to compare with; a sweep needs a finished pre-training (gamma 0) for that")
    curve = points.drop_duplicates("bpp").sort_values("bpp")
    keys, rates = curve["trial_key"].tolist(), curve["bpp"].to_numpy(dtype=float)
    if bpp < rates[0]:
        return RateMatched({keys[0]: 1.0}, rates[0], "more")
    if bpp > rates[-1]:
        return RateMatched({keys[-1]: 1.0}, rates[-1], "fewer")
    right = int(np.searchsorted(rates, bpp))
    if rates[right] == bpp:
        return RateMatched({keys[right]: 1.0}, bpp, "equal")
    share = float(np.log(bpp / rates[right - 1]) / np.log(rates[right] / rates[right - 1]))
    return RateMatched({keys[right - 1]: 1 - share, keys[right]: share}, bpp, "equal")


def by_image(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One metric as (images, trial keys); inf (a picture without any error) becomes nan."""
    table = rows.pivot(index="image", columns="trial_key", values=metric)
    return table.replace([np.inf, -np.inf], np.nan)


def matched_values(table: pd.DataFrame, matched: RateMatched) -> np.ndarray:
    """The matched codec's value for each image of a `by_image` table."""
    parts = (weight * table[key].to_numpy() for key, weight in matched.weights.items())
    return sum(parts, start=np.zeros(len(table)))


def mean_gains(table: pd.DataFrame, pairs: Sequence[tuple[pd.Series, RateMatched]]) -> np.ndarray:
    """Codecs less those that are matched to them, for each image of a `by_image` table, averaged over the pairs."""
    return np.mean([table[row["trial_key"]].to_numpy() - matched_values(table, other) for row, other in pairs], axis=0)


def differences(
    rows: pd.DataFrame, own: str, others: Sequence[str], metrics: Sequence[str]
) -> tuple[RateMatched, pd.DataFrame]:
    """A measured codec less another at its rate, image by image: (images, metrics), nan where one has no value.

    Args:
        rows: one row per image and trial key, with `image`, `trial_key`, `bpp` and the metrics.
        own: trial key of the codec.
        others: trial keys of the other one, one for each rate at which it is measured.
        metrics: names of columns.
    """
    rates = rows.groupby("trial_key")["bpp"].mean()
    points = pd.DataFrame({"trial_key": list(others), "bpp": rates[list(others)].to_numpy()})
    matched = match_rate(points, float(rates[own]))
    tables = {metric: by_image(rows, metric) for metric in metrics}
    gains = {metric: table[own].to_numpy() - matched_values(table, matched) for metric, table in tables.items()}
    return matched, pd.DataFrame(gains, index=next(iter(tables.values())).index)


def nearest(points: pd.DataFrame, bpp: float) -> pd.Series | None:
    """The measured point whose rate is nearest in ratio; of equally near ones the one that reads better."""
    if points.empty:
        return None
    distance = np.abs(np.log(points["bpp"] / bpp)).round(6)
    order = pd.DataFrame({"distance": distance, "accuracy": -points["accuracy"]}).sort_values(["distance", "accuracy"])
    return points.loc[order.index[0]]
