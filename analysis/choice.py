"""The codec that keeps within limits of rate, reading and time, and how sure its reading is."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import runs, stats
from analysis.matched import by_image
from analysis.sweep_data import lossy
from tfic.measuring.row import MEASURES
from tfic.reader_names import FURTHER_READERS
from tfic.task_names import FURTHER_TASKS, TASKS

LOOKED_AT = 40
"""Of the codecs that fit, so many of the cheapest are looked at for one whose whole interval fits."""


@dataclass(frozen=True)
class Limits:
    """What a codec must keep to; None for what does not matter."""

    max_bpp: float | None = None
    """Most bits per pixel."""
    min_accuracy: float | None = None
    """Least accuracy of the reader, 0 to 1."""
    max_encode_ms: float | None = None
    """Longest mean time to encode a page."""

    def __post_init__(self) -> None:
        if (self.max_bpp, self.min_accuracy, self.max_encode_ms) == (None, None, None):
            raise ValueError("no limit is given; give --max-bpp, --min-accuracy or --max-encode-ms")
        for name, value in (("max-bpp", self.max_bpp), ("max-encode-ms", self.max_encode_ms)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"--{name} is {value:g}; it must be a positive number")
        if self.min_accuracy is not None and not 0 <= self.min_accuracy <= 1:
            raise ValueError(f"--min-accuracy is {self.min_accuracy:g}; it must lie between 0 and 1, such as 0.95")

    def of(self, metric: str) -> dict[str, float]:
        """The limits that are given, by measure."""
        found = {"bpp": self.max_bpp, metric: self.min_accuracy, "encode_ms": self.max_encode_ms}
        return {name: value for name, value in found.items() if value is not None}

    def text(self, metric: str) -> str:
        """The limits in words."""
        signs = {1: "at least", -1: "at most"}
        return ", ".join(
            f"{MEASURES[name].label} {signs[MEASURES[name].sign]} {value:g} {MEASURES[name].unit}".strip()
            for name, value in self.of(metric).items()
        )


@dataclass(frozen=True)
class Miss:
    """A codec that fails the limits by least."""

    point: pd.Series
    """The codec."""
    why: list[str]
    """Each limit that it fails, with its own value."""


@dataclass(frozen=True)
class Sureness:
    """What intervals over the pages say of a choice."""

    accuracy: stats.Interval
    """The accuracy of the chosen codec."""
    safe: pd.Series | None
    """The cheapest codec whose whole interval fits, if there is one."""
    rival: pd.Series | None
    """The cheapest codec of another family that fits."""
    fewer_bits: stats.Interval | None
    """Bits of the chosen codec over those of the rival, minus one, in percent."""


def readers(points: pd.DataFrame) -> dict[str, str]:
    """The accuracy of each reader that read in a sweep, as a column, by the reader's name; other tasks by theirs."""
    columns = {"training": "accuracy"} | {name: f"accuracy_{name}" for name in ("heldout", *FURTHER_READERS)}
    columns |= {name: TASKS[name].metric for name in FURTHER_TASKS}
    return {name: column for name, column in columns.items() if column in points and points[column].notna().any()}


def choose(points: pd.DataFrame, limits: Limits, metric: str) -> pd.DataFrame:
    """The codecs that keep all limits: cheapest first with a least accuracy, else the best reading first."""
    codecs = lossy(points)
    fits = np.ones(len(codecs), dtype=bool)
    for name, value in limits.of(metric).items():
        fits &= (MEASURES[name].sign * (codecs[name] - value) >= 0).to_numpy()
    order = ["bpp", metric] if limits.min_accuracy is not None else [metric, "bpp"]
    rising = [MEASURES[name].sign < 0 for name in order]
    return codecs[fits].dropna(subset=[metric]).sort_values([*order, "trial_key"], ascending=[*rising, True])


def nearest_miss(points: pd.DataFrame, limits: Limits, metric: str) -> Miss | None:
    """The codec whose largest failure, as a part of its limit, is smallest; None where no codec has the measures."""
    wanted = limits.of(metric)
    codecs = lossy(points).dropna(subset=list(wanted))
    if codecs.empty:
        return None
    short = pd.DataFrame(
        {name: MEASURES[name].sign * (value - codecs[name]) / (value or 1.0) for name, value in wanted.items()}
    )
    first = short.clip(lower=0).max(axis=1).sort_values(kind="stable").index[0]
    point = codecs.loc[first]
    return Miss(
        point,
        [
            f"{MEASURES[name].label} {MEASURES[name].show(point[name])} for a limit of {value:g}"
            for name, value in wanted.items()
            if short.loc[first, name] > 0
        ],
    )


def interval(
    sweep: runs.Sweep, fitting: pd.DataFrame, chosen: str, metric: str, least: float | None = None
) -> Sureness:
    """The interval of a choice among `fitting`, from the rows of the first of them and of the cheapest other kind."""
    by_key = fitting.set_index("trial_key", drop=False)
    others = fitting[fitting["family"] != by_key.at[chosen, "family"]].sort_values("bpp")
    rival = others.iloc[0] if len(others) else None
    looked = fitting.sort_values("bpp")["trial_key"].tolist()[:LOOKED_AT]
    keys = list(dict.fromkeys([chosen, *looked, *([rival["trial_key"]] if rival is not None else [])]))
    rows = runs.rows(sweep, keys)
    table, bits = by_image(rows, metric), by_image(rows, "bpp")
    confidence = stats.confidence_of_best(len(fitting))
    intervals = {key: stats.mean(table[key].to_numpy(), confidence) for key in keys}
    safe = [key for key in looked if least is not None and intervals[key].low >= least]
    fewer = None
    if rival is not None:
        ratio = stats.ratio(bits[chosen].to_numpy(), bits[rival["trial_key"]].to_numpy(), confidence)
        value, low, high = (100 * (each - 1) for each in (ratio.value, ratio.low, ratio.high))
        fewer = stats.Interval(value, low, high, ratio.images)
    return Sureness(intervals[chosen], by_key.loc[safe[0]] if safe else None, rival, fewer)
