"""Proposals of Optuna: points (lambda, gamma, share of lambda in stage 2) beyond the grid. No Ray, no storage.

    tell, mark_running, fail --> results, open, failed --> at most MAX_OBSERVATIONS --> a study --> ask --> a new point

`Proposals` holds all that the study holds, so the study is made anew whenever that is simpler: after a restart, for one
more pre-trained lambda, and when it has grown to twice `MAX_OBSERVATIONS`. No trial stays RUNNING in it.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import moocore
import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweep.spec.target import Metrics, Objectives, Target, objectives
from tfic.measuring.row import Direction

DRAWS = 20
"""Draws without a new point after which the space counts as exhausted."""
MAX_OBSERVATIONS = 75
"""Results that a new study begins with; all of a thousand cost ten times as much a proposal (figures in LOG.md)."""

SHARE = "floor"
"""Optuna's name for the share of lambda. It draws in the order of the names, so another name gives other points."""


@dataclass(frozen=True, order=True)
class Point:
    """The settings of a fine-tuning that the search chooses."""

    lmbda: float
    """Weight of distortion in stage 1."""
    gamma: float
    """Weight of reading in stage 2."""
    lmbda_share: float = 0.0
    """Share of lambda that stage 2 keeps, 0 to 1."""


def tpe(seed: int) -> BaseSampler:
    """The sampler of a sweep: multivariate TPE, chosen by `benchmarks/search.py` (figures in LOG.md)."""
    return TPESampler(seed=seed, n_startup_trials=4, multivariate=True, constant_liar=True)


class Proposals:
    """Proposes new points, given the results of the known ones.

    Without a target it trades off the objectives; with one it looks for the best codec that meets it.

    Args:
        lmbdas: The lambdas that are pre-trained; more may come by `pretrained`.
        gamma_range: Smallest and largest gamma to propose, both positive.
        lmbda_shares: Shares of lambda that stage 2 may keep; with two or more, all between the least and the largest
            are proposed, as for gamma: stage 2 is not shared, so a share between two costs no more than theirs.
        seed: Seed; the same knowledge and seed propose the same point.
        target: The bound that the codec must meet, to look for one codec instead of a front.
        metric: The measure of the sweep's task, one of the objectives.
        sampler: Makes Optuna's sampler from a seed.
        max_observations: Results that a study begins with at most; at twice as many it is made anew.
    """

    def __init__(
        self,
        lmbdas: Iterable[float],
        gamma_range: tuple[float, float],
        lmbda_shares: Sequence[float] = (0.0,),
        seed: int = 0,
        target: Target | None = None,
        metric: str = "accuracy",
        sampler: Callable[[int], BaseSampler] = tpe,
        max_observations: int = MAX_OBSERVATIONS,
    ) -> None:
        assert 0 < gamma_range[0] <= gamma_range[1]
        assert lmbda_shares
        self.results: dict[Point, Metrics] = {}
        """Metrics of the finished points."""
        self.open: set[Point] = set()
        """Running points."""
        self.failed: set[Point] = set()
        """Points that failed; they are not proposed again."""
        self._lmbdas = sorted(set(lmbdas))
        self._gammas, self._lmbda_shares = gamma_range, (min(lmbda_shares), max(lmbda_shares))
        self._seed, self._target, self._sampler, self._max_observations = seed, target, sampler, max_observations
        self._objectives = objectives(metric)
        self._study: optuna.Study | None = None
        self._numbers: dict[Point, int] = {}
        """Number of the study's trial for each running point."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)

    def pretrained(self, lmbda: float) -> None:
        """Add a lambda whose stage 1 has finished."""
        if lmbda not in self._lmbdas:
            self._lmbdas = sorted([*self._lmbdas, lmbda])
            self._study = None

    def mark_running(self, point: Point) -> None:
        """Mark a point as running: it is not proposed, and for now its neighbours are avoided."""
        self.open.add(point)
        self._study = None

    def tell(self, point: Point, metrics: Metrics) -> None:
        """Take the result of a point, proposed or of the grid; a result with a value that is not finite is not used."""
        self._close(point)
        self.results[point] = metrics
        if self._study is not None and self._usable(point):
            self._study.add_trial(self._finished(point))

    def fail(self, point: Point) -> None:
        """Mark a point as failed."""
        self._close(point)
        self.failed.add(point)

    def propose(self) -> Point | None:
        """Return a new point, marked as running; None without a pre-trained lambda, or after `DRAWS` known points."""
        if not self._lmbdas:
            return None
        study, distributions = self._up_to_date(), self._distributions()
        old: list[optuna.Trial] = []
        found: Point | None = None
        while found is None and len(old) < DRAWS:
            asked = study.ask(distributions)
            point = self._point(asked.params)
            if point in self.results or point in self.open or point in self.failed:
                old.append(asked)  # left RUNNING for now, so that all samplers, Gaussian processes too, avoid it
                continue
            found = point
            self.open.add(point)
            self._numbers[point] = asked.number
        for each in old:
            study.tell(each, state=TrialState.FAIL)
        return found

    def _close(self, point: Point) -> None:
        """End a running point. Its result is added to the study separately, with gamma as it was run."""
        self.open.discard(point)
        if self._study is not None and point in self._numbers:
            self._study.tell(self._numbers.pop(point), state=TrialState.FAIL)

    def _up_to_date(self) -> optuna.Study:
        """Return the study, or a new one. Its seed depends on the number of known points, so no draw is repeated."""
        if (
            self._study is not None
            and len(self._study.get_trials(False, (TrialState.COMPLETE,))) < 2 * self._max_observations
        ):
            return self._study
        sampler = self._sampler(self._seed + len(self.results) + len(self.open) + len(self.failed))
        directions: list[Direction] = ["minimize"] if self._target else list(self._objectives.values())
        self._study = optuna.create_study(directions=directions, sampler=sampler)
        finished, running = self.training_subset(), [point for point in sorted(self.open) if self._within(point)]
        self._study.add_trials([self._finished(point) for point in finished])
        self._study.add_trials([self._running(point) for point in running])
        self._numbers = {point: len(finished) + i for i, point in enumerate(running)}
        return self._study

    def training_subset(self) -> list[Point]:
        """The finished points that a new study begins with, in the order in which they finished.

        If there are too many, a subset evenly from the best to the worst: TPE models the poor points, too.
        """
        points = [point for point in self.results if self._usable(point)]
        if len(points) <= self._max_observations:
            return points
        metrics = [self.results[point] for point in points]
        order = _by_excess(metrics, self._target) if self._target else _by_front(metrics, self._objectives)
        every = np.linspace(0, len(points) - 1, self._max_observations).round().astype(int)
        return [points[i] for i in sorted(order[every])]

    def _usable(self, point: Point) -> bool:
        return self._within(point) and bool(self._values(self.results[point]))

    def _within(self, point: Point) -> bool:
        low, high = self._gammas
        least, largest = self._lmbda_shares
        return point.lmbda in self._lmbdas and low <= point.gamma <= high and least <= point.lmbda_share <= largest

    def _values(self, metrics: Metrics) -> list[float]:
        """The values for the sampler to improve; none if a value that it needs is missing or not finite."""
        if self._target:
            values, needed = [self._target.cost(metrics)], [self._target.excess(metrics)]
        else:
            values, needed = [metrics.get(name, math.nan) for name in self._objectives], []
        return values if all(map(math.isfinite, values + needed)) else []

    def _distributions(self) -> dict[str, BaseDistribution]:
        """Lambda is an index into the pre-trained ones, because stage 1 is shared; the rest is continuous."""
        return {
            "lmbda": IntDistribution(0, len(self._lmbdas) - 1),
            "gamma": FloatDistribution(*self._gammas, log=True),
            SHARE: FloatDistribution(*self._lmbda_shares),
        }

    def _point(self, params: Mapping[str, Any]) -> Point:
        """The sampler's point, rounded for people, but within the space."""
        gamma = float(np.clip(float(f"{params['gamma']:.3g}"), *self._gammas))
        share = float(np.clip(round(params[SHARE], 2), *self._lmbda_shares))
        return Point(self._lmbdas[params["lmbda"]], gamma, share)

    def _params(self, point: Point) -> dict[str, float]:
        return {"lmbda": self._lmbdas.index(point.lmbda), "gamma": point.gamma, SHARE: point.lmbda_share}

    def _finished(self, point: Point) -> FrozenTrial:
        metrics = self.results[point]
        bound = {str(self._target): self._target.excess(metrics)} if self._target else None
        return create_trial(
            values=self._values(metrics),
            params=self._params(point),
            distributions=self._distributions(),
            constraints=bound,
        )

    def _running(self, point: Point) -> FrozenTrial:
        return create_trial(state=TrialState.RUNNING, params=self._params(point), distributions=self._distributions())


def _by_front(metrics: Sequence[Metrics], names: Objectives) -> np.ndarray:
    """Indices front by front, the best first, each from the fewest bits upwards."""
    signs = [1.0 if direction == "minimize" else -1.0 for direction in names.values()]
    losses = np.array([[sign * each[name] for name, sign in zip(names, signs, strict=True)] for each in metrics])
    return np.lexsort((losses[:, 0], moocore.pareto_rank(losses)))


def _by_excess(metrics: Sequence[Metrics], target: Target) -> np.ndarray:
    """Indices of the results that hold the target, best first, then of those that miss it, nearest first."""
    excess = [max(0.0, target.excess(each)) for each in metrics]
    return np.lexsort(([target.cost(each) for each in metrics], excess))
