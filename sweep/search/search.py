"""The next trial to run: the stage tree of a sweep, then Optuna's proposals beyond it. No Ray, no storage.

    reference ------------------------------------------> point
    pretrain lmbda ------------------------------+------> point (the baseline codec)
                                                 +------> control ----> point (stage 1 with the steps of stage 2)
                                                 +------> finetune gamma ----> point
    classical codecs, intermediate checkpoints: where a slot would be idle ----> points
                                                          the points ---> Optuna ---> finetune lmbda gamma

The whole state is rebuilt from the records of the tracking store, so the same command resumes a sweep, or grows it.
"""

import enum
import functools
import math
from collections.abc import Callable, Iterable, Mapping

from sweep.search.proposals import Point, Proposals
from sweep.search.state import State, Status
from sweep.spec.family import member_of
from sweep.spec.space import Sweep
from sweep.spec.trials import CHECKPOINTS, FILLERS, TRAINED, Kind, Trial
from sweep.store.schema import Record
from sweep.store.weights import trained


class Turn(enum.Enum):
    """An answer of `ask` that is not a trial."""

    WAIT = "nothing to run until a running trial ends"
    DONE = "nothing left to run"


class Search:
    """Asked for the next trial, told how each one ended.

    Args:
        sweep: The space to cover, and its limits.
        records: The trials of the sweep that the tracking store holds already.
    """

    def __init__(self, sweep: Sweep, records: Iterable[Record] = ()) -> None:
        self.sweep = sweep
        self.limits = sweep.limits
        self.target = sweep.target
        self.records = {record.key: record for record in records}
        """The store's records at the start by key, trials of other settings included."""
        self.before = trained(self.records.values())
        """The store's finished trainings by what decides their weights, whatever they were measured on."""
        self.states = {trial.key: State(trial) for trial in sweep.grid()}
        """Every trial known so far by key: the grid, then the proposals."""
        self.without_intermediates: list[str] = []
        """Keys of finished fine-tunings that have fewer intermediate checkpoints than are asked for now."""
        for record in self.records.values():
            self._adopt_earlier_proposal(record)
        self._leave_out_missing_intermediates()
        for key, state in self.states.items():
            if key in self.records:
                self._restore(state, self.records[key])
        for trial in self.measured_again:
            self.states[trial.key].spent_hours = self.before[trial.weights].spent_hours
        self._proposals: Proposals | None = None
        self._exhausted = False

    def _restore(self, state: State, record: Record) -> None:
        state.spent_hours = record.spent_hours
        if record.finished:
            state.status, state.metrics = Status.FINISHED, record.metrics
            return
        state.trained_hours = record.trained_hours
        if record.stopped and self.limits.stops:
            state.end(Status.STOPPED, record.reason)

    def _adopt_earlier_proposal(self, record: Record) -> None:
        """Make a proposal of an earlier run part of the sweep, if its settings are still those of this sweep."""
        if record.kind is Kind.FINETUNE and record.proposed and record.lmbda in self.sweep.trained_lmbdas:
            trial = self.sweep.finetune(record.lmbda, record.gamma, record.lmbda_share)
            same = self.before.get(trial.weights)
            if (trial.key == record.key or same is record) and trial.key not in self.states:
                self._adopt(trial)

    def _adopt(self, trial: Trial) -> None:
        """Make a proposed fine-tuning part of the sweep, at other lambdas and with its intermediate checkpoints."""
        self.states[trial.key] = State(trial, proposed=True)
        more = [*self.sweep.at_lmbdas(trial), *self.sweep.intermediates(trial)]
        self.states |= {each.key: State(each) for each in more}

    def _leave_out_missing_intermediates(self) -> None:
        """A finished training has the intermediate checkpoints that it wrote, and no others."""
        for trial in self.trials():
            if trial.kind not in CHECKPOINTS:
                continue
            parent = self.records.get(trial.parent)
            if parent is None or not parent.finished:
                parent = self.before.get(self.states[trial.parent].trial.weights)
            if parent is None:
                continue
            if trial.step not in parent.intermediate_steps:
                del self.states[trial.key]
                if trial.kind is Kind.INTERMEDIATE and trial.parent not in self.without_intermediates:
                    self.without_intermediates.append(trial.parent)

    def trials(self, *statuses: Status) -> list[Trial]:
        """The trials with one of these states, or all if none is given: those of the grid, then the proposals."""
        return [each.trial for each in self.states.values() if not statuses or each.status in statuses]

    @property
    def measured_again(self) -> list[Trial]:
        """The trials that are still to be measured, of which the store has the weights: nothing is trained for them."""
        return [trial for trial in self.trials(Status.WAITING) if self.is_measured_again(trial)]

    def is_measured_again(self, trial: Trial) -> bool:
        """True for a trial to be measured of which a finished run, of another measurement, has the weights."""
        return trial.kind in TRAINED and trial.weights in self.before

    def trains(self, trial: Trial) -> bool:
        """True for a trial whose weights are in no run yet."""
        known = trial.weights in self.before or self.states[trial.key].trained_hours is not None
        return trial.kind in TRAINED and not known

    def reasons(self, *statuses: Status) -> dict[str, str]:
        """The reasons of the trials with one of these states, by key."""
        return {trial.key: self.states[trial.key].reason for trial in self.trials(*statuses)}

    @property
    def results(self) -> dict[str, Mapping[str, float]]:
        """Final metrics of the finished trials by key."""
        return {trial.key: self.states[trial.key].metrics for trial in self.trials(Status.FINISHED)}

    @property
    def proposals_left(self) -> float:
        """Proposals that Optuna may still make; infinite when only a budget of GPU-hours ends them."""
        space = self.sweep.space
        if self._exhausted or self.over_budget or not space.gammas:
            return 0
        if self.limits.gpu_hours and not space.trials:
            return math.inf
        return max(0, space.trials - sum(state.proposed for state in self.states.values()))

    @property
    def spent_hours(self) -> float:
        """GPU-hours of the trials so far, those of earlier runs and of failed attempts included."""
        return sum(state.spent_hours for state in self.states.values())

    @property
    def over_budget(self) -> bool:
        """True if the GPU-hours are spent: no more training is started then."""
        return self.spent_hours >= self.limits.budget_hours

    @property
    def total(self) -> int:
        """Number of trials: the known ones and, where their number is fixed, those still to be proposed."""
        left = self.proposals_left
        others = len(self.sweep.other_lmbdas(self.sweep.trained_lmbdas[0]))
        each = 1 + others + len(self.sweep.intermediate_steps)
        return len(self.states) + (int(left) * each if math.isfinite(left) else 0)

    def ask(self, room: Callable[[Kind], bool] = lambda kind: True) -> Trial | Turn:
        """Return the next trial, long ones first: stage 1, stage 2, proposals; fillers where a slot would be idle.

        A proposal waits for the last results of the grid as long as there is a filler to run meanwhile.

        Args:
            room: Says whether there is room for a trial of this kind beside those that run. The first long trial for
                which there is none lets fillers pass, and no other: a large one would wait for ever.
        """
        self._drop_orphans()
        waiting = [
            each for each in self.states.values() if each.status is Status.WAITING and self._released(each.trial)
        ]
        ready = [each.trial for each in sorted(waiting, key=lambda each: each.attempts == 0)]  # retries first
        spent = self.over_budget
        long = [trial for trial in ready if trial.kind not in FILLERS and not (spent and self.trains(trial))]
        room = functools.cache(room)  # the same answer for all trials of a kind
        filler = next((trial for trial in ready if trial.kind in FILLERS and room(trial.kind)), None)
        running = self.trials(Status.RUNNING)
        informed = not any(trial.steps for trial in running)
        if long:
            trial = long[0] if room(long[0].kind) else filler
        elif room(Kind.FINETUNE):
            trial = (self._propose() if informed else None) or filler or self._propose()
        else:
            trial = filler
        if trial is None:
            return Turn.WAIT if running else Turn.DONE
        self.states[trial.key].end(Status.RUNNING, "")
        return trial

    def trained(self, key: str, gpu_hours: float) -> None:
        """The training of a trial has ended, which took so many GPU-hours in all; it is still to be measured."""
        state = self._running(key)
        self._count(state, gpu_hours)
        state.trained_hours = gpu_hours

    def tell(self, key: str, metrics: Mapping[str, float]) -> None:
        """A trial has finished with these metrics."""
        state = self._running(key)
        state.status, state.metrics = Status.FINISHED, metrics
        self._count(state, metrics.get("gpu_hours", 0.0))
        if self._proposals is not None:
            self._teach(self._proposals, state)

    def stop(self, key: str, reason: str, gpu_hours: float = 0.0) -> None:
        """A rule has stopped a trial. That is no failure, and it is not tried again while there are rules."""
        self._lose(key, Status.STOPPED, reason, gpu_hours)

    def fail(self, key: str, reason: str, gpu_hours: float = 0.0, *, retryable: bool = True) -> bool:
        """A trial has failed.

        Args:
            key: Its key.
            reason: Why it failed.
            gpu_hours: GPU-hours that the attempt took.
            retryable: Whether another attempt may succeed.

        Returns:
            Whether it is tried again. If not, its descendants will not run.
        """
        state = self._running(key)
        state.attempts += 1
        if retryable and state.attempts <= self.limits.retries:
            state.end(Status.WAITING, reason)
            state.spent_hours += gpu_hours
            return True
        self._lose(key, Status.FAILED, reason, gpu_hours)
        return False

    def _count(self, state: State, gpu_hours: float) -> None:
        """Count the GPU-hours that a training took in all its attempts; failed ones may have been counted already."""
        if self.trains(state.trial):
            state.spent_hours = max(state.spent_hours, gpu_hours)

    def _running(self, key: str) -> State:
        state = self.states[key]
        assert state.status is Status.RUNNING
        return state

    def _lose(self, key: str, status: Status, reason: str, gpu_hours: float) -> None:
        state = self._running(key)
        state.end(status, reason)
        state.spent_hours += gpu_hours
        if self._proposals is not None and self._proposable(state.trial):
            self._proposals.fail(_point(state.trial))

    def _released(self, trial: Trial) -> bool:
        return not trial.parent or self.states[trial.parent].status is Status.FINISHED

    def _drop_orphans(self) -> None:
        """End the waiting trials whose parent was lost, down to the last descendant."""
        for trial in self.trials(Status.WAITING):  # parents come before their children
            if (parent := self.states.get(trial.parent)) and (end := parent.end_of_children):
                self.states[trial.key].end(*end)

    def _propose(self) -> Trial | None:
        """A new fine-tuning, or None: no budget, nothing pre-trained, or nothing new to find."""
        settled = not any(trial.kind is Kind.PRETRAIN for trial in self.trials(Status.RUNNING))
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
        return trial

    def _pretrained(self) -> list[float]:
        finished = {trial.key for trial in self.trials(Status.FINISHED)}
        return [lmbda for lmbda in self.sweep.trained_lmbdas if self.sweep.pretrain(lmbda).key in finished]

    def _build(self, pretrained: list[float]) -> Proposals:
        """Proposals that know every fine-tuning."""
        space, seed, metric = self.sweep.space, self.sweep.train.seed, self.sweep.family[0].metric
        proposals = Proposals(pretrained, space.gamma_range, self.sweep.lmbda_shares, seed, self.target, metric)
        for state in self.states.values():
            if state.status is Status.FINISHED:
                self._teach(proposals, state)
            elif self._proposable(state.trial):
                lost = state.status not in (Status.WAITING, Status.RUNNING)
                (proposals.fail if lost else proposals.mark_running)(_point(state.trial))
        return proposals

    def _proposable(self, trial: Trial) -> bool:
        """True for a fine-tuning of the kind that is proposed: of the first member of the family and the first seed."""
        train = trial.config.train
        first = member_of(train) == self.sweep.family[0] and train.seed == self.sweep.train.seed
        return trial.kind is Kind.FINETUNE and first

    def _teach(self, proposals: Proposals, state: State) -> None:
        if self._proposable(state.trial):
            proposals.tell(_point(state.trial), state.metrics)


def _point(trial: Trial) -> Point:
    return Point(trial.config.lmbda, trial.config.gamma, trial.config.train.lmbda_share)
