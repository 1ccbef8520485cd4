"""`Search` as a searcher of Ray Tune: the driver's part of every trial, from its run in the store to its end."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ray.tune.search import Searcher

from sweep.on_ray.capacity import Capacity
from sweep.on_ray.resources import Slot
from sweep.search.progress import ProgressLines
from sweep.search.search import Search, Turn
from sweep.spec.limits import gpu_hours
from sweep.spec.trials import Trial
from sweep.store.lease import SweepTakenError
from sweep.store.retry import StoreAwayError
from sweep.store.tracking import Tracker

DIED = "its process died (killed, out of memory, or its machine was lost)"
"""Reason of a trial that ended without reporting one."""


@dataclass
class _Held:
    """A trial in a slot."""

    trial: Trial
    run_id: str
    slot: Slot
    measures: bool
    """True if its codec was trained on GPUs already and is measured now, on CPUs."""
    placed: float = 0.0
    """When it got its CPUs and GPUs, in seconds from any fixed moment; 0 while it waits for them."""


class Adapter(Searcher):
    """Asks the search, creates the trial's run, and tells the search how it ended.

    Args:
        search: Asked for trials.
        tracker: The sweep's store.
        progress: Writes the events.
        capacity: Says which trials may start beside those that run.
        check: Called before each start, and before runs are ended; an exception that it raises ends the sweep.
    """

    def __init__(
        self,
        search: Search,
        tracker: Tracker,
        progress: ProgressLines,
        capacity: Capacity,
        check: Callable[[], None],
    ) -> None:
        super().__init__()
        self._search, self._tracker, self._progress = search, tracker, progress
        self._capacity, self._check = capacity, check
        self._trials: dict[str, _Held] = {}
        """By Tune's own name of a trial."""
        self._trained: list[tuple[Trial, str]] = []
        """Trials, with their runs, that are to be measured on CPUs; they hold nothing."""
        self._ends: dict[str, dict[str, Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune keeps a copy to restore, and nothing of Tune's is ever restored."""
        return {}

    def suggest(self, trial_id: str) -> Any:  # Ray's own annotation leaves out FINISHED, a string
        """Return the next trial's configuration, None if no slot or no trial is free now, or FINISHED."""
        self._check()
        slots, held = self._capacity.slots, [each.slot for each in self._trials.values()]
        if self._trained and self._capacity.room(slots.other, held):
            trial, run_id = self._trained.pop(0)
            return self._start(trial_id, _Held(trial, run_id, slots.other, measures=True))
        found = self._search.ask(lambda kind: self._capacity.room(slots.of(kind), held))
        if isinstance(found, Turn):
            return Searcher.FINISHED if found is Turn.DONE else None
        run_id = self._tracker.start(found, self._search.states[found.key].proposed)
        slot = slots.of(found.kind)
        measures = bool(slot.gpus) and self._tracker.trained(run_id) is not None
        asked = _Held(found, run_id, slots.other if measures else slot, measures)
        self._progress.asked(found, waits=self._capacity.waits(asked.slot, held))
        return self._start(trial_id, asked)

    def _start(self, trial_id: str, asked: _Held) -> dict[str, Any]:
        """The configuration of a trial, or of the measurement of what was trained on GPUs."""
        self._trials[trial_id] = asked
        return {"trial": asked.trial, "run_id": asked.run_id, "measures": asked.measures}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Take an event of a trial."""
        held = self._trials[trial_id]
        if result["stage"] == "placed":  # until then it waited for its CPUs and GPUs, and held none
            held.placed = time.monotonic()
            self._progress.started(held.trial)
        elif result["stage"] in ("done", "trained", "stopped", "failed"):
            self._ends[trial_id] = result
        else:
            self._progress.update(held.trial, result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tell the search how a trial ended."""
        held = self._trials.pop(trial_id)
        trial, run_id = held.trial, held.run_id
        end = self._ends.pop(trial_id, {})
        seconds = time.monotonic() - held.placed if held.placed and not held.measures else 0.0
        hours = gpu_hours(trial, seconds, held.slot.gpus)
        match end.get("stage"):
            case "trained":
                self._search.trained(trial.key, end["gpu_hours"])
                self._trained.append((trial, run_id))
            case "done":
                found = {name.partition("metrics/")[2]: value for name, value in end.items()}  # Tune flattened them
                self._finish(trial, {name: value for name, value in found.items() if name})
            case "stopped":
                self._search.stop(trial.key, end["reason"], hours)
                self._progress.stopped(trial, end["reason"])
            case _ if (metrics := self._tracker.result(run_id)) is not None:  # it was lost after it had finished
                self._finish(trial, metrics)
            case _:
                reason, retryable = end.get("reason", DIED), end.get("retryable", True)
                if not end:
                    self._tracker.fail(run_id, reason)
                again = self._search.fail(trial.key, reason, hours, retryable=retryable)
                self._progress.failed(trial, reason, again)

    def _finish(self, trial: Trial, metrics: dict[str, float]) -> None:
        self._search.tell(trial.key, metrics)
        self._progress.finished(trial, metrics)

    def stop(self) -> None:
        """End the runs of trials that were cut off, without waiting for a store that is away.

        Where another driver has taken the sweep over, they are that one's, and are left alone.
        """
        self._tracker.stop_waiting()
        with suppress(SweepTakenError):
            self._check()
            for trial, run_id in [*((each.trial, each.run_id) for each in self._trials.values()), *self._trained]:
                try:
                    self._tracker.stop(run_id)
                except StoreAwayError as error:
                    self._progress.note(f"The run of {trial.key} still says RUNNING: {error}")
        self._trials.clear()
        self._trained.clear()
