"""GPU-hours of a trial over all its attempts: its run keeps them, so that those of a failed or cut-off one count."""

import time

from sweep.spec.limits import gpu_hours
from sweep.spec.trials import Trial
from sweep.store.tracking import Tracker


class Hours:
    """The GPU-hours of a trial's earlier attempts, and of the one that begins now.

    Args:
        trial: The trial; one that trains nothing spends none.
        tracker: The sweep's store.
        run_id: The trial's run there.
        gpus: GPUs that it holds.
    """

    def __init__(self, trial: Trial, tracker: Tracker, run_id: str, gpus: float) -> None:
        self._trial, self._gpus, self._began = trial, gpus, time.monotonic()
        self._before = tracker.spent_hours(run_id) if trial.steps else 0.0

    def spent(self) -> float:
        """Return the GPU-hours up to now."""
        return self._before + gpu_hours(self._trial, time.monotonic() - self._began, self._gpus)
