"""The sweep on Ray: one Tune experiment whose searcher asks `sweep.search`. The only importer of Ray.

Ray schedules and nothing else: no state of Ray's is needed to go on after a stop. The driver asks the search, creates
the trial's run in the tracking store and hands its id to a slot; what a trial reports comes back through the searcher.
"""

import contextlib
import logging
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import ray
from ray import tune
from ray.tune.search import Searcher

from sweep.progress import Progress
from sweep.search import Search, Turn
from sweep.space import Trial
from sweep.tracking import Tracker

QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",  # Tune's own tables; with verbose=0 the older output is silent
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C arrives here as KeyboardInterrupt
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # nothing of Tune's is ever restored
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
"""Environment of the driver and its workers, where the user has set nothing else."""
TOLD_ALREADY = ("ray.tune.execution.tune_controller", "ray.tune.tune")
"""Loggers that print the traceback of a failed trial; the reason gets its line here, the traceback is in the store."""
AGAIN_S = 2.0
"""Seconds after which a Ctrl-C that got lost is raised again."""
OBJECT_STORE_BYTES = 100_000_000
"""Ray's shared memory on a machine of its own; trials pass nothing through it."""


@dataclass(frozen=True)
class Slot:
    """What a trial that trains holds while it runs; one that does not holds the CPUs only."""

    cpus: float
    gpus: float

    def resources(self, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """Ray's resources for the trial in a configuration of Tune's."""
        gpus = {"GPU": self.gpus} if self.gpus and config["trial"].steps else {}
        return tune.PlacementGroupFactory([{"CPU": self.cpus} | gpus])


def run(
    search: Search,
    tracker: Tracker,
    folder: Path,
    write: Callable[[str], None],
    gpus_per_trial: float | None = None,
    address: str = "",
) -> None:
    """Run all that a search asks for, and tell it how each trial ended.

    Args:
        search: What next; afterwards it knows all results and failures.
        tracker: The sweep's store.
        folder: Where trials keep their checkpoints, one folder per key; absolute.
        write: Takes a line of progress.
        gpus_per_trial: GPUs that a trial which trains holds; None for one if there are any.
        address: A Ray cluster's, or "" for this machine alone.

    Raises:
        ValueError: when the machine has too few GPUs for one trial, or no cluster answers.
        KeyboardInterrupt: on Ctrl-C, after the trials are stopped.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for name in TOLD_ALREADY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    _connect(address)
    adapter = None
    try:
        there = ray.cluster_resources()
        threads = search.sweep.train.threads
        slot, slots = share(there.get("CPU", 1.0), there.get("GPU", 0.0), gpus_per_trial, threads)
        os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(slots)  # else processes start one after the other, seconds each
        adapter = _Adapter(search, tracker, Progress(search, slots, write), slots)
        with tempfile.TemporaryDirectory(prefix="tfic-sweep-") as scratch, _insistent_ctrl_c():
            tune.Tuner(
                tune.with_resources(_trainable(tracker.uri, tracker.sweep, folder), slot.resources),
                tune_config=tune.TuneConfig(
                    search_alg=adapter,
                    num_samples=-1,
                    reuse_actors=True,
                    trial_name_creator=lambda each: each.config["trial"].key,
                    trial_dirname_creator=lambda each: each.config["trial"].key,
                ),
                run_config=tune.RunConfig(name=tracker.sweep, storage_path=scratch, verbose=0),
            ).fit()
    finally:
        ray.shutdown()
        if adapter is not None:
            adapter.stop()


@contextlib.contextmanager
def _insistent_ctrl_c() -> Iterator[None]:
    """Ctrl-C as KeyboardInterrupt, raised again every two seconds until it has left the block.

    Python drops an exception that a signal raises inside a destructor, and Ray's handles have some: the driver would
    then wait for ever for processes that the same Ctrl-C has ended.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in (signal.SIGINT, signal.SIGALRM)}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for each, handler in before.items():
            signal.signal(each, handler)


def _connect(address: str) -> None:
    if not address:
        ray.init(
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=OBJECT_STORE_BYTES,
        )
        return
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError as error:
        raise ValueError(f"no Ray cluster at {address!r}: {error}; start one, or leave --address out") from error


def share(cpus: float, gpus: float, gpus_per_trial: float | None, threads: int) -> tuple[Slot, int]:
    """What a trial holds, and how many run side by side.

    Args:
        cpus: CPUs of the machine or cluster.
        gpus: GPUs of the machine or cluster.
        gpus_per_trial: GPUs that a trial which trains asks for; None for one if there are any.
        threads: CPU threads of a trial without a GPU; 0 counts as one.

    Raises:
        ValueError: when a trial asks for more GPUs than there are, or for less than none.
    """
    wanted = min(1.0, gpus) if gpus_per_trial is None else gpus_per_trial
    if not 0 <= wanted <= gpus:
        raise ValueError(f"--gpus-per-trial is {wanted:g}; Ray sees {gpus:g} GPUs: ask for 0 to {gpus:g}")
    if wanted:
        slots = int(gpus / wanted + 1e-9)
        return Slot(max(1.0, cpus // slots), wanted), slots
    each = float(min(cpus, max(1, threads)))
    return Slot(each, 0.0), int(cpus // each)


def _trainable(uri: str, sweep: str, folder: Path) -> Callable[[dict[str, Any]], None]:
    def train(config: dict[str, Any]) -> None:
        from sweep.trial import run_trial  # torch is paid for in the slots, not in the driver

        trial = config["trial"]
        metrics = run_trial(trial, Tracker(uri, sweep), config["run_id"], folder / trial.key, tune.report)
        tune.report({"stage": "done", "metrics": metrics})

    return train


class _Adapter(Searcher):
    """`Search` in the form that Tune asks."""

    def __init__(self, search: Search, tracker: Tracker, progress: Progress, slots: int) -> None:
        super().__init__()
        self._search, self._tracker, self._progress, self._slots = search, tracker, progress, slots
        self._trials: dict[str, tuple[Trial, str]] = {}
        self._metrics: dict[str, dict[str, float]] = {}

    def suggest(self, trial_id: str) -> Any:  # Ray's own annotation leaves out FINISHED, a string
        """The next trial's configuration; None while every slot is taken or nothing is released yet; or FINISHED."""
        if len(self._search.running) >= self._slots:
            return None
        trial = self._search.ask()
        if isinstance(trial, Turn):
            return Searcher.FINISHED if trial is Turn.DONE else None
        run_id = self._tracker.start(trial, trial.key in self._search.proposed)
        self._trials[trial_id] = (trial, run_id)
        self._progress.started(trial)
        return {"trial": trial, "run_id": run_id}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """A trial reports."""
        if result["stage"] == "done":
            found = {name.partition("metrics/")[2]: value for name, value in result.items()}  # Tune flattened them
            self._metrics[trial_id] = {name: value for name, value in found.items() if name}
        else:
            self._progress.update(self._trials[trial_id][0], result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """A trial has ended, well or not."""
        trial, run_id = self._trials.pop(trial_id)
        metrics = self._metrics.pop(trial_id, None)
        if metrics is not None:
            self._search.tell(trial.key, metrics)
            self._progress.finished(trial, metrics)
            return
        reason = self._tracker.failure(run_id)
        if not reason:  # it had no time to write one
            reason = "its process died (killed, or out of memory)"
            self._tracker.fail(run_id, reason)
        self._search.fail(trial.key, reason)
        self._progress.failed(trial, reason)

    def stop(self) -> None:
        """Mark the runs of trials that were cut off."""
        for _, run_id in self._trials.values():
            self._tracker.stop(run_id)
        self._trials.clear()
