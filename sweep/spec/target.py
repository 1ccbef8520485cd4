"""A target: a bound that the codec must meet, written as `accuracy>=0.95`, `psnr_db>=30` or `bpp<=0.3`.

A sweep with a target looks for one codec instead of a front: the one with the fewest bits at that accuracy or PSNR, or
the one with the best accuracy within that rate.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tfic.measuring import row
from tfic.task_names import FURTHER_TASKS, TASKS

Metrics = Mapping[str, float]
Objectives = Mapping[str, row.Direction]
BOUNDED = (*row.OBJECTIVES, *(TASKS[name].metric for name in FURTHER_TASKS))
"""Metrics that a target may bound."""
EXAMPLES = "accuracy>=0.95, psnr_db>=30 or bpp<=0.3"


def objectives(metric: str = "accuracy") -> Objectives:
    """The objectives of a sweep, each with its better direction; `metric` is that of its task and replaces accuracy."""
    names = [metric if name == "accuracy" else name for name in row.OBJECTIVES]
    return {name: row.MEASURES[name].direction for name in names}


@dataclass(frozen=True)
class Target:
    """A bound that a codec must hold in one metric; another metric decides among those that hold it."""

    metric: str
    """Name of the bounded metric, one of `BOUNDED`."""
    value: float
    """The bound: at most this for bpp, at least this for accuracy, PSNR in dB and the metrics of other tasks."""
    task_metric: str = "accuracy"
    """The metric that decides among codecs that hold a bound on bpp."""

    def __post_init__(self) -> None:
        if self.metric not in BOUNDED:
            raise ValueError(f"target names {self.metric!r}; it must be {EXAMPLES}")
        top = math.inf if self.metric in ("bpp", "psnr_db") else 1.0
        if not (math.isfinite(self.value) and 0 < self.value <= top):
            wanted = "a positive number" if math.isinf(top) else "above 0, at most 1"
            raise ValueError(f"target {self}: {self.value!r} cannot be held; {self.metric} must be {wanted}")

    def __str__(self) -> str:
        """The form that `parse` takes."""
        return f"{self.metric}{'<=' if row.MEASURES[self.metric].direction == 'minimize' else '>='}{self.value:.12g}"

    @classmethod
    def parse(cls, text: str, task_metric: str = "accuracy") -> "Target":
        """The target in a text such as `accuracy>=0.95`; `task_metric` is that of the sweep's task.

        Raises:
            ValueError: for another form, an unknown metric, the wrong side of a bound or a bound that nothing holds.
        """
        found = re.fullmatch(r"\s*(\w+)\s*(<=|>=)\s*(\S+)\s*", text)
        if not found:
            raise ValueError(f"target is {text!r}; it must be of the form {EXAMPLES}")
        metric, side, number = found.groups()
        if metric not in BOUNDED:
            raise ValueError(f"target {text!r} names {metric!r}; it must be of the form {EXAMPLES}")
        try:
            value = float(number)
        except ValueError:
            raise ValueError(f"target {text!r}: {number!r} is not a number; write {EXAMPLES}") from None
        target = cls(metric, value, task_metric)
        if side not in str(target):
            wanted = "low" if row.MEASURES[metric].direction == "minimize" else "high"
            raise ValueError(f"target {text!r}: {metric} is better {wanted}; write {target}")
        return target

    @property
    def objective(self) -> str:
        """The metric that decides among codecs that hold the target: bpp, or that of the task for a bound on bpp."""
        return self.task_metric if self.metric == "bpp" else "bpp"

    def excess(self, metrics: Metrics) -> float:
        """Distance of a result beyond the bound, in the metric's unit: 0 or less if it holds; nan if not measured."""
        distance = metrics.get(self.metric, math.nan) - self.value
        return distance if row.MEASURES[self.metric].direction == "minimize" else -distance

    def holds(self, metrics: Metrics) -> bool:
        """True if a result holds the target."""
        return self.excess(metrics) <= 0

    def cost(self, metrics: Metrics) -> float:
        """The objective turned so that less is better; nan if not measured."""
        value = metrics.get(self.objective, math.nan)
        return value if row.MEASURES[self.objective].direction == "minimize" else -value

    def best(self, results: Mapping[str, Metrics]) -> str | None:
        """Key of the best result that holds the target, of equal ones the first; None when none holds it."""
        holding = [key for key, metrics in results.items() if self.holds(metrics) and math.isfinite(self.cost(metrics))]
        return min(holding, key=lambda key: self.cost(results[key]), default=None)
