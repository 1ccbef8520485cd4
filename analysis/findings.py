"""What else a sweep shows: what each family reads for its bits, what gamma buys, how well PSNR and readers agree."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from analysis.bd import Difference, NotComparable, average_gain, rate_saving
from analysis.evidence import Evidence
from analysis.pareto import OBJECTIVES, hypervolume
from analysis.verdict import Pick

LEVELS = (0.5, 0.7, 0.8, 0.9, 0.95)
"""Parts of the uncompressed accuracy for which the cheapest codec is looked up."""

LOST = 0.1
"""A page read with less accuracy than this is lost."""


@dataclass(frozen=True)
class Finding:
    """Something the rows show that nobody asked for."""

    title: str
    """What it says, in a few words."""
    text: str
    """The numbers, as sentences."""


def lossy(points: pd.DataFrame) -> pd.DataFrame:
    """The points that are codecs: all but the uncompressed reference."""
    return points[points["kind"] != "uncompressed"]


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


def gamma_effect(points: pd.DataFrame) -> pd.DataFrame:
    """Each TFIC point against the baseline that it was tuned from: rate as a part, accuracy and PSNR as differences."""
    tuned = points[points["kind"] == "finetune"].set_index("trial_key")
    parents = points.set_index("trial_key")
    tuned = tuned[tuned["parent"].isin(parents.index)].sort_values(["gamma", "lmbda"])
    origin = parents.loc[tuned["parent"]]
    return pd.DataFrame(
        {
            "gamma": tuned["gamma"],
            "variant": tuned["variant"],
            "lmbda": tuned["lmbda"],
            "rate": tuned["bpp"] / origin["bpp"].to_numpy() - 1,
            "accuracy": tuned["accuracy"] - origin["accuracy"].to_numpy(),
            "heldout": tuned["accuracy_heldout"] - origin["accuracy_heldout"].to_numpy(),
            "psnr_db": tuned["psnr_db"] - origin["psnr_db"].to_numpy(),
        }
    )


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
    """Each family against the baseline: `accuracy` and `psnr_db` at equal rate, `rate` saved at equal accuracy."""
    codecs = lossy(points).dropna(subset=list(OBJECTIVES))
    baseline = codecs[codecs["kind"] == "pretrain"]
    found: dict[str, dict[str, Difference | NotComparable]] = {}
    if baseline.empty:
        return found
    for family, own in codecs[codecs["kind"] != "pretrain"].groupby("family", sort=False):
        a, b = (group[list(OBJECTIVES)].to_numpy().T for group in (baseline, own))
        found[str(family)] = {
            "accuracy": average_gain(a[0], a[1], b[0], b[1]),
            "psnr_db": average_gain(a[0], a[2], b[0], b[2]),
            "rate": rate_saving(a[0], a[1], b[0], b[1]),
        }
    return found


def discordant(a: np.ndarray, b: np.ndarray) -> tuple[int, int]:
    """Pairs of points that `a` and `b` order differently, and all pairs that both order."""
    signs = [np.sign((a[i] - a[j]) * (b[i] - b[j])) for i, j in combinations(range(len(a)), 2)]
    return sum(sign < 0 for sign in signs), sum(sign != 0 for sign in signs)


def findings(evidence: Evidence, chosen: Pick | None) -> list[Finding]:
    """What the rows show besides, each only where the numbers for it are there."""
    codecs = lossy(evidence.points)
    return [*_psnr_and_reading(codecs), *_readers(codecs), *_pages(evidence, chosen), *_container(codecs)]


def _psnr_and_reading(codecs: pd.DataFrame) -> list[Finding]:
    codecs = codecs.dropna(subset=["psnr_db", "accuracy"])
    wrong, pairs = discordant(codecs["psnr_db"].to_numpy(), codecs["accuracy"].to_numpy())
    if len(codecs) < 4 or pairs == 0:
        return []
    title = (
        "PSNR is a poor guide to what can be read"
        if wrong / pairs > 0.2
        else "PSNR is a fair guide to what can be read"
    )
    text = (
        f"In {wrong} of {pairs} pairs of codecs ({wrong / pairs:.0%}; a coin would give 50%) the one with the higher "
        f"PSNR reads less. The rank correlation over all {len(codecs)} codecs is {_rank(codecs, 'psnr_db'):.2f}"
    )
    parts = {name: codecs[codecs["kind"].isin(kinds)] for name, kinds in
             {"classical codecs and baseline": ["classical", "pretrain"], "TFIC": ["finetune"]}.items()}  # fmt: skip
    inside = [f"{_rank(part, 'psnr_db'):.2f} within {name}" for name, part in parts.items() if len(part) >= 4]
    return [Finding(title, text + "".join(f", {each}" for each in inside) + ".")]


def _rank(codecs: pd.DataFrame, metric: str) -> float:
    """Spearman's rank correlation of a metric with accuracy; 0 where one of them does not vary."""
    if codecs[metric].nunique() < 2 or codecs["accuracy"].nunique() < 2:
        return 0.0
    return float(spearmanr(codecs[metric], codecs["accuracy"]).statistic)


def _readers(codecs: pd.DataFrame) -> list[Finding]:
    seen = codecs.dropna(subset=["accuracy_heldout"])
    effect = gamma_effect(codecs).dropna()
    if len(seen) < 4 or effect.empty:
        return []
    own, other = effect["accuracy"].mean(), effect["heldout"].mean()
    title = (
        "Fine-tuning helps a reader it never met" if other > 0 else "Fine-tuning does not carry over to another reader"
    )
    passed = f", {other / own:.0%} of it," if own > 0.005 and other > 0 else ""
    return [
        Finding(
            title,
            f"Tuned codecs change the training reader's accuracy by {own:+.2f} on average over the codec they start "
            f"from, and the held-out reader's by {other:+.2f}{passed} at {effect['rate'].mean():+.0%} bits. Over all "
            f"{len(seen)} codecs the two readers agree on the order with a correlation of "
            f"{_rank(seen, 'accuracy_heldout'):.2f}.",
        )
    ]


def _pages(evidence: Evidence, chosen: Pick | None) -> list[Finding]:
    if chosen is None:
        return []
    table = evidence.rows.pivot(index="image", columns="trial_key", values="accuracy")
    tuned, baseline = table[chosen.tuned["trial_key"]], table[chosen.baseline["trial_key"]]
    better, worse = int((tuned > baseline).sum()), int((tuned < baseline).sum())
    lost_tuned, lost_baseline = int((tuned < LOST).sum()), int((baseline < LOST).sum())
    return [
        Finding(
            "Pages gain and lose one by one",
            f"Against the baseline of the verdict, TFIC reads {better} of {len(table)} pages better and {worse} worse. "
            f"Nearly nothing (accuracy under {LOST:g}) is read of {lost_tuned} pages with TFIC and of "
            f"{lost_baseline} with the baseline.",
        )
    ]


def _container(codecs: pd.DataFrame) -> list[Finding]:
    share = (1 - codecs["bpp_payload"] / codecs["bpp"]).dropna()
    if share.empty:
        return []
    lightest = codecs.loc[codecs.groupby("family", sort=False)["bpp"].idxmin()]
    parts = [f"{row['label']}: {1 - row['bpp_payload'] / row['bpp']:.0%}" for _, row in lightest.iterrows()]
    return [
        Finding(
            "How much of a file is packaging",
            "Part of the whole file that is container, at the lowest rate of each family: " + "; ".join(parts) + ". "
            "All rates in this report are of whole files, because that is what is stored and sent.",
        )
    ]
