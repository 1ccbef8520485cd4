"""The TFIC codecs that lead most over codecs trained without the task: over a measured one, and at equal rate.

A lead is that of a task's measure: reading accuracy, or the F1 score of detection. Whoever judges it, it is found by
the same code.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import stats
from analysis.matched import RateMatched, by_image, matched_values
from analysis.sweep_data import SweepData
from tfic.task_names import TASKS


@dataclass(frozen=True)
class BestPair:
    """A TFIC codec beside the measured baseline that compares with it."""

    tuned: pd.Series
    """The TFIC point."""
    baseline: pd.Series
    """The cheapest baseline with no fewer bits; the costliest one where there is none such."""
    gain: stats.Interval
    """The task's measure, TFIC minus baseline, paired by image."""
    fair: bool
    """The baseline has no fewer bits."""
    task: str = "reading"
    """The machine task."""

    @property
    def metric(self) -> str:
        """The task's measure."""
        return TASKS[self.task].metric

    @property
    def called(self) -> str:
        """What the baseline is."""
        return "control" if self.baseline["kind"] == "control" else "baseline"

    @property
    def weights(self) -> dict[str, float]:
        """The difference of the two, as `judged.judged` takes it."""
        return {self.tuned["trial_key"]: 1.0, self.baseline["trial_key"]: -1.0}


@dataclass(frozen=True)
class Lead:
    """The lead of a TFIC codec over the baseline interpolated at its rate."""

    tuned: pd.Series
    """The TFIC point."""
    baseline: RateMatched
    """The baseline."""
    own: float
    """The measure of the TFIC codec, mean over the images."""
    other: float
    """That of the baseline."""
    gain: stats.Interval
    """Their difference, paired by image, with an interval that is widened for the choice of the best."""

    @property
    def weights(self) -> dict[str, float]:
        """The difference of the two, as `judged.judged` takes it."""
        return {self.tuned["trial_key"]: 1.0} | {key: -weight for key, weight in self.baseline.weights.items()}


def best_pair(data: SweepData, task: str = "reading") -> BestPair | None:
    """The TFIC codec with the greatest lower end of its gain over a measured baseline of no fewer bits.

    Codecs that lack such a baseline come after all that have one; None without any pair that the task was measured of.
    The interval is widened for the choice among all TFIC codecs.
    """
    metric = TASKS[task].metric
    table = by_image(data.rows, metric)
    codecs = data.kind("finetune").dropna(subset=metric)
    confidence = data.confidence_of_best(len(codecs))
    pairs = []
    for _, tuned in codecs.iterrows():
        baselines = data.baselines_for(tuned).dropna(subset=metric)
        if baselines.empty:
            continue
        enough = baselines[baselines["bpp"] >= tuned["bpp"]]
        baseline = baselines.iloc[-1] if enough.empty else enough.iloc[0]
        difference = (table[tuned["trial_key"]] - table[baseline["trial_key"]]).to_numpy()
        if np.isfinite(difference).any():
            pairs.append(BestPair(tuned, baseline, stats.mean(difference, confidence), not enough.empty, task))
    return max(pairs, key=lambda each: (each.fair, each.gain.low), default=None)


def leads(data: SweepData, metric: str, pairs: Sequence[tuple[pd.Series, RateMatched]]) -> list[Lead]:
    """The lead of each pair in a measure, without pairs that it was not measured of."""
    table = by_image(data.rows, metric)
    values = [(table[row["trial_key"]].to_numpy(), matched_values(table, baseline)) for row, baseline in pairs]
    known = [place for place, (own, other) in enumerate(values) if np.isfinite(own - other).any()]
    confidence = data.confidence_of_best(len(known))
    return [
        Lead(*pairs[place], np.nanmean(own), np.nanmean(other), stats.mean(own - other, confidence))
        for place, (own, other) in ((place, values[place]) for place in known)
    ]


def greatest(some: Sequence[Lead]) -> Lead:
    """The lead whose interval has the greatest lower end; the first of equal ones."""
    return max(some, key=lambda each: each.gain.low)
