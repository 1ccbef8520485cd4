"""The codecs of a large sweep that its report draws: all that one compares with, and the best of the fine-tunings.

The table of `analysis.pareto` has every codec. In the report, too, choices by means (the cheapest codec, hypervolumes,
importance) are made among all; figures, intervals and pictures are of the drawn ones.
"""

import numpy as np
import pandas as pd

from analysis.front import front_of
from analysis.readers import metrics
from tfic.measuring.row import MEASURES

LIMIT = 300
"""Fine-tunings that are drawn at most."""
SPREAD = 0.2
"""The part of them that is spread evenly over the rates, whatever they read, so that the rest is seen too."""


def drawn(points: pd.DataFrame, limit: int = LIMIT) -> pd.DataFrame:
    """The points to draw: all kinds but fine-tunings, and at most `limit` of these.

    Fronts of rate with each reader's accuracy and with PSNR are peeled off one after the other: first the codecs that
    no other beats, then those that only these beat, and so on.
    """
    tuned = points[points["kind"] == "finetune"].sort_values(["bpp", "trial_key"])
    if len(tuned) <= limit:
        return points
    spread = np.unique(np.linspace(0, len(tuned) - 1, int(limit * SPREAD)).round().astype(int))
    taken = np.zeros(len(tuned), dtype=bool)
    taken[spread] = True
    seconds = [*metrics(tuned).values(), "psnr_db"]
    while taken.sum() < limit:
        layer = _layer(tuned, taken, seconds)
        room = limit - taken.sum()
        taken[layer if len(layer) <= room else layer[np.linspace(0, len(layer) - 1, room).round().astype(int)]] = True
    return points[(points["kind"] != "finetune") | points["trial_key"].isin(tuned.loc[taken, "trial_key"])]


def _layer(tuned: pd.DataFrame, taken: np.ndarray, seconds: list[str]) -> np.ndarray:
    """Places of the codecs on a front of rate and any of `seconds` among those not taken yet, by rising rate."""
    left = np.flatnonzero(~taken)
    among = tuned.iloc[left]
    best = np.zeros(len(left), dtype=bool)
    for name in seconds:
        best |= front_of([among["bpp"], among[name]], [-1, MEASURES[name].sign])
    return left[best] if best.any() else left


def sentence(points: pd.DataFrame, shown: pd.DataFrame) -> str:
    """What the report draws and what it sums up; "" where it draws all."""
    left = len(points) - len(shown)
    if not left:
        return ""
    tuned = int((shown["kind"] == "finetune").sum())
    return (
        f"Of {len(points):,} codecs {len(shown):,} are drawn, with intervals and in the table of points: all baselines "
        f"and classical codecs, and {tuned} fine-tunings, most of them those that no other, or fewest others, beat at "
        f"their rate. The {left:,} others count in the choice of the cheapest, in hypervolumes, averages, importance "
        "and the surface, and widen the intervals of the best; `python -m analysis.pareto` lists all."
    )
