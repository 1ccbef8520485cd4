"""`Search` in the form that Ray Tune asks: the driver's part of every trial, from its run in the store to its end."""

import time
from collections.abc import Callable
from typing import Any

from ray.tune.search import Searcher

from sweep.on_ray.resources import Capacity
from sweep.search.progress import Progress
from sweep.search.search import Search, Turn
from sweep.spec.trials import Trial
from sweep.store.retry import StoreAwayError
from sweep.store.tracking import Tracker

DIED = "its process died (killed, out of memory, or its machine was lost)"
"""Reason of a trial that had no time to give one."""


class Adapter(Searcher):
    """Asks the search, creates the trial's run, and tells the search how it ended.

    Args:
        search: What next.
        tracker: The sweep's store.
        progress: Takes the events.
        capacity: How many trials may run at once.
        check: Called before each start; what it raises ends the sweep.
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
        """The next trial's configuration; None while every slot is taken or nothing is released yet; or FINISHED."""
        if len(self._search.running) >= self._capacity():
            return None
        self._check()
        trial = self._search.ask()
        if isinstance(trial, Turn):
            return Searcher.FINISHED if trial is Turn.DONE else None
        run_id = self._tracker.start(trial, trial.key in self._search.proposed)
        self._trials[trial_id] = (trial, run_id, time.monotonic())
        self._progress.started(trial)
        return {"trial": trial, "run_id": run_id}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """A trial reports."""
        if result["stage"] in ("done", "stopped", "failed"):
            self._ends[trial_id] = result
        else:
            self._progress.update(self._trials[trial_id][0], result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """A trial has ended, well or not."""
        trial, run_id, began = self._trials.pop(trial_id)
        end = self._ends.pop(trial_id, {})
        gpus = self._capacity.slot.gpus if trial.steps else 0.0
        hours = (time.monotonic() - began) / 3600 * (gpus or 1) if trial.steps else 0.0
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
                reason = end.get("reason", DIED)
                if not end:
                    self._tracker.fail(run_id, reason)
                again = self._search.fail(trial.key, reason, hours)
                self._progress.failed(trial, reason, again)

    def stop(self) -> None:
        """Mark the runs of trials that were cut off; a store that is away is not waited for."""
        self._tracker.hurry()
        for trial, run_id, _ in self._trials.values():
            try:
                self._tracker.stop(run_id)
            except StoreAwayError as error:
                self._progress.note(f"The run of {trial.key} still says RUNNING: {error}")
        self._trials.clear()
