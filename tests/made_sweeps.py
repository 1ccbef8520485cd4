"""Sweeps of the tiny recipe and what their trials would measure, without any training."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sweep.search.search import Search, Turn
from sweep.spec.axes import Space
from sweep.spec.limits import Limits
from sweep.spec.presets import preset
from sweep.spec.space import Sweep
from sweep.spec.trials import Trial
from sweep.store.schema import Record

NONE = Limits()


def make(
    trials: int = 0,
    lmbdas: tuple[float, ...] = (0.001, 0.003),
    gammas: tuple[float, ...] = (0.3, 1.0),
    limits: Limits = NONE,
    **more: Any,
) -> Sweep:
    base = preset("tiny")
    return replace(base, space=Space(lmbdas, gammas, trials, classical=base.space.classical, **more), limits=limits)


def measured(trial: Trial) -> dict[str, float]:
    """A smooth surface: more bits for a larger lambda, better reading and lower PSNR for a larger gamma."""
    bpp = 0.05 + 20 * trial.config.lmbda
    accuracy = 1 - math.exp(-(1 + trial.config.gamma) * 10 * bpp)
    cost = {"gpu_hours": 0.5} if trial.steps else {}
    return {"bpp": bpp, "accuracy": accuracy, "psnr_db": 20 + 10 * bpp - trial.config.gamma, "seconds": 1.0} | cost


def record(trial: Trial, finished: bool = True, proposed: bool = False, **more: Any) -> Record:
    config, metrics = trial.config, measured(trial) if finished else {}
    more = {"spent_hours": metrics.get("gpu_hours", 0.0)} | more
    return Record(
        trial.key,
        trial.kind,
        finished,
        config.lmbda,
        config.gamma,
        proposed,
        metrics,
        lmbda_share=config.train.lmbda_share,
        decides=trial.decides,
        **more,
    )


def run_all(search: Search, ends: Callable[[Trial], bool] = lambda trial: True) -> list[Trial]:
    """Run the search to its end in one slot; `ends` says which trials succeed."""
    ran = []
    while isinstance(trial := search.ask(), Trial):
        ran.append(trial)
        if ends(trial):
            search.tell(trial.key, measured(trial))
        else:
            search.fail(trial.key, "ValueError: spoilt", retryable=False)
    assert trial is Turn.DONE
    return ran


def proposed(search: Search) -> int:
    """Number of trials that Optuna proposed."""
    return sum(state.proposed for state in search.states.values())


def ask(search: Search) -> Trial:
    trial = search.ask()
    assert isinstance(trial, Trial)
    return trial
