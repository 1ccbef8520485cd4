"""Costs of trials, estimated from those of the finished ones."""

import math
from collections.abc import Iterable, Mapping

from sweep.search.search import Search
from sweep.search.state import Status
from sweep.spec.trials import Kind, Trial


def mean_seconds(search: Search) -> dict[Kind, float]:
    """Mean wall time in seconds of the finished trials by kind; kinds of which none has finished are left out."""
    seconds: dict[Kind, list[float]] = {}
    for trial in search.trials(Status.FINISHED):
        metrics = search.states[trial.key].metrics
        if "seconds" in metrics:
            seconds.setdefault(trial.kind, []).append(metrics["seconds"])
    return {kind: sum(values) / len(values) for kind, values in seconds.items()}


def hours(trials: Iterable[Trial], mean: Mapping[Kind, float]) -> float:
    """Hours that trials take in one slot, one after the other; nan when some kind has no finished one to go by."""
    return sum(mean.get(trial.kind, math.nan) for trial in trials) / 3600
