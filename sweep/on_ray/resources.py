"""The CPUs and GPUs of a trial, and how many trials run side by side on a machine or cluster."""

import time
from collections.abc import Callable
from dataclasses import dataclass

LOOK_AGAIN_S = 5.0
"""Seconds after which the cluster's resources are read again: nodes come and go."""


@dataclass(frozen=True)
class Slot:
    """CPUs and GPUs of a trial that trains; one that does not holds the CPUs only."""

    cpus: float
    """CPUs of the trial, of all its workers together."""
    gpus: float
    """GPUs of the trial, of all its workers together."""
    workers: int = 1
    """Processes that share each training step."""


@dataclass(frozen=True)
class Placement:
    """The machine or cluster of a sweep, and the CPUs and GPUs of a trial."""

    address: str = ""
    """A Ray cluster's address, or "" for this machine alone."""
    gpus_per_trial: float | None = None
    """GPUs that a trial which trains holds; None for one if there are any."""
    workers_per_trial: int | None = None
    """Processes that share each training step; None for one per whole GPU of a trial."""
    concurrent: int | None = None
    """Trials side by side; None for as many as fit. On a cluster that grows by itself: as many as it may grow to."""

    def __post_init__(self) -> None:
        if self.concurrent is not None and self.concurrent < 1:
            raise ValueError(f"--concurrent is {self.concurrent}; it must be 1 or more")


HERE = Placement()
"""The whole of this machine."""


def share(
    cpus: float,
    gpus: float,
    gpus_per_trial: float | None,
    threads: int,
    workers: int | None = None,
    growing: bool = False,
) -> tuple[Slot, int]:
    """Return the slot of a trial, and how many such slots there are.

    Args:
        cpus: CPUs of the machine or cluster.
        gpus: GPUs of the machine or cluster.
        gpus_per_trial: GPUs that a trial which trains asks for, from a share of one up; None for one if there are any.
        threads: CPU threads of a worker without a GPU; 0 counts as one.
        workers: Processes of a trial; None for one per whole GPU of a trial.
        growing: Whether more machines may join, so that a trial may ask for more than there is now.

    Raises:
        ValueError: when a trial asks for more than there is, for less than none, or for GPUs that it would leave idle.
    """
    wanted = min(1.0, gpus) if gpus_per_trial is None else gpus_per_trial
    if not 0 <= wanted <= (max(gpus, wanted) if growing else gpus):
        raise ValueError(f"--gpus-per-trial is {wanted:g}; Ray sees {gpus:g} GPUs: ask for 0 to {gpus:g}")
    if wanted > 1 and wanted != int(wanted):
        raise ValueError(f"--gpus-per-trial is {wanted:g}; above 1 it must be a whole number")
    workers = max(1, int(wanted)) if workers is None else workers
    if workers < 1:
        raise ValueError(f"--workers-per-trial is {workers}; it must be 1 or more")
    if wanted and workers != max(1, int(wanted)):
        raise ValueError(
            f"--workers-per-trial is {workers} with {wanted:g} GPUs a trial; a worker takes one whole GPU, "
            f"and a share of one has one worker: give {max(1, int(wanted))}, or other --gpus-per-trial"
        )
    if wanted:
        slots = int(gpus / wanted + 1e-9)
        return Slot(float(max(workers, cpus // max(slots, 1))) if slots else float(workers), wanted, workers), slots
    each = float(min(cpus, max(1, threads) * workers)) if cpus else float(workers)
    if workers > each:
        raise ValueError(f"--workers-per-trial is {workers}; Ray sees {cpus:g} CPUs: ask for 1 to {int(cpus)}")
    return Slot(each, 0.0, workers), int(cpus // each)


class Capacity:
    """The number of trials that may run at once.

    Args:
        slot: CPUs and GPUs of a trial.
        concurrent: A fixed number, or None for what there is at the moment.
        resources: Returns the cluster's resources, as `ray.cluster_resources` does.
    """

    def __init__(self, slot: Slot, concurrent: int | None, resources: Callable[[], dict[str, float]]) -> None:
        self.slot, self._concurrent, self._resources = slot, concurrent, resources
        self._looked, self._found = -LOOK_AGAIN_S, 1

    def __call__(self) -> int:
        """Trials side by side, at least one: a cluster without nodes is waited for."""
        if self._concurrent is not None:
            return self._concurrent
        if time.monotonic() - self._looked >= LOOK_AGAIN_S:
            there = self._resources()
            kind, each = ("GPU", self.slot.gpus) if self.slot.gpus else ("CPU", self.slot.cpus)
            self._found = max(1, int(there.get(kind, 0.0) / each + 1e-9))
            self._looked = time.monotonic()
        return self._found
