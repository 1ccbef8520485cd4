"""What the figures show, as plain values: a curve per family, the fronts, round ticks, and what a point tells."""

import math
from dataclasses import dataclass

import pandas as pd

from analysis import stats
from analysis.findings import lossy
from analysis.matched import by_image
from analysis.pareto import OBJECTIVES, front_of
from tfic.row import MEASURES

COLOURS = {"TFIC": "#d55e00", "baseline": "#0072b2", "JPEG": "#7a7a7a", "WebP": "#009e73", "AVIF": "#b0578d",
           "JPEG XL": "#3f9fd0", "HEIC": "#c48a00", "uncompressed": "#222222"}  # fmt: skip
"""Colour of a family, in the order in which families are shown (Okabe and Ito's palette, a little darker)."""
SYMBOLS = {"TFIC": "circle", "baseline": "square", "JPEG": "circle-open", "WebP": "diamond", "AVIF": "diamond-open",
           "JPEG XL": "square-open", "HEIC": "cross"}  # fmt: skip
"""Mark of a family; only marks that plotly also knows in three dimensions."""
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
    """What a point says when it is pointed at."""


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
        sure = [stats.mean(table[key].to_numpy()) for key in own["trial_key"]]
        found.append(
            Curve(family, own["bpp"].tolist(), own[metric].tolist(), [each.low for each in sure],
                  [each.high for each in sure], [hover(point) for _, point in own.iterrows()])
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
