"""The points and rows of a sweep, and the pairs of codecs that the claims and the verdict compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from analysis import readers, stats, trainings
from analysis.matched import RateMatched, by_image, match_rate, matched_values

LOW_RATE = 0.9
"""A rate is low where the baseline reads less than this part of what is read uncompressed."""


@dataclass(frozen=True)
class SweepData:
    """The points and rows of a sweep."""

    points: pd.DataFrame
    """As in `runs.Sweep`."""
    rows: pd.DataFrame
    """As from `runs.rows`."""
    others: int = 0
    """TFIC codecs of the sweep that are not among the points; the choice of the best was among them too."""
    needed: Mapping[str, str] | None = None
    """Measures of the held-out readers that a verdict needs, by name; None for all that read."""

    @cached_property
    def heldout(self) -> Mapping[str, str]:
        """Measures of the held-out readers that a verdict needs, by name."""
        every = {name: each for name, each in readers.measured(self.points).items() if name != readers.TRAINING}
        return every if self.needed is None else self.needed

    def confidence_of_best(self, count: int) -> float:
        """Confidence of each interval of `count` codecs here from which the best is taken."""
        return stats.confidence_of_best(count + self.others)

    def kind(self, kind: str) -> pd.DataFrame:
        """Points of that kind by rising rate."""
        return self.points[self.points["kind"] == kind].sort_values("bpp")

    def baselines_for(self, point: pd.Series) -> pd.DataFrame:
        """The codecs trained without reading that `point` is compared with, by rising rate.

        They are the controls of the same training (`trainings.columns`), which have trained as long as it has; without
        any, the baselines. Of several seeds it is the one of `point`.
        """
        own = self._untuned.get((point["codec"], point["stage_1"]), self.points.iloc[:0])
        own = own[trainings.same_start(own, point)]
        controls = own[(own["kind"] == "control") & (own["continued"] == point["continued"])]
        own = own[own["kind"] == "pretrain"] if controls.empty else controls
        if "seed" not in own or own["seed"].nunique() < 2 or not (own["seed"] == point["seed"]).any():
            return own
        return own[own["seed"] == point["seed"]]

    def pairs(self) -> list[tuple[pd.Series, RateMatched]]:
        """Each TFIC point with the control at its rate, or the baseline where there is no control."""
        return self._pairs

    def opponent(self, pairs: Sequence[tuple[pd.Series, RateMatched]]) -> str:
        """What the TFIC points of the pairs are compared with, in a word."""
        kinds = {kind for point, _ in pairs for kind in self.baselines_for(point)["kind"]}
        return {frozenset({"control"}): "control", frozenset({"pretrain"}): "baseline"}.get(
            frozenset(kinds), "control or baseline"
        )

    @cached_property
    def _untuned(self) -> dict[tuple[str, str], pd.DataFrame]:
        """Controls and baselines by codec and stage 1, by rising rate."""
        kinds = self.points[self.points["kind"].isin(["control", "pretrain"])].sort_values("bpp")
        return {(str(codec), str(stage_1)): own for (codec, stage_1), own in kinds.groupby(["codec", "stage_1"])}

    @cached_property
    def _pairs(self) -> list[tuple[pd.Series, RateMatched]]:
        tuned = [row for _, row in self.kind("finetune").iterrows()]
        return [(row, match_rate(own, row["bpp"])) for row in tuned if not (own := self.baselines_for(row)).empty]

    def low_rate_pairs(self) -> list[tuple[pd.Series, RateMatched]]:
        """The pairs at low rate whose baseline has no fewer bits than TFIC."""
        accuracy, reference = by_image(self.rows, "accuracy"), self.reference("accuracy")
        if reference is None:
            return []
        bar = LOW_RATE * np.nanmean(reference)
        return [
            (row, baseline)
            for row, baseline in self.pairs()
            if baseline.bits != "fewer" and np.nanmean(matched_values(accuracy, baseline)) < bar
        ]

    def reference(self, metric: str) -> np.ndarray | None:
        """The uncompressed reference's value for each image."""
        keys = self.kind("uncompressed")["trial_key"].tolist()
        return by_image(self.rows, metric)[keys[0]].to_numpy() if keys else None


def lossy(points: pd.DataFrame) -> pd.DataFrame:
    """The points that are codecs: all but the uncompressed reference."""
    return points[points["kind"] != "uncompressed"]
