"""The values that the figures show: a curve per family, the fronts, round ticks, and the text of a point."""

import math
from dataclasses import dataclass

import pandas as pd

from analysis import stats
from analysis.front import OBJECTIVES, front_of
from analysis.matched import by_image
from analysis.palette import COLOURS
from analysis.sweep_data import lossy
from tfic.measuring.row import MEASURES

HOVER = ("bpp", "accuracy", "accuracy_heldout", "psnr_db", "encode_ms", "decode_ms")
"""The measures that a point shows when it is pointed at."""


@dataclass(frozen=True)
class Curve:
    """One family's points in a figure, by rising x."""

    family: str
    """Name of the family, which has its colour and symbol."""
    x: list[float]
    """Values along the horizontal axis."""
    y: list[float]
    """Values along the vertical axis."""
    low: list[float]
    """Lower end of the interval of y."""
    high: list[float]
    """Upper end."""
    hover: list[str]
    """Text of each point when it is pointed at."""
    keys: list[str]
    """Trial key of each point."""


def hover(point: pd.Series) -> str:
    """Codec, settings, metrics and trial key of a point."""
    measured = [(MEASURES[name], point[name]) for name in HOVER if pd.notna(point[name])]
    numbers = [f"{measure.label} {measure.show(value)}" for measure, value in measured]
    return "<br>".join([f"<b>{point['label']}</b> ({point['codec']})", *numbers, f"<i>{point['trial_key']}</i>"])


def curves(points: pd.DataFrame, rows: pd.DataFrame, metric: str) -> list[Curve]:
    """One curve per family: its metric against bpp, with intervals over the images; points without it are left out."""
    table = by_image(rows, metric)
    found = []
    for family, own in by_family(lossy(points).dropna(subset=[metric])):
        own = own.sort_values("bpp")
        intervals = [stats.mean(table[key].to_numpy()) for key in own["trial_key"]]
        found.append(
            Curve(family, own["bpp"].tolist(), own[metric].tolist(), [each.low for each in intervals],
                  [each.high for each in intervals], [hover(point) for _, point in own.iterrows()],
                  own["trial_key"].tolist())
        )  # fmt: skip
    return found


def by_family(points: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Points by family in the order of COLOURS, unknown families last."""
    order = [*COLOURS, *sorted(set(points["family"]) - set(COLOURS))]
    return [(family, points[points["family"] == family]) for family in order if (points["family"] == family).any()]


def front(points: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """The codecs on the front of two objectives, by rising x; the uncompressed reference takes no part."""
    codecs = lossy(points)
    mask = front_of([codecs[x], codecs[y]], [OBJECTIVES[x], OBJECTIVES[y]])
    return codecs[mask].sort_values([x, y])


def ticks(low: float, high: float) -> list[float]:
    """Round values (1, 2, 5 times a power of ten) that cover a logarithmic axis, between `low` and `high`."""
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    steps = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    return [step for step in steps if low * 0.999 <= step <= high * 1.001]
