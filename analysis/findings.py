"""Findings: sentences about agreement of PSNR and readers, gains by page, and the container's share of a file."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from analysis import stats
from analysis.best import BestPair
from analysis.matched import by_image, mean_gains
from analysis.stats import show
from analysis.summaries import GammaEffect, gamma_effect
from analysis.sweep_data import SweepData, lossy

LOST = 0.1
"""A page read with less accuracy than this is lost."""


@dataclass(frozen=True)
class Finding:
    """A result that none of the claims is about."""

    title: str
    """The result in a few words."""
    text: str
    """The numbers, as sentences."""


def findings(data: SweepData, best: BestPair | None) -> list[Finding]:
    """The findings for which the numbers are there."""
    codecs = lossy(data.points)
    return [*_psnr_and_reading(codecs), *_readers(data, codecs), *_pages(data, best), *_container(codecs)]


def discordant(a: np.ndarray, b: np.ndarray) -> tuple[int, int]:
    """Pairs of points that `a` and `b` order differently, and all pairs that both order."""
    upper = np.triu_indices(len(a), 1)
    signs = np.sign(np.subtract.outer(a, a)[upper]) * np.sign(np.subtract.outer(b, b)[upper])
    return int((signs < 0).sum()), int((signs != 0).sum())


def _psnr_and_reading(codecs: pd.DataFrame) -> list[Finding]:
    codecs = codecs.dropna(subset=["psnr_db", "accuracy"])
    wrong, pairs = discordant(codecs["psnr_db"].to_numpy(), codecs["accuracy"].to_numpy())
    if len(codecs) < 4 or pairs == 0:
        return []
    title = f"PSNR predicts reading accuracy {'poorly' if wrong / pairs > 0.2 else 'fairly well'}"
    text = (
        f"In {wrong} of {pairs} pairs of codecs ({wrong / pairs:.0%}; chance gives 50%) the one with the higher "
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


def _readers(data: SweepData, codecs: pd.DataFrame) -> list[Finding]:
    seen = codecs.dropna(subset=["accuracy_heldout"])
    if len(seen) < 4 or not _seen_by_both(data):
        return []
    title, numbers = _at_equal_rate(data) or _at_other_rates(_seen_by_both(data))
    return [
        Finding(
            title,
            f"{numbers} Over all {len(seen)} codecs the two readers agree on the order with a correlation of "
            f"{_rank(seen, 'accuracy_heldout'):.2f}.",
        )
    ]


def _at_equal_rate(data: SweepData) -> tuple[str, str] | None:
    """What both readers gain over what codecs are compared with, at equal rate; None without any such pair."""
    heldout = by_image(data.rows, "accuracy_heldout")
    pairs = [pair for pair in data.pairs() if pair[1].bits == "equal"]
    pairs = [pair for pair in pairs if np.isfinite(mean_gains(heldout, [pair])).any()]
    if not pairs:
        return None
    own, other = (stats.mean(mean_gains(by_image(data.rows, name), pairs)) for name in ("accuracy", "accuracy_heldout"))
    kinds = data.points.set_index("trial_key")["kind"]
    controls = all(kinds[key] == "control" for _, matched in pairs for key in matched.weights)
    if other.low > 0:
        title = f"Fine-tuning {'also ' if own.low > 0 else ''}helps the held-out reader"
    elif other.high < 0:
        title = "Fine-tuning costs the held-out reader accuracy"
    else:
        title = "Fine-tuning does not change the held-out reader's accuracy significantly"
    return title, (
        f"At equal rate {len(pairs)} tuned codecs change the training reader's accuracy by {show(own, sign=True)} on "
        f"average over their {'controls' if controls else 'baselines'}, and the held-out reader's by "
        f"{show(other, sign=True)}."
    )


def _seen_by_both(data: SweepData) -> list[tuple[GammaEffect, float]]:
    """Tuned codecs that both readers read, each with what Tesseract's accuracy gained."""
    return [(each, each.heldout.value) for each in gamma_effect(data) if each.heldout is not None]


def _at_other_rates(effects: Sequence[tuple[GammaEffect, float]]) -> tuple[str, str]:
    accuracy, heldout, rate = np.mean([(each.accuracy.value, gain, each.rate.value) for each, gain in effects], axis=0)
    return "Fine-tuning and the held-out reader, at other rates", (
        f"Tuned codecs change the training reader's accuracy by {accuracy:+.2f} on average over the "
        f"codec they start from, and the held-out reader's by {heldout:+.2f} at "
        f"{rate:+.0%} bits; no codec lies within the rates of what it compares with, so this says not "
        "how much of it the bits gave."
    )


def _pages(data: SweepData, best: BestPair | None) -> list[Finding]:
    if best is None:
        return []
    table = by_image(data.rows, "accuracy")
    tuned, baseline = table[best.tuned["trial_key"]], table[best.baseline["trial_key"]]
    better, worse = int((tuned > baseline).sum()), int((tuned < baseline).sum())
    lost_tuned, lost_baseline = int((tuned < LOST).sum()), int((baseline < LOST).sum())
    return [
        Finding(
            "Gains and losses page by page",
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
            "The container's share of a file",
            "Part of the file that is container, at the lowest rate of each family: " + "; ".join(parts) + ". "
            "All rates in this report are of whole files, as they are stored and sent.",
        )
    ]
