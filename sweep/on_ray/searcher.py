"""`Search` as a searcher of Ray Tune: the driver's part of every trial, from its run in the store to its end."""

import time
from collections.abc import Callable
from typing import Any

from ray.tune.search import Searcher

from sweep.on_ray.capacity import Capacity
from sweep.search.progress import Progress
from sweep.search.search import Search, Turn
from sweep.search.state import Status
from sweep.spec.limits import gpu_hours
from sweep.spec.trials import Trial
from sweep.store.retry import StoreAwayError
from sweep.store.tracking import Tracker

DIED = "its process died (killed, out of memory, or its machine was lost)"
"""Reason of a trial that ended without reporting one."""


class Adapter(Searcher):
    """Asks the search, creates the trial's run, and tells the search how it ended.

    Args:
        search: Asked for trials.
        tracker: The sweep's store.
        progress: Writes the events.
        capacity: Says which trials may start beside those that run.
        check: Called before each start; an exception that it raises ends the sweep.
    """

    def __init__(
        self,
        search: Search,
        tracker: Tracker,
        progress: Progress,
        capacity: Capacity,
        check: Callable[[], None],
    ) -> None:
        super().__init__()
        self._search, self._tracker, self._progress = search, tracker, progress
        self._capacity, self._check = capacity, check
        self._trials: dict[str, tuple[Trial, str, float]] = {}
        self._ends: dict[str, dict[str, Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune keeps a copy to restore, and nothing of Tune's is ever restored."""
        return {}

    def suggest(self, trial_id: str) -> Any:  # Ray's own annotation leaves out FINISHED, a string
        """Return the next trial's configuration, None if no slot or no trial is free now, or FINISHED."""
        self._check()
        running = [each.kind for each in self._search.trials(Status.RUNNING)]
        trial = self._search.ask(lambda kind: self._capacity.room(kind, running))
        if isinstance(trial, Turn):
            return Searcher.FINISHED if trial is Turn.DONE else None
        run_id = self._tracker.start(trial, self._search.states[trial.key].proposed)
        self._trials[trial_id] = (trial, run_id, 0.0)
        self._progress.started(trial)
        return {"trial": trial, "run_id": run_id}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Take an event of a trial."""
        if result["stage"] == "placed":  # until then it waited for its CPUs and GPUs, and held none
            trial, run_id, _ = self._trials[trial_id]
            self._trials[trial_id] = (trial, run_id, time.monotonic())
        elif result["stage"] in ("done", "stopped", "failed"):
            self._ends[trial_id] = result
        else:
            self._progress.update(self._trials[trial_id][0], result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tell the search how a trial ended."""
        trial, run_id, began = self._trials.pop(trial_id)
        end = self._ends.pop(trial_id, {})
        hours = gpu_hours(trial, time.monotonic() - began if began else 0.0, self._capacity.slots.of(trial.kind).gpus)
        match end.get("stage"):
            case "done":
                found = {name.partition("metrics/")[2]: value for name, value in end.items()}  # Tune flattened them
                metrics = {name: value for name, value in found.items() if name}
                self._search.tell(trial.key, metrics)
                self._progress.finished(trial, metrics)
            case "stopped":
                self._search.stop(trial.key, end["reason"], hours)
                self._progress.stopped(trial, end["reason"])
            case _:
                reason, retryable = end.get("reason", DIED), end.get("retryable", True)
                if not end:
                    self._tracker.fail(run_id, reason)
                again = self._search.fail(trial.key, reason, hours, retryable=retryable)
                self._progress.failed(trial, reason, again)

    def stop(self) -> None:
        """End the runs of trials that were cut off, without waiting for a store that is away."""
        self._tracker.stop_waiting()
        for trial, run_id, _ in self._trials.values():
            try:
                self._tracker.stop(run_id)
            except StoreAwayError as error:
                self._progress.note(f"The run of {trial.key} still says RUNNING: {error}")
        self._trials.clear()
