"""Tables that sum up a sweep: the cheapest codecs, the effect of gamma, averages, hypervolumes and times."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import monotone, stats
from analysis.bd import Difference, NotComparable, average_gain, rate_saving
from analysis.front import OBJECTIVES, hypervolume
from analysis.matched import by_image
from analysis.sweep_data import SweepData, lossy

LEVELS = (0.5, 0.7, 0.8, 0.9, 0.95)
"""Parts of the uncompressed accuracy for which the cheapest codec is looked up."""


def cheapest(points: pd.DataFrame) -> pd.DataFrame:
    """Trial key of the cheapest codec of each family (columns) for each of LEVELS (rows); "" for none."""
    reference = points[points["kind"] == "uncompressed"]
    codecs = lossy(points)
    families = list(dict.fromkeys(codecs["family"]))
    if reference.empty:
        return pd.DataFrame(columns=families)
    bar = reference.iloc[0]["accuracy"]
    table = {}
    for family in families:
        own = codecs[codecs["family"] == family].sort_values("bpp")
        reached = [own[own["accuracy"] >= level * bar]["trial_key"].tolist() for level in LEVELS]
        table[family] = [keys[0] if keys else "" for keys in reached]
    return pd.DataFrame(table, index=list(LEVELS))


@dataclass(frozen=True)
class GammaEffect:
    """One TFIC codec against the codec that it was tuned from, with intervals over pages, paired by page."""

    key: str
    """Its trial key."""
    gamma: float
    """Its weight of reading."""
    variant: str
    """What sets it apart from others of its lambda and gamma."""
    lmbda: float
    """Its weight of distortion."""
    rate: stats.Interval
    """Part of the rate that it has more."""
    accuracy: stats.Interval
    """Accuracy that it has more, read by the training reader."""
    heldout: stats.Interval | None
    """The same by Tesseract; None where one of both was not read by it."""
    psnr_db: stats.Interval | None
    """PSNR that it has more; None where no page has it."""


def gamma_effect(data: SweepData) -> list[GammaEffect]:
    """Each TFIC codec against the one that it was tuned from, by rising gamma and lambda."""
    tuned = data.kind("finetune").sort_values(["gamma", "lmbda"], kind="stable")
    tables = {name: by_image(data.rows, name) for name in ("bpp", "accuracy", "accuracy_heldout", "psnr_db")}
    found = []
    for _, row in tuned[tuned["parent"].isin(data.points["trial_key"])].iterrows():
        key, parent = row["trial_key"], row["parent"]
        bits = stats.ratio(tables["bpp"][key].to_numpy(), tables["bpp"][parent].to_numpy())
        rate = stats.Interval(bits.value - 1, bits.low - 1, bits.high - 1, bits.images)
        gains = {name: table[key].to_numpy() - table[parent].to_numpy() for name, table in tables.items()}
        known = {name: stats.mean(each) for name, each in gains.items() if np.isfinite(each).any()}
        found.append(
            GammaEffect(
                key, row["gamma"], row["variant"], row["lmbda"], rate, known["accuracy"],
                known.get("accuracy_heldout"), known.get("psnr_db"),
            )
        )  # fmt: skip
    return found


def volumes(points: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, float]]:
    """Hypervolumes of the baselines alone, with TFIC, of the classical codecs and of all; and the reference point.

    `plane` (bpp, accuracy) is a part of the box from the reference to 0 bpp and accuracy 1; `space` also has PSNR
    and is in bpp * dB. The reference is the highest rate of a learned codec, accuracy 0, and 1 dB under the lowest
    PSNR.
    """
    codecs = lossy(points).dropna(subset=list(OBJECTIVES))
    learned = codecs[codecs["kind"].isin(["pretrain", "finetune"])]
    if learned.empty:
        return pd.DataFrame(columns=["plane", "space"]), {}
    corner = {"bpp": float(learned["bpp"].max()), "accuracy": 0.0, "psnr_db": float(codecs["psnr_db"].min() - 1)}
    sets = {
        "baseline alone": codecs[codecs["kind"] == "pretrain"],
        "baseline and TFIC": learned,
        "classical codecs": codecs[codecs["kind"] == "classical"],
        "all codecs": codecs,
    }
    names = list(OBJECTIVES)
    table = {
        name: {
            "plane": _volume(group, names[:2], corner) / corner["bpp"],
            "space": _volume(group, names, corner),
        }
        for name, group in sets.items()
    }
    return pd.DataFrame(table).T, corner


def _volume(points: pd.DataFrame, names: list[str], corner: dict[str, float]) -> float:
    return hypervolume(points[names].to_numpy(), [OBJECTIVES[name] for name in names], [corner[name] for name in names])


def averages(points: pd.DataFrame) -> dict[str, dict[str, Difference | NotComparable]]:
    """Each family against the controls, or where there are none against the baseline.

    There are no intervals: a curve is of all codecs of a sweep, and rows by page are those of the ones that are drawn.
    `accuracy` and `psnr_db` are compared at equal rate, `rate` is what is saved at equal accuracy. They are those of
    envelopes, `accuracy_fit` is that of monotone cubics.
    """
    codecs = lossy(points).dropna(subset=list(OBJECTIVES))
    kind = "control" if (codecs["kind"] == "control").any() else "pretrain"
    baseline = codecs[codecs["kind"] == kind]
    found: dict[str, dict[str, Difference | NotComparable]] = {}
    if baseline.empty:
        return found
    for family, own in codecs[codecs["kind"] != kind].groupby("family", sort=False):
        a, b = (group[list(OBJECTIVES)].to_numpy().T for group in (baseline, own))
        found[str(family)] = {
            "accuracy": average_gain(a[0], a[1], b[0], b[1]),
            "accuracy_fit": monotone.average_gain(a[0], a[1], b[0], b[1]),
            "psnr_db": average_gain(a[0], a[2], b[0], b[2]),
            "rate": rate_saving(a[0], a[1], b[0], b[1]),
        }
    return found


def times(points: pd.DataFrame) -> pd.DataFrame:
    """Mean encoding, decoding and reading times in ms by family and codec, and encoding over reading uncompressed.

    That ratio is one of the codecs that were measured on the machine of the uncompressed images, nan without any.
    """
    reference = points[points["kind"] == "uncompressed"]
    read_ms = float("nan") if reference.empty else float(reference.iloc[0]["read_ms"])
    table = []
    for (family, codec), own in lossy(points).groupby(["family", "codec"], sort=False):
        title = f"{family} ({codec})" if own["kind"].isin(["pretrain", "finetune"]).any() else str(family)
        means = own[["encode_ms", "decode_ms", "read_ms"]].mean().to_dict()
        there = own[own["host"].isin(reference["host"].head(1))]
        ratio = there["encode_ms"].mean() / read_ms
        table.append({"family": family, "title": title, **means, "over_reading": ratio})
    table.append({"family": "uncompressed", "title": "uncompressed", "read_ms": read_ms})
    return pd.DataFrame(table, columns=["family", "title", "encode_ms", "decode_ms", "read_ms", "over_reading"])
