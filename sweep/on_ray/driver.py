"""The sweep on Ray: one Tune experiment whose searcher asks `sweep.search.search`.

Ray schedules and nothing else: no state of Ray's is needed to go on after a stop. The driver asks the search, creates
the trial's run in the tracking store and hands its id to a slot; what a trial reports comes back through the searcher.
A trial that dies is asked for again, and goes on from its checkpoint as a new trial of Tune's.
"""

import logging
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import ray
from ray import tune

from sweep.on_ray.resources import HERE, Capacity, Placement, Slot, share
from sweep.on_ray.searcher import Adapter
from sweep.on_ray.signals import insistent_ctrl_c
from sweep.on_ray.watch import Watch
from sweep.search.progress import Progress
from sweep.search.search import Search
from sweep.spec.limits import Limits
from sweep.store.tracking import Tracker
from tfic.config import TrainConfig

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
COMMAND_BYTES = 100_000_000
"""Memory that a trial asks Ray for which leaves its training to workers: Ray wants a trial to ask for something."""
OBJECT_STORE_BYTES = 100_000_000
"""Ray's shared memory on a machine of its own; trials pass nothing through it."""


def run(
    search: Search,
    tracker: Tracker,
    folder: Path,
    write: Callable[[str], None],
    placement: Placement = HERE,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Run all that a search asks for, and tell it how each trial ended.

    Args:
        search: What next; afterwards it knows all results and failures.
        tracker: The sweep's store.
        folder: Where trials keep their checkpoints, one folder per key; absolute.
        write: Takes a line of progress.
        placement: Where trials run and what each may hold.
        check: Called before each trial; what it raises ends the sweep.

    Raises:
        ValueError: when the machine has too little for one trial, or no cluster answers.
        StoreAwayError: when the store is away for longer than the patience lasts.
        RayLostError: when a process of the Ray that was started here dies.
        KeyboardInterrupt: on Ctrl-C, after the trials are stopped.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for name in TOLD_ALREADY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    _connect(placement.address)
    adapter = None
    try:
        there = ray.cluster_resources()
        cpus, gpus, threads = there.get("CPU", 0.0), there.get("GPU", 0.0), search.sweep.train.threads
        growing = placement.concurrent is not None and bool(placement.address)
        slot, slots = share(cpus, gpus, placement.gpus_per_trial, threads, placement.workers_per_trial, growing)
        _check_batches(search.sweep.train, slot.workers)
        capacity = Capacity(slot, placement.concurrent, ray.cluster_resources)
        # else processes start one after the other, seconds each
        os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(max(placement.concurrent or slots, 1))
        adapter = Adapter(search, tracker, Progress(search, capacity, write), capacity, check)
        conditions = {
            "keep_every": search.sweep.space.keep_every,
            "upload": bool(placement.address),
            "limits": search.limits,
        }
        with tempfile.TemporaryDirectory(prefix="tfic-sweep-") as scratch, insistent_ctrl_c(), Watch():
            tune.Tuner(
                tune.with_resources(
                    _trainable(tracker.uri, tracker.sweep, folder, slot, conditions),
                    lambda config: resources(slot, bool(config["trial"].steps)),
                ),
                tune_config=tune.TuneConfig(
                    search_alg=adapter,
                    num_samples=-1,
                    reuse_actors=True,
                    trial_name_creator=lambda each: each.config["trial"].key,
                    trial_dirname_creator=lambda each: f"{each.config['trial'].key}-{each.trial_id}",
                ),
                run_config=tune.RunConfig(name=tracker.sweep, storage_path=scratch, verbose=0),
            ).fit()
    finally:
        ray.shutdown()
        if adapter is not None:
            adapter.stop()


def resources(slot: Slot, trains: bool) -> tune.PlacementGroupFactory:
    """Ray's resources of a trial; of one on several workers, the workers hold the CPUs and GPUs."""
    if trains and slot.workers > 1:
        return tune.PlacementGroupFactory([{"memory": COMMAND_BYTES}])
    gpus = {"GPU": slot.gpus} if slot.gpus and trains else {}
    return tune.PlacementGroupFactory([{"CPU": slot.cpus} | gpus])


def _connect(address: str) -> None:
    if not address:
        ray.init(
            address="local",  # else Ray joins any cluster that it sees running on this machine, whoever's it is
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


def _trainable(
    uri: str, sweep: str, folder: Path, slot: Slot, conditions: dict[str, Any]
) -> Callable[[dict[str, Any]], None]:
    limits: Limits = conditions["limits"]

    def train(config: dict[str, Any]) -> None:
        from sweep.trial.run import run_trial  # torch is paid for in the slots, not in the driver
        from sweep.trial.training import Conditions

        trial, run_id = config["trial"], config["run_id"]
        how = Conditions(gpus=slot.gpus, workers=slot.workers, **conditions)
        if slot.workers > 1:
            how = replace(how, fit=_fit_on(slot))
        with _EndReported():
            tracker = Tracker(uri, sweep, limits.patience_s, known=True)
            metrics = run_trial(trial, tracker, run_id, folder / trial.key, tune.report, how)
            tune.report({"stage": "done", "metrics": metrics})

    return train


def _check_batches(train: TrainConfig, workers: int) -> None:
    for name in ("batch", "finetune_batch"):
        if getattr(train, name) % workers:
            raise ValueError(
                f"{name} is {getattr(train, name)}, which {workers} workers cannot share equally; "
                "it is the batch of all workers together: choose a multiple, or other --workers-per-trial"
            )


def _fit_on(slot: Slot) -> Callable[..., Path]:
    """`tfic.train.fit` on the workers of a slot."""
    from sweep.on_ray.workers import fit_on_workers

    return partial(
        fit_on_workers,
        workers=slot.workers,
        gpus_per_worker=slot.gpus / slot.workers,
        cpus_per_worker=slot.cpus / slot.workers,
    )


class _EndReported:
    """Tells the driver why a trial did not finish; an end by a rule is no error."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        from sweep.trial.run import reason
        from sweep.trial.stopping import StoppedByRuleError

        if isinstance(error, StoppedByRuleError):
            tune.report({"stage": "stopped", "reason": str(error)})
            return True
        if isinstance(error, Exception):
            tune.report({"stage": "failed", "reason": reason(error)})
        return False
