"""What held-out readers say of a codec that reads more than another, and the verdict that needs their consent.

A gain that only the training reader sees may be a pattern made for it. So a verdict is positive only where the gain is
significant and none of the readers that it needs reads significantly less; it is open where one of them has not
measured both codecs. A reader's interval here is one of 95 % and
is not widened for several readers: wider ones would let a loss pass more easily.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import stats
from analysis.matched import by_image
from analysis.readers import title
from analysis.stats import show
from tfic.task_names import TASKS


@dataclass(frozen=True)
class Judged:
    """A held-out reader's accuracy of one codec minus that of another."""

    reader: str
    """The reader, for people."""
    difference: stats.Interval
    """Paired by image."""

    @property
    def lower(self) -> bool:
        """It reads significantly less."""
        return self.difference.high < 0


def judged(rows: pd.DataFrame, names: Mapping[str, str], weights: Mapping[str, float]) -> list[Judged]:
    """Each reader's difference between codecs, without the readers that `silent` names.

    Args:
        rows: as from `runs.rows`.
        names: measures by the readers' names.
        weights: trial keys and their weights in the difference: 1 for the codec, -1 for the other, or less for each
            part of a mixture.
    """
    found = _differences(rows, names, weights)
    return [Judged(name, stats.mean(each)) for name, each in found.items() if np.isfinite(each).any()]


def silent(rows: pd.DataFrame, names: Mapping[str, str], weights: Mapping[str, float]) -> list[str]:
    """The readers, for people, that read no image of all these codecs; arguments as those of `judged`."""
    return [name for name, each in _differences(rows, names, weights).items() if not np.isfinite(each).any()]


def _differences(rows: pd.DataFrame, names: Mapping[str, str], weights: Mapping[str, float]) -> dict[str, np.ndarray]:
    """The difference image by image, by the reader's name for people."""
    found = {}
    for name, metric in names.items():
        table = by_image(rows, metric)
        parts = (weight * table[key].to_numpy() for key, weight in weights.items())
        found[title(name)] = sum(parts, start=np.zeros(len(table)))
    return found


def verdict(
    gain: stats.Interval | None, said: Sequence[Judged], task: str = "reading", missing: Sequence[str] = ()
) -> str:
    """The verdict on a codec, as a sentence.

    Args:
        gain: its lead by the training reader, or by the model of another task; None where nothing decides it.
        said: what the readers say, or models of that task, that the verdict needs.
        task: the machine task.
        missing: names of those that it needs and that say nothing.
    """
    agent, verb = TASKS[task].agent, TASKS[task].verb
    head = "Verdict" if task == "reading" else f"Verdict on {task}"
    lower = [each for each in said if each.lower]
    names = _listed([each.reader for each in said])
    if gain is None or gain.low <= 0:
        why = f"no lead of the training {agent} is significant"
        return f"{head}: not positive, for {why}."
    if lower:
        less = _listed([f"{each.reader} ({show(each.difference, sign=True)})" for each in lower])
        return f"{head}: not positive, for {less} {verb}{'s' if len(lower) == 1 else ''} significantly less."
    if missing:
        remedy = "`python -m sweep.run` with the same --heldout for both measures them alike"
        return f"{head}: open, for {_listed(missing)} did not measure both codecs; {remedy}."
    if not said:
        names = " or ".join(TASKS[task].heldout)
        remedy = f"; {names} in --heldout of `python -m sweep.run` brings one" if names else ""
        return f"{head}: open, for no held-out {agent} took part{remedy}."
    none = f"{names} does not {verb}" if len(said) == 1 else f"none of {names} {verb}s"
    return f"{head}: positive: the lead is significant, and {none} significantly less."


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
