"""`tfic.train.fit` on several workers, from inside a trial on Ray: Ray Train starts them, the trial stays in command.

             reports, files               asks                      gradients
    trial <------------------> desk <---------------> worker 0 <-----------------> worker 1 ...

Whatever a training tells goes over a desk (`sweep.on_ray.channel`), where worker 0 waits for the trial's answer: an
error of `report` ends training, and so does the end of the trial.
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

from sweep.on_ray.channel import Copies, Desk, Line
from tfic.files import write_whole

if TYPE_CHECKING:
    from tfic.config import Config
    from tfic.train import Progress, Report

WAIT_S = 1.0
"""Seconds between looks at whether the workers still run."""
END_S = 60.0
"""Seconds that workers have to end once they were told to."""
START_S = 600
"""Seconds that a trial waits for its workers' CPUs and GPUs."""


def fit_on_workers(
    config: "Config",
    run: Path,
    report: "Report",
    start: Path | None,
    keep_every: int,
    on_checkpoint: Callable[[Path], None] | None,
    *,
    workers: int,
    gpus_per_worker: float,
    cpus_per_worker: float,
) -> Path:
    """`tfic.train.fit` on so many workers; to be called in a trial that holds no CPU or GPU for itself.

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
    desk: Any = ray.remote(Desk).options(num_cpus=0, scheduling_strategy="DEFAULT").remote()
    guard: Any = ray.remote(_Guard).options(num_cpus=0, scheduling_strategy="DEFAULT", lifetime="detached").remote()
    guard.watch.remote(desk)
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
        trainer = _Trainer(
            guard,
            partial(_work, config, run, start, keep_every, desk, ray.get_runtime_context().get_node_id()),
            backend_config=TorchConfig(),
            scaling_config=ScalingConfig(
                num_workers=workers,
                use_gpu=gpus_per_worker > 0,
                resources_per_worker={"CPU": cpus_per_worker} | ({"GPU": gpus_per_worker} if gpus_per_worker else {}),
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
                number, question = ray.get(desk.next.remote(WAIT_S))
                if question is not None:
                    over = False
                    ray.get(desk.answer.remote(number, answer(*question)))
        finally:
            ray.get(desk.close.remote())
            training.join(END_S)
            ray.kill(desk)
    if training.error is not None:
        raise _reason(training.error, failures, workers) from training.error
    for state in run.rglob(STATE_FILE):  # worker 0 has removed its own, maybe on another host
        state.unlink()
    return run / CODEC_FILE


def _reason(error: Exception, failures: Mapping[int, Exception], workers: int) -> Exception:
    """What to raise for the trainer's error, knowing what workers have said by number."""
    from tfic.distributed import WorkerFailedError

    if isinstance(error, WorkerGroupError):
        silent = sorted(error.worker_failures.keys() - failures.keys())
        if silent:
            return RuntimeError(f"a worker died (killed, or out of memory): number {silent[0]} of {workers}, from 0")
    for _, failure in sorted(failures.items()):
        if not isinstance(failure, WorkerFailedError):  # that one follows from another
            return failure
    return RuntimeError(f"training on {workers} workers failed: {' '.join(str(error).split())}")


class _Training(threading.Thread):
    """The trainer's `fit`, which would hold the thread from which a trial must report."""

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
    """Outlives a trial, and takes its workers' placement group away once the trial's desk is gone.

    Ray removes a group with its job only: without a guard the CPUs and GPUs of a trial whose process was killed stay
    taken until the sweep ends. Ray Train's own one asks the dashboard who lives, which need not be there.
    """

    def __init__(self) -> None:
        self._group: PlacementGroup | None = None

    async def guard(self, group: PlacementGroup) -> None:
        """Take this group away at the end."""
        self._group = group

    async def watch(self, desk: Any) -> None:
        """Wait for the end."""
        try:
            await desk.stay.remote()
        except RayError:
            if self._group is not None:
                remove_placement_group(self._group)
            ray.actor.exit_actor()


class _OnGuard(WorkerGroupCallback):
    """Tells the guard which placement group the workers are in."""

    def __init__(self, guard: Any) -> None:
        self._guard = guard

    def after_worker_group_start(self, worker_group: WorkerGroup) -> None:
        state = worker_group.get_worker_group_state()
        ray.get(self._guard.guard.remote(state.placement_group_handle.placement_group))


class _Trainer(DataParallelTrainer):
    """Ray's `TorchTrainer`, with our guard for Ray's."""

    def __init__(self, guard: Any, work: Callable[[], None], **settings: Any) -> None:
        super().__init__(work, **settings)
        self._guard = guard

    def _create_default_callbacks(self) -> list[Any]:
        theirs = super()._create_default_callbacks()
        return [each for each in theirs if not isinstance(each, PlacementGroupCleanerCallback)] + [
            _OnGuard(self._guard)
        ]


def _work(config: "Config", run: Path, start: Path | None, keep_every: int, desk: Any, home: str) -> None:
    """What each worker does; `home` is the trial's node."""
    from tfic.train import fit

    rank = get_context().get_world_rank()
    line = Line(desk, rank)
    with line, tempfile.TemporaryDirectory(prefix="tfic-worker-") as scratch:
        if rank or ray.get_runtime_context().get_node_id() == home:
            copies = None
        else:
            copies = Copies(line, Path(scratch) / run.name)
            run = copies.folder
            if start is not None:
                start = Path(scratch) / start.name
                write_whole(start, line.ask("start"))

        def report(progress: "Progress") -> None:
            line.ask("progress", progress)

        def on_checkpoint(state: Path) -> None:
            if copies is not None:
                copies.send()
            line.ask("checkpoint", str(state.relative_to(run)))

        fit(config, run, report, start, keep_every=keep_every, on_checkpoint=on_checkpoint)
        if copies is not None:
            copies.send()
