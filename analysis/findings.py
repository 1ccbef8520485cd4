"""Findings: sentences about agreement of PSNR and readers, gains by page, and the container's share of a file."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from analysis.best import BestPair
from analysis.matched import by_image
from analysis.summaries import gamma_effect
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
    return [*_psnr_and_reading(codecs), *_readers(codecs), *_pages(data, best), *_container(codecs)]


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


def _readers(codecs: pd.DataFrame) -> list[Finding]:
    seen = codecs.dropna(subset=["accuracy_heldout"])
    effect = gamma_effect(codecs).dropna()
    if len(seen) < 4 or effect.empty:
        return []
    own, other = effect["accuracy"].mean(), effect["heldout"].mean()
    title = f"Fine-tuning {'also helps' if other > 0 else 'does not help'} the held-out reader"
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
