"""The answer at the top of the report: which TFIC codec to take, and how it stands against what else there is."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import stats
from analysis.evidence import Evidence
from analysis.matched import at_partner, by_image, nearest
from analysis.runs import LMBDA_SHARE, distinct
from analysis.stats import show

EQUAL_RATE = 1.25
"""Rates within this factor are called near."""
NEARLY_ALL = 0.9
"""The part of the uncompressed accuracy for which the cheapest codec is named."""


@dataclass(frozen=True)
class Pick:
    """A TFIC codec beside the measured baseline that compares with it."""

    tuned: pd.Series
    """The TFIC point."""
    baseline: pd.Series
    """The cheapest baseline with no fewer bits; the costliest one where there is none such."""
    gain: stats.Interval
    """Accuracy, TFIC minus baseline, paired by image."""
    fair: bool
    """The baseline has no fewer bits."""


def pick(evidence: Evidence) -> Pick | None:
    """The TFIC codec with the surest gain (by the interval's lower end) over a measured baseline of no fewer bits.

    Codecs that lack such a baseline come after all that have one; None without any pair. The interval is widened for
    the choice among n codecs (Bonferroni), or a long sweep would find its winner by luck.
    """
    accuracy = by_image(evidence.rows, "accuracy")
    confidence = 1 - 0.05 / max(len(evidence.kind("finetune")), 1)
    pairs = []
    for _, tuned in evidence.kind("finetune").iterrows():
        baselines = evidence.baselines_for(tuned)
        if baselines.empty:
            continue
        enough = baselines[baselines["bpp"] >= tuned["bpp"]]
        baseline = baselines.iloc[-1] if enough.empty else enough.iloc[0]
        gain = stats.mean((accuracy[tuned["trial_key"]] - accuracy[baseline["trial_key"]]).to_numpy(), confidence)
        pairs.append(Pick(tuned, baseline, gain, not enough.empty))
    return max(pairs, key=lambda each: (each.fair, each.gain.low), default=None)


def text_bound(rows: pd.DataFrame) -> float:
    """Bits per pixel of sending the pages' true texts as UTF-8 instead of any picture, mean over the images."""
    pages = rows.drop_duplicates("image")
    size_bytes = pages["truth"].map(lambda text: len(text.encode()))
    return float((8 * size_bytes / (pages["width_px"] * pages["height_px"])).mean())


def sentences(evidence: Evidence) -> list[str]:
    """The verdict, most important first."""
    chosen = pick(evidence)
    bound = (
        f"Reading on the device and sending the text would take {text_bound(evidence.rows):.2g} bpp and lose nothing "
        "more than the reader does: compression for reading pays where the device cannot afford to read."
    )
    if chosen is None:
        none = "This sweep has no finished pair of a baseline and a TFIC codec yet, so there is nothing to decide."
        return [none, bound]
    parts = (_headline, _heldout, _equal_rate, _reference, _cheapest, _classical, _price)
    return [*(sentence for part in parts for sentence in part(evidence, chosen)), bound]


def departure(made: pd.DataFrame) -> str:
    """How stage 2 of a sweep departs from the slides', as a sentence; "" where it does not."""
    every = distinct(made, LMBDA_SHARE)
    shares = [share for share in every if float(share)]
    if not shares:
        return ""
    where = "Stage 2 of this sweep" if len(shares) == len(every) else "Stage 2 of some trials"
    return (
        f"{where} kept {' or '.join(shares)} of lambda's distortion term; the slides' stage 2 has none. "
        "What is called TFIC there is that relative of it."
    )


def _mean(evidence: Evidence, point: pd.Series) -> str:
    return show(stats.mean(by_image(evidence.rows, "accuracy")[point["trial_key"]].to_numpy()))


def _difference(evidence: Evidence, chosen: Pick, metric: str) -> stats.Interval | None:
    """The chosen codec minus its baseline, by image; None where the metric was not recorded."""
    table = by_image(evidence.rows, metric)
    difference = (table[chosen.tuned["trial_key"]] - table[chosen.baseline["trial_key"]]).to_numpy()
    return stats.mean(difference) if np.isfinite(difference).any() else None


def _headline(evidence: Evidence, chosen: Pick) -> list[str]:
    tuned, baseline = chosen.tuned, chosen.baseline
    against = (
        f"At {tuned['bpp']:.3f} bpp TFIC (λ {tuned['lmbda']:g}, γ {tuned['gamma']:g}) reads {_mean(evidence, tuned)} "
        f"of the text, against {_mean(evidence, baseline)} for the baseline at {baseline['bpp']:.3f} bpp"
    )
    gain = show(chosen.gain, sign=True)
    if not chosen.fair:
        return [f"{against}. The baseline has fewer bits here, so the sweep does not decide between them."]
    if chosen.gain.low > 0:
        return [f"{against}: {gain} with {1 - tuned['bpp'] / baseline['bpp']:.0%} fewer bits."]
    return [f"{against}: {gain}. No TFIC codec of this sweep surely reads more than a baseline of no fewer bits."]


def _heldout(evidence: Evidence, chosen: Pick) -> list[str]:
    gain = _difference(evidence, chosen, "accuracy_heldout")
    if gain is None:
        return ["No held-out reader took part, so nothing here shows that another reader sees the gain."]
    if gain.low > 0:
        sees = "sees a gain too"
    elif gain.high < 0:
        lost = chosen.gain.high < 0
        sees = "reads less there too" if lost else "reads less there, so the gain belongs to the training reader"
    else:
        sees = "sees no sure difference"
    return [f"The held-out reader, which no codec was trained against, {sees}: {show(gain, sign=True)}."]


def _equal_rate(evidence: Evidence, chosen: Pick) -> list[str]:
    """Where TFIC leads most at equal rate, which may be another codec than the chosen one."""
    accuracy, heldout = by_image(evidence.rows, "accuracy"), by_image(evidence.rows, "accuracy_heldout")
    pairs = [(row, who) for row, who in evidence.pairs() if who.bits == "equal"]
    if not pairs:
        return []
    differences = [accuracy[row["trial_key"]].to_numpy() - at_partner(accuracy, who) for row, who in pairs]
    gains = [stats.mean(difference, 1 - 0.05 / len(pairs)) for difference in differences]
    best = int(np.argmax([gain.low for gain in gains]))
    row, who = pairs[best]
    other = heldout[row["trial_key"]].to_numpy() - at_partner(heldout, who)
    seen = f"; the held-out reader {show(stats.mean(other), sign=True)}" if np.isfinite(other).any() else ""
    return [
        f"At equal rate, the baseline interpolated between its measured neighbours, TFIC leads most at "
        f"{row['bpp']:.3f} bpp (λ {row['lmbda']:g}, γ {row['gamma']:g}): {row['accuracy']:.2f} against "
        f"{np.nanmean(at_partner(accuracy, who)):.2f}, {show(gains[best], sign=True)}{seen}."
    ]


def _reference(evidence: Evidence, chosen: Pick) -> list[str]:
    reference = evidence.kind("uncompressed")
    if reference.empty:
        return []
    share = chosen.tuned["accuracy"] / reference.iloc[0]["accuracy"]
    return [
        f"Uncompressed, the same reader reads {_mean(evidence, reference.iloc[0])}; "
        f"TFIC at {chosen.tuned['bpp']:.3f} bpp keeps {share:.0%} of that."
    ]


def _cheapest(evidence: Evidence, chosen: Pick) -> list[str]:
    """Which codec to take for nearly all of the reading, and what the best of another kind asks for the same."""
    reference = evidence.kind("uncompressed")
    if reference.empty:
        return []
    codecs = evidence.points[evidence.points["kind"] != "uncompressed"]
    enough = codecs[codecs["accuracy"] >= NEARLY_ALL * reference.iloc[0]["accuracy"]].sort_values("bpp")
    if enough.empty:
        return [f"No codec of this sweep keeps {NEARLY_ALL:.0%} of the reading; larger lambdas or qualities would."]
    first = enough.iloc[0]
    others = enough[enough["family"] != first["family"]]
    rest = (
        f"; the next other kind is {others.iloc[0]['label']} at {others.iloc[0]['bpp']:.3f} bpp" if len(others) else ""
    )
    return [
        f"The cheapest codec that keeps {NEARLY_ALL:.0%} of the reading is {first['label']} "
        f"at {first['bpp']:.3f} bpp{rest}."
    ]


def _classical(evidence: Evidence, chosen: Pick) -> list[str]:
    near = nearest(evidence.kind("classical"), chosen.tuned["bpp"])
    if near is None:
        return []
    accuracy = by_image(evidence.rows, "accuracy")
    gain = stats.mean((accuracy[chosen.tuned["trial_key"]] - accuracy[near["trial_key"]]).to_numpy())
    stands = (
        f"{near['label']} at {near['bpp']:.3f} bpp, reads {near['accuracy']:.2f}; "
        f"TFIC against it: {show(gain, sign=True)}"
    )
    if near["bpp"] > EQUAL_RATE * chosen.tuned["bpp"]:
        bits = f"{chosen.tuned['bpp'] / near['bpp']:.0%} of its bits"
        return [f"No classical codec here goes that low: the nearest in rate, {stands}, with {bits}."]
    return [f"The classical codec nearest in rate, {stands}."]


def _price(evidence: Evidence, chosen: Pick) -> list[str]:
    change = _difference(evidence, chosen, "psnr_db")
    if change is None:
        return []
    return [
        f"The price is the picture for people: against that baseline PSNR changes by {show(change, ' dB', sign=True)}."
    ]
