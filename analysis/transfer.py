"""The transfer matrix: what codecs gain that were trained against some readers, as each reader of the sweep sees it.

A cell is a group of fine-tunings with the same `train.readers` and `train.tasks`, read by one reader: accuracy minus
that of the control
(or the baseline) at equal rate, page by page, first averaged over the group's codecs, then over pages with a paired
bootstrap. Codecs outside of the rates of their controls take no part. On the diagonal a reader judges codecs that were
trained against itself; a gain off it is one that the codec did not learn from that reader.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import readers, stats
from analysis.matched import by_image, matched_values
from analysis.sweep_data import SweepData


@dataclass(frozen=True)
class Cell:
    """Codecs trained against some readers, read by one."""

    trained: str
    """The readers that they were trained against, for people."""
    read_by: str
    """The reader, for people."""
    own: bool
    """They were trained against this reader, alone or with others."""
    gain: stats.Interval
    """Accuracy minus that of the control at equal rate."""
    gains: Mapping[str, float]
    """The same of each codec in the mean, by its trial key, over the same pages: their mean is that of `gain`."""

    @property
    def codecs(self) -> int:
        """Codecs in the mean."""
        return len(self.gains)


def matrix(data: SweepData) -> list[Cell]:
    """The cells by group and reader, empty where fewer than two groups have a control at their rate."""
    if "trained_against" not in data.points:
        return []
    pairs = [(row, control) for row, control in data.pairs() if control.bits == "equal" and row["trained_against"]]
    groups = sorted({group_of(row) for row, _ in pairs}, key=lambda group: (len(readers.against(group[0])), group))
    if len(groups) < 2:
        return []
    by = {name: by_image(data.rows, metric) for name, metric in readers.measured(data.points).items()}
    found = []
    for group in groups:
        for named, table in by.items():
            name = readers.FIRST if named == readers.TRAINING else named
            gains = {
                str(row["trial_key"]): table[row["trial_key"]].to_numpy() - matched_values(table, control)
                for row, control in pairs
                if group_of(row) == group
            }
            known = {key: own for key, own in gains.items() if np.isfinite(own).any()}
            if known and np.isfinite(list(known.values())).all(axis=0).any():
                mine = name in readers.against(group[0])
                found.append(cell_of(readers.against_title(*group), readers.title(name), mine, known))
    return found


def cell_of(trained: str, read_by: str, own: bool, gains: Mapping[str, np.ndarray]) -> Cell:
    """The cell of codecs whose gains are given page by page; pages that one of them lacks take no part."""
    table = np.array(list(gains.values()))
    means = table[:, np.isfinite(table).all(axis=0)].mean(axis=1)
    return Cell(trained, read_by, own, stats.mean(table.mean(axis=0)), dict(zip(gains, means.tolist(), strict=True)))


def group_of(row: pd.Series) -> tuple[str, str]:
    """The readers and the tasks that a codec was trained for."""
    return str(row["trained_against"]), str(row["trained_for"])
