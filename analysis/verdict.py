"""The answer at the top of the report: the TFIC codec to take, compared with baselines, classical codecs and OCR."""

import zlib

import numpy as np
import pandas as pd

from analysis import readers, stats
from analysis.best import BestPair, best_pair, greatest, leads
from analysis.judged import Judged, judged, silent, verdict
from analysis.matched import by_image, nearest
from analysis.runs import distinct
from analysis.stats import show
from analysis.sweep_data import SweepData, lossy
from tfic.config import LMBDA_SHARE
from tfic.measuring.row import MEASURES

EQUAL_RATE = 1.25
"""Rates within this factor are called near."""
NEARLY_ALL = 0.9
"""The part of the uncompressed accuracy for which the cheapest codec is named."""


def text_bpp(rows: pd.DataFrame) -> float:
    """Bits per pixel of the pages' true texts as UTF-8, deflated where that is shorter, mean over the images."""
    pages = rows.drop_duplicates("image")
    size_bytes = pages["truth"].map(_sent_bytes)
    return float((8 * size_bytes / (pages["width_px"] * pages["height_px"])).mean())


def _sent_bytes(text: str) -> int:
    """Bytes of a text as a device would send it."""
    packer = zlib.compressobj(9, wbits=-15)
    return min(len(text.encode()), len(packer.compress(text.encode()) + packer.flush()))


def sentences(data: SweepData, best: BestPair | None) -> list[str]:
    """The verdict on the best pair, most important first; after it what other machine tasks say of theirs."""
    bound = (
        f"Upper bound: OCR on the device, which sends the text instead of an image, would take "
        f"{text_bpp(data.rows):.2g} bpp and lose no more than the reader's own errors. Compression for reading pays "
        "where the device cannot run OCR."
    )
    if best is None:
        none = "This sweep has no finished pair of a baseline and a TFIC codec yet, so there is nothing to decide."
        return [none, bound]
    parts = (_headline, _decided, _equal_rate, _training, _heldout, _reference, _cheapest, _classical, _psnr)
    said = [sentence for part in parts for sentence in part(data, best)]
    for task in readers.tasks(data.points):
        if other := best_pair(data, task):
            said += [sentence for part in (_headline, _decided, _equal_rate) for sentence in part(data, other)]
    return [*said, *convergence(data), bound]


def convergence(data: SweepData) -> list[str]:
    """How far stage 1 has converged, for each lambda whose codec was also measured after half of its steps.

    The loss is that of stage 1, `lambda * 255^2 * MSE + bpp`, on the test images, of real files.
    """
    said = []
    for _, early in data.kind("halfway").sort_values("lmbda").iterrows():
        same = data.points[(data.points["trial_key"] == early["parent"]) | (data.points["parent"] == early["parent"])]
        stages = ((early, "after half of stage 1"), *((row, words) for kind, words in (
            ("pretrain", "at its end"), ("control", "in the control"),
        ) for _, row in same[same["kind"] == kind].iterrows()))  # fmt: skip
        told = "; ".join(
            f"{row['accuracy']:.3f} at {row['bpp']:.3f} bpp, loss {_test_loss(data, row):.3f}, {words}"
            for row, words in stages
        )
        said.append(f"Convergence at λ {early['lmbda']:g}, accuracy: {told}.")
    return said


def _test_loss(data: SweepData, point: pd.Series) -> float:
    rows = data.rows[data.rows["trial_key"] == point["trial_key"]]
    return float((point["lmbda"] * 255**2 * 10 ** (-rows["psnr_db"] / 10) + rows["bpp"]).mean())


def departure(metadata: pd.DataFrame) -> str:
    """The difference between stage 2 of a sweep and that of the slides, as sentences; "" where there is none."""
    stage_2 = metadata[metadata["kind"].isin(["finetune", "candidate"])] if "kind" in metadata else metadata
    said = []
    for name, slides, words in (
        (LMBDA_SHARE, "0.0", "kept {} of lambda's distortion term; the slides' stage 2 has none"),
        ("train.tasks", "reading", "was trained for {}; the slides' for reading"),
        ("train.reading", "ctc", "minimised {} as its reading loss; the slides' is the likelihood of the text (ctc)"),
        ("train.learns", "all", "let the {} alone learn; in the slides' all weights do"),
        ("train.text_distortion", "1.0", "weighted distortion on text with {}; the slides have no weights"),
        ("train.rest_distortion", "1.0", "weighted distortion outside of text with {}; the slides have no weights"),
        (
            "train.whole_range",
            "False",
            "drew a lambda for each image, with which gamma went; the slides' has one of each",
        ),
    ):
        every = distinct(stage_2, name)
        others = [value for value in every if value != slides]
        if others:
            where = "Stage 2 of this sweep" if len(others) == len(every) else "Stage 2 of some trials"
            said.append(f"{where} {words.format(' or '.join(others))}.")
    return " ".join([*said, "In this report TFIC includes that variant."]) if said else ""


def _named(point: pd.Series) -> str:
    """A TFIC point with its settings."""
    variant = f", {point['variant']}" if point["variant"] else ""
    return f"(λ {point['lmbda']:g}, γ {point['gamma']:g}{variant})"


def _mean(data: SweepData, point: pd.Series, metric: str = "accuracy") -> str:
    return show(stats.mean(by_image(data.rows, metric)[point["trial_key"]].to_numpy()))


def _difference(data: SweepData, a: pd.Series, b: pd.Series, metric: str) -> stats.Interval | None:
    """Codec a minus codec b, by image; None where the metric was not recorded."""
    table = by_image(data.rows, metric)
    difference = (table[a["trial_key"]] - table[b["trial_key"]]).to_numpy()
    return stats.mean(difference) if np.isfinite(difference).any() else None


def _headline(data: SweepData, best: BestPair) -> list[str]:
    tuned, baseline = best.tuned, best.baseline
    own, other = (_mean(data, point, best.metric) for point in (tuned, baseline))
    reading, label = best.task == "reading", MEASURES[best.metric].label
    has = f"reads {own} of the text" if reading else f"has a {label} of {own}"
    against = (
        f"At {tuned['bpp']:.3f} bpp TFIC {_named(tuned)} {has}, "
        f"against {other} for the {best.called} at {baseline['bpp']:.3f} bpp"
    )
    gain = show(best.gain, sign=True)
    if not best.fair:
        return [f"{against}. The {best.called} has fewer bits here, so the sweep does not decide between them."]
    if best.gain.low > 0:
        return [f"{against}: {gain} with {1 - tuned['bpp'] / baseline['bpp']:.0%} fewer bits."]
    more = f"{baseline['bpp'] / tuned['bpp'] - 1:.0%} more bits"
    does = "reads significantly more" if reading else f"has a significantly higher {label}"
    none = f"No TFIC codec of this sweep {does} than a measured {best.called} of no fewer bits."
    return [f"{against}, which has {more}: {gain}. {none}"]


def _training(data: SweepData, best: BestPair) -> list[str]:
    """The training of what TFIC codecs are compared with."""
    if best.baseline["kind"] == "control":
        return [
            "TFIC codecs are compared with controls, baselines that trained on for the steps of stage 2, so that a "
            "difference is that of reading and not of more training."
        ]
    return [
        "No control was trained, so TFIC codecs have had more training steps than the baselines that they are compared "
        "with; `controls = true` in [space] adds controls."
    ]


def _said(data: SweepData, best: BestPair) -> list[Judged]:
    """What is said of the best pair by the readers, or models of another task, that the verdict needs."""
    return judged(data.rows, readers.judges(data.heldout, best.tuned, best.task), best.weights)


def _decided(data: SweepData, best: BestPair) -> list[str]:
    missing = silent(data.rows, readers.judges(data.heldout, best.tuned, best.task), best.weights)
    return [verdict(best.gain if best.fair else None, _said(data, best), best.task, missing)]


def _heldout(data: SweepData, best: BestPair) -> list[str]:
    said = _said(data, best)
    if not said:
        return ["No held-out reader took part, so nothing here shows that another reader sees the gain."]
    won, lost = best.gain.low > 0, best.gain.high < 0
    told = []
    for each in said:
        if each.difference.low > 0:
            sees = "sees a gain too" if won else "sees a gain"
        elif each.lower:
            sees = "reads less" + (" too" if lost else ", so the gain belongs to the training reader" if won else "")
        else:
            sees = "sees no significant difference"
        told.append(f"{each.reader} {sees}, {show(each.difference, sign=True)}")
    than = f"against the {best.called} at {best.baseline['bpp']:.3f} bpp"
    return [f"Held-out readers, against which this codec was not trained, {than}: {'; '.join(told)}."]


def _equal_rate(data: SweepData, best: BestPair) -> list[str]:
    """The greatest lead of TFIC at equal rate, which may be that of another codec than the best pair's."""
    some = leads(data, best.metric, [pair for pair in data.pairs() if pair[1].bits == "equal"])
    if not some:
        return []
    lead = greatest(some)
    others = judged(data.rows, readers.judges(data.heldout, lead.tuned, best.task), lead.weights)
    seen = "".join(f"; {each.reader} {show(each.difference, sign=True)}" for each in others)
    how = "leads most" if lead.gain.low > 0 else "leads nowhere significantly, and most"
    measure = "" if best.task == "reading" else f" in {MEASURES[best.metric].label}"
    return [
        f"At equal rate, the {best.called} interpolated between its measured neighbours, TFIC {how}{measure} at "
        f"{lead.tuned['bpp']:.3f} bpp {_named(lead.tuned)}: {lead.own:.2f} against "
        f"{lead.other:.2f}, {show(lead.gain, sign=True)}{seen}."
    ]


def _reference(data: SweepData, best: BestPair) -> list[str]:
    reference = data.kind("uncompressed")
    if reference.empty:
        return []
    share = best.tuned["accuracy"] / reference.iloc[0]["accuracy"]
    return [
        f"Uncompressed, the same reader reads {_mean(data, reference.iloc[0])}; "
        f"TFIC at {best.tuned['bpp']:.3f} bpp keeps {share:.0%} of that."
    ]


def _cheapest(data: SweepData, best: BestPair) -> list[str]:
    """The codec to take for nearly all of the reading, and the cheapest of another family for the same."""
    reference = data.kind("uncompressed")
    if reference.empty:
        return []
    codecs = lossy(data.points)
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


def _classical(data: SweepData, best: BestPair) -> list[str]:
    near = nearest(data.kind("classical"), best.tuned["bpp"])
    if near is None:
        return []
    gain = _difference(data, best.tuned, near, "accuracy")
    assert gain is not None, "accuracy is always recorded"
    stands = (
        f"{near['label']} at {near['bpp']:.3f} bpp, reads {near['accuracy']:.2f}; "
        f"TFIC against it: {show(gain, sign=True)}"
    )
    if near["bpp"] > EQUAL_RATE * best.tuned["bpp"]:
        bits = f"{best.tuned['bpp'] / near['bpp']:.0%} of its bits"
        return [f"No classical codec here goes that low: the nearest in rate, {stands}, with {bits}."]
    return [f"The classical codec nearest in rate, {stands}."]


def _psnr(data: SweepData, best: BestPair) -> list[str]:
    change = _difference(data, best.tuned, best.baseline, "psnr_db")
    if change is None:
        return []
    return [f"Against that {best.called} PSNR changes by {show(change, ' dB', sign=True)}."]
