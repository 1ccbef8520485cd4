"""The six claims of the TFIC slides, each put to the rows of a sweep.

Every comparison pairs images; a claim is decided by an interval of 95 % and never by a mean. A claim that ANY of n
codecs can confirm takes intervals of 1 - 0.05 / n (Bonferroni), so that a long sweep does not find a winner by luck.
A claim that an interval leaves open is "not testable here", with the reason.

Source: "TFIC: End-to-End Text-Focused Image Compression for Coding for Machines", EUSIPCO 2025. The slides give no
thresholds; those below are ours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from analysis import readers, stats
from analysis.best import Lead, greatest, leads
from analysis.matched import RateMatched, by_image, mean_gains
from analysis.stats import show
from analysis.sweep_data import LOW_RATE, SweepData
from tfic.measuring.row import MEASURES

Status = Literal["confirmed", "refuted", "not testable here"]

SHARP_DROP = 0.1
"""Accuracy lost between the baseline's highest and lowest rate that counts as a sharp drop."""
ABOUT_HALF = 0.75
"""Encoding that costs less than this part of reading counts as "about half" (the slides: 12.9 / 24.1 ms = 0.54)."""


@dataclass(frozen=True)
class Claim:
    """A claim and its decision in a sweep."""

    number: int
    """Its number, 1 to 6."""
    text: str
    """The claim."""
    rule: str
    """The rule that decides it here."""
    status: Status
    """The decision."""
    reason: str
    """The numbers behind the decision, or the missing results, as sentences."""


TEXTS: dict[int, tuple[str, str]] = {
    1: (
        "The baseline's reading accuracy drops sharply at low bit rates.",
        f"Accuracy at the baseline's highest rate minus accuracy at its lowest, by image: above {SHARP_DROP:g}.",
    ),
    2: (
        "TFIC keeps a higher accuracy there.",
        f"At low rates (the control reads under {LOW_RATE:.0%} of uncompressed), TFIC minus control, or baseline where "
        "there is none, at equal rate: above 0.",
    ),
    3: (
        "At low bit rates TFIC even surpasses the accuracy on uncompressed images.",
        "TFIC at low rate minus uncompressed: above 0 for the training reader and for each held-out reader that "
        "the codec was not trained against.",
    ),
    4: (
        "The baseline has the higher PSNR at equal rate.",
        "Control, or baseline where there is none, minus TFIC at equal rate, mean over the TFIC codecs: above 0 dB.",
    ),
    5: (
        "The baseline keeps the global picture but blurs text; TFIC keeps text sharp and gives up background.",
        "At equal rate, TFIC against its control, or baseline where there is none: PSNR inside text lines is higher, "
        "outside of them lower.",
    ),
    6: (
        "Encoding costs about half of reading (12.9 against 24.1 ms).",
        f"Encoding time over the time to read a page, on the machine that read them: below {ABOUT_HALF:g}.",
    ),
}
"""Claim and rule by number."""


def judge(data: SweepData) -> list[Claim]:
    """All six claims, in order."""
    return [Claim(number, *TEXTS[number], *decide(data)) for number, decide in _DECISIONS.items()]


def _drop(data: SweepData) -> tuple[Status, str]:
    baselines = data.kind("pretrain")
    if len(baselines) < 2:
        return "not testable here", f"It needs baselines at two rates; this sweep finished {len(baselines)}."
    # The largest family of one training: rates of different codecs make no curve.
    baselines = max((own for _, own in baselines.groupby(["codec", "stage_1"])), key=len)
    if len(baselines) < 2:
        return "not testable here", "It needs two baselines of the same codec and training."
    lowest, highest = baselines.iloc[0], baselines.iloc[-1]
    accuracy = by_image(data.rows, "accuracy")
    drop = stats.mean(accuracy[highest["trial_key"]].to_numpy() - accuracy[lowest["trial_key"]].to_numpy())
    numbers = (
        f"From {highest['bpp']:.3g} to {lowest['bpp']:.3g} bpp the baseline falls from {highest['accuracy']:.3f} to "
        f"{lowest['accuracy']:.3f}: by {show(drop)}."
    )
    return _decide(drop, SHARP_DROP, numbers)


def _keeps(data: SweepData) -> tuple[Status, str]:
    pairs = data.low_rate_pairs()
    if not pairs:
        return "not testable here", _no_low_rate(data)
    some = leads(data, "accuracy", pairs)
    better, against = sum(each.gain.low > 0 for each in some), data.opponent(pairs)
    numbers = (
        f"{better} of {len(pairs)} TFIC codecs at low rate read more than the {against} with equal or more bits. "
        f"{_lead(greatest(some), against)}.{_other_tasks(data, pairs)}"
    )
    if better:
        return "confirmed", numbers
    return _all_below([each.gain for each in some], numbers)


def _lead(lead: Lead, against: str) -> str:
    return (
        f"{lead.tuned['label']} at {lead.tuned['bpp']:.3g} bpp: {show(lead.gain, sign=True)} against the {against} at "
        f"{lead.baseline.bpp:.3g} bpp"
    )


def _other_tasks(data: SweepData, pairs: list[tuple[pd.Series, RateMatched]]) -> str:
    """The greatest lead of the pairs in each task beside reading; the slides claim nothing of these."""
    found = {metric: leads(data, metric, pairs) for metric in map(readers.column, readers.tasks(data.points))}
    return "".join(
        f" In {MEASURES[metric].label}, which decides nothing here, {_lead(greatest(some), data.opponent(pairs))}."
        for metric, some in found.items()
        if some
    )


def _surpasses(data: SweepData) -> tuple[Status, str]:
    pairs = data.low_rate_pairs()
    if not pairs:
        return "not testable here", _no_low_rate(data)
    confidence = data.confidence_of_best(len(pairs))
    gains = [_over_uncompressed(data, row, "accuracy", confidence) for row, _ in pairs]
    known = [(row, gain) for (row, _), gain in zip(pairs, gains, strict=True) if gain is not None]
    winning = [(row, gain) for row, gain in known if gain.low > 0]
    if not winning:
        return _all_below([gain for _, gain in known], _best_of(known))
    said = [_judges_say(data, row, confidence) for row, _ in winning]
    agreed = [pair for pair, each in zip(winning, said, strict=True) if each and all(map(_above_0, each.values()))]
    row, _ = max(agreed or winning, key=lambda pair: pair[1].value)
    own = _judges_say(data, row, confidence)
    told = "; ".join(f"{name} {f'sees {show(each, sign=True)}' if each else 'did not measure it'}"
                     for name, each in own.items())  # fmt: skip
    numbers = _best_of(agreed or winning) + (f" There {told}." if own else "")
    if agreed:
        return "confirmed", numbers
    if not any(each for some in said for each in some.values()):
        none = "No held-out reader took part that it was not trained against"
        return "not testable here", f"{numbers} {none}, and a gain that one reader sees may be a pattern made for it."
    if all(any(each and each.high < 0 for each in some.values()) for some in said):
        return "refuted", f"{numbers} A held-out reader reads less wherever the training reader gains."
    return "not testable here", f"{numbers} A held-out reader's interval holds 0; more test images would tell."


def _best_of(known: Sequence[tuple[pd.Series, stats.Interval]]) -> str:
    row, gain = max(known, key=lambda pair: pair[1].value)
    return f"Best is {row['label']} at {row['bpp']:.3g} bpp: {show(gain, sign=True)} against uncompressed."


def _judges_say(data: SweepData, row: pd.Series, confidence: float) -> dict[str, stats.Interval | None]:
    """A codec minus uncompressed by each reader that judges it; None for one that did not measure both."""
    judges = readers.judges(data.heldout, row)
    return {readers.title(name): _over_uncompressed(data, row, metric, confidence) for name, metric in judges.items()}


def _above_0(gain: stats.Interval | None) -> bool:
    return gain is not None and gain.low > 0


def _psnr(data: SweepData) -> tuple[Status, str]:
    # Where TFIC has fewer bits than any baseline, a baseline's lead would be the bits' and not the method's.
    pairs = [(row, baseline) for row, baseline in data.pairs() if baseline.bits != "more"]
    if not pairs:
        return "not testable here", "No TFIC codec lies within or above the baseline's rates."
    lead = _mean_lead(by_image(data.rows, "psnr_db"), pairs)
    if lead is None:
        return "not testable here", "PSNR was not recorded."
    return _decide(
        lead,
        0.0,
        f"Over {len(pairs)} TFIC codecs the {data.opponent(pairs)} leads by {show(lead, unit=' dB', sign=True)}.",
    )


def _pictures(data: SweepData) -> tuple[Status, str]:
    pairs = [(row, baseline) for row, baseline in data.pairs() if baseline.bits == "equal"]
    if not pairs:
        return "not testable here", "No TFIC codec lies within the baseline's rates."
    text = _mean_lead(by_image(data.rows, "psnr_text_db"), pairs)
    rest = _mean_lead(by_image(data.rows, "psnr_background_db"), pairs)
    if text is None or rest is None:
        return "not testable here", "PSNR inside and outside of text lines was not recorded."
    numbers = (
        f"Over {len(pairs)} TFIC codecs at equal rate the {data.opponent(pairs)} leads by "
        f"{show(rest, unit=' dB', sign=True)} outside of text and by {show(text, unit=' dB', sign=True)} inside. PSNR "
        "measures distance from the original, not legibility; "
        "the pictures below show the rest."
    )
    if text.high < 0 < rest.low:
        return "confirmed", numbers
    if text.low > 0 or rest.high < 0:
        return "refuted", numbers
    return "not testable here", f"{numbers} An interval holds 0; more test images would tell."


def _cost(data: SweepData) -> tuple[Status, str]:
    points, read = data.kind("finetune"), data.reference("read_ms")
    if points.empty or read is None:
        return "not testable here", "It needs a TFIC codec and the uncompressed reference."
    host = data.kind("uncompressed").iloc[0]["host"]
    tuned = points[points["host"] == host]["trial_key"].tolist()
    if not tuned:
        where = (
            f"No TFIC codec was measured on {host or 'a machine that is known'}, where uncompressed images were read"
        )
        return "not testable here", f"{where}; times of two machines do not compare."
    encode = by_image(data.rows, "encode_ms")[tuned].mean(axis=1).to_numpy()
    ratio = stats.ratio(encode, read)
    numbers = (
        f"Encoding takes {np.nanmean(encode):.3g} ms and reading a page {np.nanmean(read):.3g} ms on one machine: "
        f"a ratio of {show(ratio)}."
    )
    return _decide(ratio, ABOUT_HALF, numbers, wanted="below")


_DECISIONS: dict[int, Callable[[SweepData], tuple[Status, str]]] = {
    1: _drop, 2: _keeps, 3: _surpasses, 4: _psnr, 5: _pictures, 6: _cost,
}  # fmt: skip


def _decide(
    interval: stats.Interval, bar: float, numbers: str, wanted: Literal["above", "below"] = "above"
) -> tuple[Status, str]:
    """Confirmed where the whole interval is on the wanted side of the bar, refuted where it is on the other."""
    above, below = interval.low > bar, interval.high < bar
    if above or below:
        return "confirmed" if above == (wanted == "above") else "refuted", numbers
    return "not testable here", f"{numbers} The interval holds {bar:g}; {interval.images} images do not decide it."


def _all_below(gains: list[stats.Interval], numbers: str) -> tuple[Status, str]:
    """Without a gain above 0: refuted if all are below, else open."""
    if all(gain.high <= 0 for gain in gains):
        return "refuted", numbers
    return "not testable here", f"{numbers} The interval holds 0; {gains[0].images} images do not decide it."


def _mean_lead(table: pd.DataFrame, pairs: list[tuple[pd.Series, RateMatched]]) -> stats.Interval | None:
    """Baseline minus TFIC by image, averaged over the pairs; None where nothing was recorded."""
    lead = -mean_gains(table, pairs)
    return stats.mean(lead) if np.isfinite(lead).any() else None


def _over_uncompressed(data: SweepData, row: pd.Series, metric: str, confidence: float) -> stats.Interval | None:
    """A TFIC codec minus uncompressed by image; None where the metric was not recorded of both."""
    reference = data.reference(metric)
    assert reference is not None, "low rates are only known with an uncompressed reference"
    gain = by_image(data.rows, metric)[row["trial_key"]].to_numpy() - reference
    return stats.mean(gain, confidence) if np.isfinite(gain).any() else None


def _no_low_rate(data: SweepData) -> str:
    """The reason why there is no pair at low rate."""
    for kind, name in (
        ("uncompressed", "the uncompressed reference"),
        ("pretrain", "a baseline"),
        ("finetune", "a TFIC codec"),
    ):
        if data.kind(kind).empty:
            return f"This sweep has not finished {name}."
    return (
        f"No TFIC codec has a baseline with equal or more bits that reads under {LOW_RATE:.0%} of uncompressed; "
        "smaller lambdas would reach lower rates, larger ones a baseline with more bits."
    )
