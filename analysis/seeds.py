"""Trainings with other seeds: their spread beside the interval over pages, which says nothing of it."""

from dataclasses import dataclass

import pandas as pd

from analysis import stats
from analysis.matched import by_image
from analysis.sweep_data import SweepData

SAME = ["kind", "codec", "stage_1", "warm_lmbda", "continued", "lmbda", "gamma", "settings"]
"""Columns in which trainings agree that differ in the seed alone."""


@dataclass(frozen=True)
class Spread:
    """One training with several seeds."""

    label: str
    """Name of the codec, without a seed."""
    family: str
    """Its family."""
    seeds: int
    """Trainings."""
    accuracy: float
    """Mean of their accuracies."""
    accuracy_sd: float
    """Standard deviation of their accuracies."""
    pages: float
    """Half of the width of the 95 % interval over pages, mean of the trainings."""
    bpp: float
    """Mean of their rates."""
    bpp_sd: float
    """Standard deviation of their rates."""


def spreads(data: SweepData) -> list[Spread]:
    """Each training that was made with several seeds, by rate."""
    if "seed" not in data.points:
        return []
    trained = data.points.dropna(subset=["seed"])
    trained = trained.assign(settings=trained["variant"].str.replace(r" ?seed [\d.]+", "", regex=True))
    table = by_image(data.rows, "accuracy")
    found = []
    for _, own in trained.groupby(SAME, sort=False, dropna=False):
        if own["seed"].nunique() > 1:
            found.append(_spread(own, table))
    return sorted(found, key=lambda each: each.bpp)


def _spread(own: pd.DataFrame, table: pd.DataFrame) -> Spread:
    intervals = [stats.mean(table[key].to_numpy()) for key in own["trial_key"]]
    first = own.iloc[0]
    return Spread(
        label=pd.Series([first["label"]]).str.replace(r" seed [\d.]+", "", regex=True).iloc[0],
        family=first["family"],
        seeds=int(own["seed"].nunique()),
        accuracy=float(own["accuracy"].mean()),
        accuracy_sd=float(own["accuracy"].std(ddof=1)),
        pages=sum(each.high - each.low for each in intervals) / (2 * len(intervals)),
        bpp=float(own["bpp"].mean()),
        bpp_sd=float(own["bpp"].std(ddof=1)),
    )
