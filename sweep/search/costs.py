"""What trials cost, from what the finished ones did."""

import math

from sweep.search.search import Search
from sweep.spec.trials import Trial


def mean_seconds(search: Search) -> dict[str, float]:
    """Mean wall time in seconds of the finished trials by kind; kinds of which none has finished are left out."""
    seconds: dict[str, list[float]] = {}
    for key, metrics in search.results.items():
        if "seconds" in metrics:
            seconds.setdefault(search.trials[key].kind, []).append(metrics["seconds"])
    return {kind: sum(values) / len(values) for kind, values in seconds.items()}


def hours(trials: list[Trial], mean: dict[str, float]) -> float:
    """Hours of a slot that trials will take, one after the other; nan when some kind has no finished one to go by."""
    return sum(mean.get(trial.kind, math.nan) for trial in trials) / 3600
