"""`tfic.train.fit` on several workers, from inside a trial on Ray: Ray Train starts them, the trial controls them.

             reports, files                  asks                      gradients
    trial <------------------> channel <---------------> worker 0 <-----------------> worker 1 ...

Every report and file of a training goes over a channel (`sweep.on_ray.channel`), at which worker 0 waits for the
trial's answer: an error of `report` ends the training, and so does the end of the trial.

Some of this is not Ray's public interface (`ray.train.v2._internal`), so pyproject.toml pins Ray to the tested minor
version.
"""

import os
import tempfile
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayError
from ray.train import TrainingFailedError, WorkerGroupError, get_context
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2._internal.execution.callback import WorkerGroupCallback
from ray.train.v2._internal.execution.worker_group import WorkerGroup
from ray.train.v2.api.config import FailureConfig, RunConfig, ScalingConfig  # those of `ray.train`, with their types
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
from ray.util.placement_group import PlacementGroup, remove_placement_group

from sweep.on_ray.channel import Channel, Connection, FileCopies
from sweep.on_ray.resources import Slot
from tfic.files import write_whole

if TYPE_CHECKING:
    from tfic.config import Config
    from tfic.train import Progress, Report

WAIT_S = 1.0
"""Seconds between checks that the workers still run."""
END_S = 60.0
"""Seconds that workers have to end once they were told to."""
START_S = 600
"""Seconds that a trial waits for its workers' CPUs and GPUs."""


def fit_on_workers(
    config: "Config",
    run: Path,
    report: "Report",
    start: Path | None = None,
    *,
    keep_every: int = 0,
    keep_half: bool = False,
    on_checkpoint: Callable[[Path], None] | None = None,
    slot: Slot,
) -> Path:
    """`tfic.train.fit` on the workers of a slot; to be called in a trial that holds no CPU or GPU for itself.

    `report` and `on_checkpoint` are called here, in the trial's process, and every file is in `run` afterwards.

    Raises:
        RuntimeError: when a worker dies, or there is no room for the workers; the same call goes on from the state.
        ValueError: as `tfic.train.fit`, and so for the others. What `report` and `on_checkpoint` raise passes through.
        FloatingPointError: when a term of the loss is not finite.
    """
    from ray.train.torch import TorchConfig  # imports torch: not before a trial needs it

    from tfic.config import CODEC_FILE
    from tfic.training_state import STATE_FILE

    os.environ["RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"] = str(START_S)
    os.environ["RAY_TRAIN_ENABLE_PREEMPTION_WATCHER"] = "0"  # a process that would only say earlier what is lost
    run.mkdir(parents=True, exist_ok=True)
    # DEFAULT: else it would be put into the trial's placement group, where there is no room
    channel: Any = ray.remote(Channel).options(num_cpus=0, scheduling_strategy="DEFAULT").remote()
    guard: Any = ray.remote(_Guard).options(num_cpus=0, scheduling_strategy="DEFAULT", lifetime="detached").remote()
    guard.watch.remote(channel)
    failures: dict[int, Exception] = {}

    def answer(kind: str, value: Any) -> Any:
        match kind:
            case "progress":
                report(value)
            case "checkpoint" if on_checkpoint is not None:
                on_checkpoint(run / value)
            case "file":
                write_whole(run / value[0], value[1])
            case "files":
                states = [path for path in run.rglob("*") if path.name in (STATE_FILE, CODEC_FILE)]
                return {str(path.relative_to(run)): path.read_bytes() for path in states}
            case "start":
                assert start is not None
                return start.read_bytes()
            case "failure":
                failures[value[0]] = value[1]
        return None

    with tempfile.TemporaryDirectory(prefix="tfic-workers-") as scratch:
        home = ray.get_runtime_context().get_node_id()
        trainer = _Trainer(
            guard,
            partial(_work, config, run, start, (keep_every, keep_half), channel, home),
            backend_config=TorchConfig(),
            scaling_config=ScalingConfig(
                num_workers=slot.workers,
                use_gpu=slot.gpus > 0,
                resources_per_worker={"CPU": slot.cpus / slot.workers}
                | ({"GPU": slot.gpus / slot.workers} if slot.gpus else {}),
            ),
            run_config=RunConfig(
                name=run.name,
                storage_path=scratch,
                failure_config=FailureConfig(max_failures=0, controller_failure_limit=0, max_preemption_failures=0),
            ),
        )
        training = _Training(trainer)
        training.start()
        try:
            over = False
            while not over:
                over = not training.is_alive()
                number, question = ray.get(channel.next.remote(WAIT_S))
                if question is not None:
                    over = False
                    ray.get(channel.answer.remote(number, answer(*question)))
        finally:
            ray.get(channel.close.remote())
            training.join(END_S)
            ray.kill(channel)
    if training.error is not None:
        raise _cause(training.error, failures, slot.workers) from training.error
    for state in run.rglob(STATE_FILE):  # worker 0 has removed its own, maybe on another host
        state.unlink()
    return run / CODEC_FILE


def _cause(error: Exception, failures: Mapping[int, Exception], workers: int) -> Exception:
    """The exception to raise for the trainer's error, given those that workers have told, by number."""
    from tfic.distributed import WorkerFailedError

    if isinstance(error, WorkerGroupError):
        silent = sorted(error.worker_failures.keys() - failures.keys())
        if silent:
            return RuntimeError(f"a worker died (killed, or out of memory): number {silent[0]} of {workers}, from 0")
    for _, failure in sorted(failures.items()):
        if not isinstance(failure, WorkerFailedError):  # that one is the consequence of another
            return failure
    return RuntimeError(f"training on {workers} workers failed: {' '.join(str(error).split())}")


class _Training(threading.Thread):
    """A thread for the trainer's `fit`: the trial must report from its own thread meanwhile."""

    def __init__(self, trainer: Any) -> None:
        super().__init__(daemon=True)
        self._trainer = trainer
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._trainer.fit()
        except (TrainingFailedError, RayError) as error:
            self.error = error


class _Guard:
    """An actor that outlives a trial and removes its workers' placement group when the trial's channel is gone.

    Ray removes a group only with its job: without a guard, the CPUs and GPUs of a trial whose process was killed would
    stay taken until the sweep ends. Ray Train's own guard asks the dashboard, which may not be running.
    """

    def __init__(self) -> None:
        self._group: PlacementGroup | None = None

    async def guard(self, group: PlacementGroup) -> None:
        """Set the group to remove at the end."""
        self._group = group

    async def watch(self, channel: Any) -> None:
        """Wait for the end of the channel, then remove the group."""
        try:
            await channel.stay.remote()
        except RayError:
            if self._group is not None:
                remove_placement_group(self._group)
            ray.actor.exit_actor()


class _OnGuard(WorkerGroupCallback):
    """Tells the guard the placement group of the workers."""

    def __init__(self, guard: Any) -> None:
        self._guard = guard

    def after_worker_group_start(self, worker_group: WorkerGroup) -> None:
        state = worker_group.get_worker_group_state()
        ray.get(self._guard.guard.remote(state.placement_group_handle.placement_group))


class _Trainer(DataParallelTrainer):
    """Ray's `TorchTrainer`, with our guard instead of Ray's."""

    def __init__(self, guard: Any, work: Callable[[], None], **settings: Any) -> None:
        super().__init__(work, **settings)
        self._guard = guard

    def _create_default_callbacks(self) -> list[Any]:
        theirs = super()._create_default_callbacks()
        return [each for each in theirs if not isinstance(each, PlacementGroupCleanerCallback)] + [
            _OnGuard(self._guard)
        ]


def _work(config: "Config", run: Path, start: Path | None, keep: tuple[int, bool], channel: Any, home: str) -> None:
    """Train on each worker; `home` is the trial's node."""
    from tfic.train import fit

    rank = get_context().get_world_rank()
    connection = Connection(channel, rank)
    with connection.failure_told(), tempfile.TemporaryDirectory(prefix="tfic-worker-") as scratch:
        if rank or ray.get_runtime_context().get_node_id() == home:
            copies = None
        else:
            copies = FileCopies(connection, Path(scratch) / run.name)
            run = copies.folder
            if start is not None:
                start = Path(scratch) / start.name
                write_whole(start, connection.ask("start"))

        def report(progress: "Progress") -> None:
            connection.ask("progress", progress)

        def on_checkpoint(state: Path) -> None:
            if copies is not None:
                copies.send()
            connection.ask("checkpoint", str(state.relative_to(run)))

        every, half = keep
        fit(config, run, report, start, keep_every=every, keep_half=half, on_checkpoint=on_checkpoint)
        if copies is not None:
            copies.send()
