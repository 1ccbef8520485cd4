"""Rules that stop a fine-tuning early, checked on the second half of its steps, and safe with several objectives.

A codec that loses on one objective may win on another, so a trial is stopped only if it loses on all of them. The
comparison is fair: the other differs in gamma and lambda alone, and at a given step trains on the same crops.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sweep.spec.keys import MEASURED
from sweep.spec.limits import Limits
from sweep.spec.trials import Kind, Trial
from sweep.store.tracking import Tracker
from tfic.config import LMBDA_SHARE
from tfic.errors import TficError
from tfic.training.train import Progress

CODED_BITS = 2.0
"""Largest ratio of bits estimated in training to coded ones; 1.3 to 1.9 were measured."""
APART = MEASURED | {"gamma", "lmbda", "parent", LMBDA_SHARE}
"""What may differ between fine-tunings that are compared; MEASURED decides no weights."""
OBJECTIVES = ("train_bpp", "train_ocr", "train_mse")
"""Training metrics for rate, reading and distortion; less is better for each."""


class StoppedByRuleError(TficError):
    """A rule has ended a trial; the message says which and why."""


@dataclass(frozen=True)
class Rival:
    """The training curve of a finished fine-tuning."""

    key: str
    """Its trial's key."""
    history: Mapping[int, tuple[float, ...]]
    """Its objectives by global step."""


def check(limits: Limits, rivals: Iterable[Rival], progress: Progress) -> None:
    """End the trial that reports this progress, if a rule says so.

    Raises:
        StoppedByRuleError: with the rule and the numbers.
    """
    if progress.stage != "finetune" or 2 * progress.step < progress.steps:
        return
    bpp, at = progress.bpp_estimated, f"at step {progress.step} of {progress.steps}"
    if limits.bpp_low and bpp < limits.bpp_low:
        raise StoppedByRuleError(f"its rate, {bpp:.3f} bpp {at}, is below bpp_low {limits.bpp_low:g}")
    if limits.bpp_high and bpp > CODED_BITS * limits.bpp_high:
        raise StoppedByRuleError(
            f"its rate, {bpp:.3f} bpp {at}, is above {CODED_BITS:g} times bpp_high {limits.bpp_high:g}"
        )
    if not limits.stop_margin:
        return
    own = (bpp, progress.ocr, progress.mse)
    for rival in rivals:
        theirs = rival.history.get(progress.global_step)
        if theirs and all(mine > (1 + limits.stop_margin) * each for mine, each in zip(own, theirs, strict=True)):
            told = ", ".join(f"{mine:.4g} against {each:.4g}" for mine, each in zip(own, theirs, strict=True))
            raise StoppedByRuleError(
                f"{rival.key} was better by more than {limits.stop_margin:.0%} "
                f"on rate, reading and distortion {at}: {told}"
            )


def rivals(tracker: Tracker, trial: Trial) -> list[Rival]:
    """The finished fine-tunings of a sweep that a trial may be compared with: three queries for each.

    Their terms have the same meaning and their crops are the same: they differ in gamma, lambda, the share of lambda or
    their measurement, and in nothing else.
    """
    records = tracker.records()
    decides = {record.key: record.decides for record in records if record.decides}
    if trial.parent not in decides:
        return []
    own, found = _comparable(trial.decides, decides), []
    for record in records:
        if (record.kind, record.finished) == (Kind.FINETUNE, True) and _comparable(record.decides, decides) == own:
            columns = [dict(tracker.history(record.run_id, name)) for name in OBJECTIVES]
            steps = set.intersection(*(set(column) for column in columns))
            found.append(Rival(record.key, {step: tuple(column[step] for column in columns) for step in steps}))
    return found


def _comparable(own: Mapping[str, Any], decides: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What two comparable fine-tunings have in common: of their own settings, then of those of their stage 1.

    Args:
        own: What decides a fine-tuning.
        decides: What decides each trial of the store, by key.
    """
    both = (own, decides.get(own.get("parent", ""), {}))
    return [{name: value for name, value in each.items() if name not in APART} for each in both]
