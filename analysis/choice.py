"""The codec that keeps within limits of rate, reading and time, and how sure its reading is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import readers, runs, stats
from analysis.judged import Judged, judged, silent
from analysis.matched import RateMatched, by_image, match_rate
from analysis.sweep_data import SweepData, lossy
from tfic.measuring.row import MEASURES

AT_A_TIME = 50
"""Codecs whose measurements are read at a time, cheapest first, to find one whose whole interval fits."""


@dataclass(frozen=True)
class Wanted:
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


def choose(points: pd.DataFrame, limits: Wanted, metric: str) -> pd.DataFrame:
    """The codecs that keep all limits: cheapest first with a least accuracy, else the best reading first."""
    codecs = lossy(points)
    fits = np.ones(len(codecs), dtype=bool)
    for name, value in limits.of(metric).items():
        fits &= (MEASURES[name].sign * (codecs[name] - value) >= 0).to_numpy()
    order = ["bpp", metric] if limits.min_accuracy is not None else [metric, "bpp"]
    rising = [MEASURES[name].sign < 0 for name in order]
    return codecs[fits].dropna(subset=[metric]).sort_values([*order, "trial_key"], ascending=[*rising, True])


def nearest_miss(points: pd.DataFrame, limits: Wanted, metric: str) -> Miss | None:
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
    """The interval of a choice among `fitting`, compared with the cheapest of another family that fits."""
    by_key = fitting.set_index("trial_key", drop=False)
    others = fitting[fitting["family"] != by_key.at[chosen, "family"]].sort_values("bpp")
    rival = others.iloc[0] if len(others) else None
    rows = runs.rows(sweep, [chosen, *([rival["trial_key"]] if rival is not None else [])])
    confidence = stats.confidence_of_best(len(fitting))
    accuracy = stats.mean(by_image(rows, metric)[chosen].to_numpy(), confidence)
    fewer = None
    if rival is not None:
        bits = by_image(rows, "bpp")
        ratio = stats.ratio(bits[chosen].to_numpy(), bits[rival["trial_key"]].to_numpy(), confidence)
        value, low, high = (100 * (each - 1) for each in (ratio.value, ratio.low, ratio.high))
        fewer = stats.Interval(value, low, high, ratio.images)
    safe = None if least is None else _safe(sweep, by_key, metric, least, confidence)
    return Sureness(accuracy, safe, rival, fewer)


def _safe(sweep: runs.Sweep, by_key: pd.DataFrame, metric: str, least: float, confidence: float) -> pd.Series | None:
    """The cheapest codec whose whole interval is at `least` or above; measurements are read until it is found."""
    keys = by_key.sort_values("bpp")["trial_key"].tolist()
    for start in range(0, len(keys), AT_A_TIME):
        some = keys[start : start + AT_A_TIME]
        table = by_image(runs.rows(sweep, some), metric)
        for key in some:
            if stats.mean(table[key].to_numpy(), confidence).low >= least:
                return by_key.loc[key]
    return None


def said_of(
    sweep: runs.Sweep, chosen: pd.Series, needed: Mapping[str, str], task: str = "reading"
) -> tuple[RateMatched, list[Judged], list[str]] | None:
    """What held-out readers, or models of another task, say of a fine-tuned codec beside its control at equal rate.

    Last come the names of those that did not measure both. The control is the baseline where there is none; None for a
    codec without stage 2, and where none reaches its rate.
    """
    if chosen["kind"] != "finetune":
        return None
    own = SweepData(sweep.points, pd.DataFrame()).baselines_for(chosen)
    if own.empty or (control := match_rate(own, chosen["bpp"])).bits != "equal":
        return None
    rows = runs.rows(sweep, [chosen["trial_key"], *control.weights])
    weights = {chosen["trial_key"]: 1.0} | {key: -weight for key, weight in control.weights.items()}
    judges = readers.judges(needed, chosen, task)
    return control, judged(rows, judges, weights), silent(rows, judges, weights)
