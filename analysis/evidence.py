"""A sweep's points and rows, arranged for comparing: the baselines, the tuned codecs, and who stands against whom."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.matched import Partner, at_partner, by_image, partner

LOW_RATE = 0.9
"""A rate is low where the baseline reads less than this part of what is read uncompressed."""


@dataclass(frozen=True)
class Evidence:
    """A sweep's points and rows, arranged for the claims."""

    points: pd.DataFrame
    """As in `runs.Sweep`."""
    rows: pd.DataFrame
    """As from `runs.rows`."""

    def kind(self, kind: str) -> pd.DataFrame:
        """Points of that kind by rising rate."""
        return self.points[self.points["kind"] == kind].sort_values("bpp")

    def baselines_for(self, point: pd.Series) -> pd.DataFrame:
        """The baselines of the same codec as `point`."""
        baselines = self.kind("pretrain")
        return baselines[baselines["codec"] == point["codec"]]

    def pairs(self) -> list[tuple[pd.Series, Partner]]:
        """Each TFIC point with the baseline at its rate."""
        tuned = [row for _, row in self.kind("finetune").iterrows()]
        return [(row, partner(own, row["bpp"])) for row in tuned if not (own := self.baselines_for(row)).empty]

    def reference(self, metric: str) -> np.ndarray | None:
        """The uncompressed reference's value for each image."""
        keys = self.kind("uncompressed")["trial_key"].tolist()
        return by_image(self.rows, metric)[keys[0]].to_numpy() if keys else None

    def low(self) -> list[tuple[pd.Series, Partner]]:
        """The pairs at low rate whose baseline has no fewer bits than TFIC."""
        accuracy, reference = by_image(self.rows, "accuracy"), self.reference("accuracy")
        if reference is None:
            return []
        bar = LOW_RATE * np.nanmean(reference)
        return [
            (row, who)
            for row, who in self.pairs()
            if who.bits != "fewer" and np.nanmean(at_partner(accuracy, who)) < bar
        ]
