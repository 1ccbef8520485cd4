"""What to run next: the stage tree of a sweep, then Optuna's proposals beyond it. No Ray, no storage.

    reference ------------------------------------------> point
    pretrain lmbda ------------------------------+------> point (the baseline codec)
                                                 +------> finetune gamma ----> point
    classical codecs, wherever a slot would wait -------> points
                                                          the points ---> Optuna ---> finetune lmbda gamma

The whole state is rebuilt from what the tracking store holds, so a sweep goes on, and grows, by looking.
"""

import enum
import math
from collections.abc import Iterable, Mapping
from typing import Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from sweep.space import Record, Sweep, Trial

OBJECTIVES: dict[str, Literal["minimize", "maximize"]] = {
    "bpp": "minimize",
    "accuracy": "maximize",
    "psnr_db": "maximize",
}
"""What Optuna trades off, by name of the metric."""
DRAWS = 20
"""How often Optuna is asked again for a proposal that is new, before the search is called exhausted."""


class Turn(enum.Enum):
    """An answer of `ask` that is not a trial."""

    WAIT = "nothing to run until a running trial ends"
    DONE = "nothing left to run"


class Search:
    """Asked for the next trial, told how each one ended.

    Args:
        sweep: What to cover.
        records: What the tracking store holds of it already.
    """

    def __init__(self, sweep: Sweep, records: Iterable[Record] = ()) -> None:
        self.sweep = sweep
        self.trials = {trial.key: trial for trial in sweep.grid()}
        """Every trial known so far by key: the grid, then the proposals."""
        self.results: dict[str, Mapping[str, float]] = {}
        """Final metrics of the finished trials by key."""
        self.failed: dict[str, str] = {}
        """Why a trial failed, by key."""
        self.not_run: dict[str, str] = {}
        """Why a trial cannot run, by key."""
        self.running: set[str] = set()
        """Keys of the trials that were asked for and not told."""
        self.proposed: set[str] = set()
        """Keys of the trials that Optuna proposed."""
        known = {record.key: record for record in records}
        for record in known.values():
            self._recall(record)
        self.results = {key: known[key].metrics for key in self.trials if key in known and known[key].finished}
        self.waiting = [trial for trial in self.trials.values() if trial.key not in self.results]
        """Trials that are known and still to run, in the order in which they are released."""
        self._study: optuna.Study | None = None
        self._open: dict[str, optuna.Trial] = {}
        self._exhausted = False

    def _recall(self, record: Record) -> None:
        """Take back a proposal of an earlier run, if its settings are still those of this sweep."""
        if record.proposed and record.key not in self.trials and record.lmbda in self.sweep.space.lmbdas:
            trial = self.sweep.finetune(record.lmbda, record.gamma)
            if trial.key == record.key:
                self.trials[trial.key] = trial
                self.proposed.add(trial.key)

    @property
    def proposals_left(self) -> int:
        """Proposals that Optuna may still make."""
        return 0 if self._exhausted else max(0, self.sweep.space.trials - len(self.proposed))

    @property
    def total(self) -> int:
        """Trials of the sweep: finished, known and still to be proposed."""
        return len(self.trials) + self.proposals_left

    def ask(self) -> Trial | Turn:
        """The next trial, long ones first: stage 1, stage 2, proposals; classical codecs fill the gaps.

        A proposal waits for the last results of the grid as long as there is something to fill the wait with.
        """
        self._drop_orphans()
        grid = [trial for trial in self.waiting if self._released(trial)]
        trained = [trial for trial in grid if trial.kind != "classical"]
        informed = not any(self.trials[key].kind in ("pretrain", "finetune") for key in self.running)
        trial = (
            (trained[0] if trained else None)
            or (self._propose() if informed else None)
            or (grid[0] if grid else None)
            or self._propose()
        )
        if trial is None:
            return Turn.WAIT if self.running else Turn.DONE
        if trial in self.waiting:
            self.waiting.remove(trial)
        self.running.add(trial.key)
        return trial

    def tell(self, key: str, metrics: Mapping[str, float]) -> None:
        """A trial has finished with these metrics."""
        self.running.remove(key)
        self.results[key] = metrics
        values = _values(metrics)
        if key in self._open:
            assert self._study is not None
            failed = TrialState.FAIL if values is None else None
            self._study.tell(self._open.pop(key), values, state=failed)
        elif self._study is not None:
            self._remember(self._study, key)

    def fail(self, key: str, reason: str) -> None:
        """A trial has failed; what stands on it will not run, the rest goes on."""
        self.running.remove(key)
        self.failed[key] = reason
        if key in self._open:
            assert self._study is not None
            self._study.tell(self._open.pop(key), state=TrialState.FAIL)

    def _released(self, trial: Trial) -> bool:
        return not trial.parent or trial.parent in self.results

    def _drop_orphans(self) -> None:
        for trial in [each for each in self.waiting if each.parent in self.failed]:
            self.waiting.remove(trial)
            self.not_run[trial.key] = f"its pre-training failed: {self.failed[trial.parent]}"

    def _propose(self) -> Trial | None:
        """A fine-tuning that is not known yet, or None: no budget, nothing pre-trained, or nothing new to find."""
        settled = not any(self.trials[key].kind == "pretrain" for key in self.running)
        if not (self.proposals_left and settled):
            return None
        lmbdas = self._pretrained()
        if not lmbdas:
            return None
        distributions = _distributions(lmbdas, self.sweep.space.gamma_range)
        study = self._study = self._study or self._build()
        for _ in range(DRAWS):
            asked = study.ask(distributions)
            gamma = float(f"{asked.params['gamma']:.3g}")
            trial = self.sweep.finetune(asked.params["lmbda"], gamma)
            if trial.key not in self.trials:
                self.trials[trial.key] = trial
                self.proposed.add(trial.key)
                self._open[trial.key] = asked
                return trial
            study.tell(asked, state=TrialState.FAIL)
        self._exhausted = True
        return None

    def _pretrained(self) -> list[float]:
        return [lmbda for lmbda in self.sweep.space.lmbdas if self.sweep.pretrain(lmbda).key in self.results]

    def _build(self) -> optuna.Study:
        """A study that knows every finished fine-tuning. The seed moves with them, so no draw comes twice."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        seed = self.sweep.train.seed + len(self.results)
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=4)
        study = optuna.create_study(directions=list(OBJECTIVES.values()), sampler=sampler)
        for key in self.results:
            self._remember(study, key)
        return study

    def _remember(self, study: optuna.Study, key: str) -> None:
        """Add a finished fine-tuning to the study, if it has a value for every objective."""
        trial, values = self.trials[key], _values(self.results[key])
        lmbdas = self._pretrained()
        if trial.kind != "finetune" or trial.config.lmbda not in lmbdas or values is None:
            return
        gamma = trial.config.gamma
        low, high = self.sweep.space.gamma_range
        distributions = _distributions(lmbdas, (min(low, gamma), max(high, gamma)))
        params = {"lmbda": trial.config.lmbda, "gamma": gamma}
        study.add_trial(create_trial(values=values, params=params, distributions=distributions))


def _distributions(lmbdas: list[float], gamma_range: tuple[float, float]) -> dict[str, BaseDistribution]:
    """Lambda is a choice among the pre-trained, else stage 1 could not be shared; gamma is continuous."""
    return {"lmbda": CategoricalDistribution(lmbdas), "gamma": FloatDistribution(*gamma_range, log=True)}


def _values(metrics: Mapping[str, float]) -> list[float] | None:
    """The objectives of a finished trial, or None unless all are there and finite."""
    values = [metrics.get(name, math.nan) for name in OBJECTIVES]
    return values if all(map(math.isfinite, values)) else None


def front(results: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Keys of the results that no other one beats in both bpp and accuracy, from the fewest bits upwards."""
    kept: list[str] = []
    best = -math.inf
    for key in sorted(results, key=lambda each: (results[each]["bpp"], -results[each]["accuracy"])):
        if results[key]["accuracy"] > best:
            best = results[key]["accuracy"]
            kept.append(key)
    return kept
