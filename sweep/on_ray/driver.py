"""The sweep on Ray: one Tune experiment whose searcher asks `sweep.search.search`.

Ray only schedules: no state of Ray is needed to resume after a stop. The driver asks the search, creates the trial's
run in the tracking store and hands its id to a slot; the events of a trial come back through the searcher. A trial that
dies is asked for again, and resumes from its checkpoint as a new trial of Tune.
"""

import logging
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from sweep.on_ray.capacity import Capacity
from sweep.on_ray.resources import HERE, Node, Placement, Slot, Slots, divide
from sweep.on_ray.searcher import Adapter
from sweep.on_ray.signals import insistent_ctrl_c
from sweep.on_ray.watch import RayLostError, Watch
from sweep.search.progress import ProgressLines
from sweep.search.search import Search
from sweep.store.tracking import Tracker
from sweep.trial.conditions import Conditions
from tfic.config import TrainConfig, check_batch
from tfic.training.intermediate import Keep

if TYPE_CHECKING:
    from sweep.trial.training import Fit

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
SILENCED = ("ray.tune.execution.tune_controller", "ray.tune.tune")
"""Loggers that print the traceback of a failed trial. The driver prints its reason, and the store has the traceback."""
MOST_PENDING = "10000"
"""Most trials that Tune lets wait for their CPUs and GPUs: with few they start one after the other."""
OBJECT_STORE_BYTES = 100_000_000
"""Ray's shared memory on this machine alone; trials pass nothing through it."""


def run(
    search: Search,
    tracker: Tracker,
    folder: Path,
    write: Callable[[str], None],
    placement: Placement = HERE,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Run all trials that a search asks for, and tell it how each one ended.

    Args:
        search: Asked for trials; afterwards it has all results and failures.
        tracker: The sweep's store.
        folder: Folder for checkpoints, with one folder per key; absolute.
        write: Takes a line of progress.
        placement: Where trials run, and the CPUs and GPUs of each.
        check: Called before each trial; an exception that it raises ends the sweep.

    Raises:
        ValueError: when the machine has too little for one trial, or no cluster answers.
        StoreAwayError: when the store is away for longer than `Limits.store_retry_s`.
        RayLostError: when Ray does not start here, or one of its processes dies.
        KeyboardInterrupt: on Ctrl-C, after the trials are stopped.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for name in SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    connect(placement.address)
    adapter = None
    try:
        train = search.sweep.train
        slots = divide(nodes(), placement, train.threads)
        check_shares(train, slots)
        capacity = Capacity(slots, placement.concurrent, nodes)
        os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = MOST_PENDING
        adapter = Adapter(search, tracker, ProgressLines(search, capacity, write), capacity, check)
        conditions = Conditions(
            keep=Keep(search.sweep.space.keep_every, search.sweep.space.halfway),
            upload=bool(placement.address),
            limits=search.limits,
        )
        with tempfile.TemporaryDirectory(prefix="tfic-sweep-") as scratch, insistent_ctrl_c(), Watch():
            tune.Tuner(
                tune.with_resources(
                    _trainable(tracker.uri, tracker.sweep, folder, slots, conditions),
                    lambda config: resources(slots.other if config["measures"] else slots.of(config["trial"].kind)),
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


def check_shares(train: TrainConfig, slots: Slots) -> None:
    """Raise ValueError unless each worker has an image of each batch."""
    for name, stage, slot in (("batch", 1, slots.pretrain), ("finetune_batch", 2, slots.finetune)):
        on = f" on {slot.gpus:g} GPUs" if slot.gpus else ""
        check_batch(name, getattr(train, name), slot.workers, f"of a trial of stage {stage}{on}")


def resources(slot: Slot) -> tune.PlacementGroupFactory:
    """Ray's resources of a trial: all on one node, of which its workers take theirs; Tune waits until they are free."""
    return tune.PlacementGroupFactory(slot.bundles, strategy="STRICT_PACK")


def nodes() -> list[Node]:
    """The machines that Ray sees now."""
    there = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Node(each.get("CPU", 0.0), each.get("GPU", 0.0)) for each in there]


def connect(address: str) -> None:
    """Start Ray on this machine, or join the cluster at an address.

    Raises:
        ValueError: when there is no such cluster, or Ray's sockets cannot have their names.
    """
    if not address:
        try:
            ray.init(
                address="local",  # else Ray joins any cluster that it sees running on this machine, whoever's it is
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=OBJECT_STORE_BYTES,
            )
        except Exception as error:  # Ray raises a bare Exception when its start times out
            reason = " ".join(str(error).split())
            if "AF_UNIX" in reason:
                place = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
                raise ValueError(
                    f"the names of Ray's sockets get too long under {place} ({reason}); "
                    "set RAY_TMPDIR to a folder with a short name, such as /tmp"
                ) from error
            raise RayLostError(f"Ray has not started ({reason}); the same command begins again") from error
        return
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError as error:
        raise ValueError(f"no Ray cluster at {address!r}: {error}; start one, or leave --address out") from error


def _trainable(
    uri: str, sweep: str, folder: Path, slots: Slots, conditions: Conditions
) -> Callable[[dict[str, Any]], None]:
    """The function that Tune runs in a slot: one trial to its end, or, where it holds GPUs, to the end of its training.

    What was trained on GPUs is measured in a slot without any.
    """

    def run_in_slot(config: dict[str, Any]) -> None:
        trial, run_id = config["trial"], config["run_id"]
        slot = slots.other if config["measures"] else slots.of(trial.kind)
        hide_gpus(slot)
        from sweep.trial.end import End, end_told  # torch is imported in the slots, not in the driver
        from sweep.trial.run import run_trial, train_trial
        from sweep.trial.stopping import StoppedByRuleError

        def tell(end: End) -> None:
            if end.reason:
                tune.report(end.event)

        held = replace(conditions, gpus=slot.gpus, workers=slot.workers, measurers=max(1, int(slot.cpus)))
        with suppress(StoppedByRuleError), end_told(tell):  # for Tune, the end by a rule is no error
            tune.report({"stage": "placed"})
            tracker = Tracker(uri, sweep, conditions.limits.store_retry_s, known=True)
            job = (trial, tracker, run_id, folder / trial.key, tune.report, held, _fit_in(slot))
            if slot.gpus:
                tune.report({"stage": "trained", "gpu_hours": train_trial(*job)["gpu_hours"]})
            else:
                tune.report({"stage": "done", "metrics": run_trial(*job)})

    return run_in_slot


def hide_gpus(slot: Slot) -> None:
    """Hide the node's GPUs from the process of a trial that holds none itself: Ray hides them from no such process."""
    if not slot.gpus or slot.workers > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def _fit_in(slot: Slot) -> "Fit":
    """`tfic.training.train.fit` with the workers and the device of a slot."""
    from sweep.on_ray.workers import fit_on_workers
    from tfic.system.devices import Device
    from tfic.training.train import fit

    device = Device("cuda", min(1.0, slot.gpus)) if slot.gpus else Device("cpu")
    if slot.workers > 1:
        return partial(fit_on_workers, slot=slot, device=device)
    return partial(fit, device=device)
