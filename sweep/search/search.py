"""What to run next: the stage tree of a sweep, then Optuna's proposals beyond it. No Ray, no storage.

    reference ------------------------------------------> point
    pretrain lmbda ------------------------------+------> point (the baseline codec)
                                                 +------> finetune gamma ----> point
    classical codecs, codecs kept on the way: wherever a slot would wait -------> points
                                                          the points ---> Optuna ---> finetune lmbda gamma

The whole state is rebuilt from what the tracking store holds, so a sweep goes on, and grows, by looking.
"""

import enum
import itertools
import math
from collections.abc import Iterable, Mapping

import moocore
import numpy as np

from sweep.search.proposals import Point, Proposals
from sweep.spec.space import Sweep
from sweep.spec.target import Target
from sweep.spec.trials import FILLERS, Trial
from sweep.store.schema import Record

LASTING = ("FloatingPointError", "ValueError")
"""Errors that the same settings and data give again, so that another attempt would be wasted."""


class Turn(enum.Enum):
    """An answer of `ask` that is not a trial."""

    WAIT = "nothing to run until a running trial ends"
    DONE = "nothing left to run"


class Search:
    """Asked for the next trial, told how each one ended.

    Args:
        sweep: What to cover, and its limits.
        records: What the tracking store holds of it already.
    """

    def __init__(self, sweep: Sweep, records: Iterable[Record] = ()) -> None:
        self.sweep = sweep
        self.limits = sweep.limits
        self.target = Target.parse(self.limits.target) if self.limits.target else None
        self.records = {record.key: record for record in records}
        """What the store held at the start, by key, trials of other settings included."""
        self.trials = {trial.key: trial for trial in sweep.grid()}
        """Every trial known so far by key: the grid, then the proposals."""
        self.proposed: set[str] = set()
        """Keys of the trials that Optuna proposed."""
        for record in self.records.values():
            self._recall(record)
        self._leave_out_what_was_not_kept()
        known = {key: self.records[key] for key in self.trials if key in self.records}
        self.results: dict[str, Mapping[str, float]] = {
            key: each.metrics for key, each in known.items() if each.finished
        }
        """Final metrics of the finished trials by key."""
        self.stopped = {key: each.reason for key, each in known.items() if each.stopped and self.limits.stops}
        """Why a rule stopped a trial, by key."""
        self.failed: dict[str, str] = {}
        """Why a trial failed, by key, when its retries were spent."""
        self.not_run: dict[str, str] = {}
        """Why a trial cannot run, by key."""
        self.running: set[str] = set()
        """Keys of the trials that were asked for and not told."""
        ended = self.results.keys() | self.stopped.keys()
        self.waiting = {key: trial for key, trial in self.trials.items() if key not in ended}
        """Trials that are known and still to run by key, in the order in which they are released."""
        self.attempts: dict[str, int] = {}
        """How often a trial has failed in this run, by key."""
        self.spent_hours = sum(metrics.get("gpu_hours", 0.0) for metrics in self.results.values())
        """GPU-hours that the trials cost so far, earlier runs' finished ones included."""
        self._proposals: Proposals | None = None
        self._exhausted = False

    def _recall(self, record: Record) -> None:
        """Take back a proposal of an earlier run, if its settings are still those of this sweep."""
        if record.kind == "finetune" and record.proposed and record.lmbda in self.sweep.space.lmbdas:
            trial = self.sweep.finetune(record.lmbda, record.gamma, record.lmbda_share)
            if trial.key == record.key and trial.key not in self.trials:
                self._adopt(trial)

    def _adopt(self, trial: Trial) -> None:
        """Make a proposed fine-tuning, and what it keeps on its way, part of the sweep."""
        self.proposed.add(trial.key)
        for each in (trial, *self.sweep.candidates(trial)):
            self.trials[each.key] = each

    def _leave_out_what_was_not_kept(self) -> None:
        """A fine-tuning that has finished cannot be asked for codecs that it did not keep."""
        self.not_kept: list[str] = []
        """Keys of finished fine-tunings that kept fewer codecs on the way than are asked for now."""
        for trial in [each for each in self.trials.values() if each.kind == "candidate"]:
            parent = self.records.get(trial.parent)
            if parent is not None and parent.finished and trial.step not in parent.kept:
                del self.trials[trial.key]
                if trial.parent not in self.not_kept:
                    self.not_kept.append(trial.parent)

    @property
    def proposals_left(self) -> float:
        """Proposals that Optuna may still make; infinite when only a budget of GPU-hours ends them."""
        space = self.sweep.space
        if self._exhausted or self.over_budget or not space.gammas:
            return 0
        if self.limits.gpu_hours and not space.trials:
            return math.inf
        return max(0, space.trials - len(self.proposed))

    @property
    def over_budget(self) -> bool:
        """Whether the GPU-hours are spent: nothing that trains is started any more."""
        return self.spent_hours >= self.limits.budget_hours

    @property
    def total(self) -> int:
        """Trials of the sweep: finished, known and, when their number is fixed, still to be proposed."""
        left = self.proposals_left
        return len(self.trials) + (int(left) * (1 + len(self.sweep.kept_steps)) if math.isfinite(left) else 0)

    def ask(self) -> Trial | Turn:
        """The next trial, long ones first: stage 1, stage 2, proposals; what trains nothing fills the gaps.

        A proposal waits for the last results of the grid as long as there is something to fill the wait with.
        """
        self._drop_orphans()
        ready = [trial for trial in self.waiting.values() if self._released(trial)]
        long = [trial for trial in ready if trial.kind not in FILLERS and not (trial.steps and self.over_budget)]
        fillers = [trial for trial in ready if trial.kind in FILLERS]
        informed = not any(self.trials[key].steps for key in self.running)
        trial = (
            (long[0] if long else None)
            or (self._propose() if informed else None)
            or (fillers[0] if fillers else None)
            or self._propose()
        )
        if trial is None:
            return Turn.WAIT if self.running else Turn.DONE
        self.waiting.pop(trial.key, None)
        self.running.add(trial.key)
        return trial

    def tell(self, key: str, metrics: Mapping[str, float]) -> None:
        """A trial has finished with these metrics."""
        self.running.remove(key)
        self.results[key] = metrics
        self.spent_hours += metrics.get("gpu_hours", 0.0)
        if self._proposals is not None:
            self._teach(self._proposals, key)

    def stop(self, key: str, reason: str, gpu_hours: float = 0.0) -> None:
        """A rule has stopped a trial; it counts as no failure and is not tried again while there are rules."""
        self._end(key, gpu_hours)
        self.stopped[key] = reason

    def fail(self, key: str, reason: str, gpu_hours: float = 0.0) -> bool:
        """A trial has failed; the answer is whether it is tried again. If not, what stands on it will not run."""
        self.attempts[key] = self.attempts.get(key, 0) + 1
        if not reason.startswith(LASTING) and self.attempts[key] <= self.limits.retries:
            self.running.remove(key)
            self.spent_hours += gpu_hours
            self.waiting = {key: self.trials[key], **self.waiting}
            return True
        self._end(key, gpu_hours)
        self.failed[key] = reason
        return False

    def _end(self, key: str, gpu_hours: float) -> None:
        self.running.remove(key)
        self.spent_hours += gpu_hours
        if self._proposals is not None and self.trials[key].kind == "finetune":
            self._proposals.fail(_point(self.trials[key]))

    def _released(self, trial: Trial) -> bool:
        return not trial.parent or trial.parent in self.results

    def _drop_orphans(self) -> None:
        """Take away what can never run, as far down the tree as it goes."""
        for trial in list(self.waiting.values()):  # parents come before what stands on them
            parent = self.trials.get(trial.parent)
            if parent is None:
                continue
            what = "fine-tuning" if parent.kind == "finetune" else "pre-training"
            if parent.key in self.stopped:
                self.stopped[trial.key] = f"its {what} was stopped: {self.stopped[parent.key]}"
            elif parent.key in self.failed:
                self.not_run[trial.key] = f"its {what} failed: {self.failed[parent.key]}"
            elif parent.key in self.not_run:
                self.not_run[trial.key] = self.not_run[parent.key]
            else:
                continue
            del self.waiting[trial.key]

    def _propose(self) -> Trial | None:
        """A fine-tuning that is not known yet, or None: no budget, nothing pre-trained, or nothing new to find."""
        settled = not any(self.trials[key].kind == "pretrain" for key in self.running)
        pretrained = self._pretrained()
        if not (self.proposals_left and settled and pretrained):
            return None
        if self._proposals is None:
            self._proposals = self._build(pretrained)
        for lmbda in pretrained:
            self._proposals.pretrained(lmbda)
        point = self._proposals.propose()
        if point is None:
            self._exhausted = True
            return None
        trial = self.sweep.finetune(point.lmbda, point.gamma, point.lmbda_share)
        self._adopt(trial)
        self.waiting |= {each.key: each for each in self.sweep.candidates(trial)}
        return trial

    def _pretrained(self) -> list[float]:
        return [lmbda for lmbda in self.sweep.space.lmbdas if self.sweep.pretrain(lmbda).key in self.results]

    def _build(self, pretrained: list[float]) -> Proposals:
        """Proposals that know every fine-tuning."""
        space, seed = self.sweep.space, self.sweep.train.seed
        proposals = Proposals(pretrained, space.gamma_range, self.sweep.lmbda_shares, seed, self.target)
        for key, trial in self.trials.items():
            if key in self.results:
                self._teach(proposals, key)
            elif trial.kind == "finetune":
                lost = key in self.failed or key in self.not_run or key in self.stopped
                (proposals.fail if lost else proposals.hold)(_point(trial))
        return proposals

    def _teach(self, proposals: Proposals, key: str) -> None:
        if self.trials[key].kind == "finetune":
            proposals.tell(_point(self.trials[key]), self.results[key])


def _point(trial: Trial) -> Point:
    return Point(trial.config.lmbda, trial.config.gamma, trial.config.train.lmbda_share)


def front(results: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Keys of the results that no other one beats in both bpp and accuracy, from the fewest bits upwards; of equal ones
    the first.
    """
    keys = sorted(results, key=lambda each: (results[each]["bpp"], -results[each]["accuracy"]))
    values = np.array([(results[key]["bpp"], -results[key]["accuracy"]) for key in keys]).reshape(-1, 2)
    return list(itertools.compress(keys, moocore.is_nondominated(values)))
