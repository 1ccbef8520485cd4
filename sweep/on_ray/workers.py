"""`tfic.training.train.fit` on several workers of one node, from inside a trial on Ray.

           reports                  gradients
    trial <-------- worker 0 <------------------> worker 1 ...

The workers are actors in the trial's own placement group, all of which Ray put on one node before the trial began: Tune
waits for CPUs and GPUs as long as it takes, and a trial that waits spends no attempt. Files are where the trial's are.
Nothing outlives a trial: with its process Ray ends its actors, and Tune its placement group. Worker 0 waits for the
trial's answer to each report, so an error of `report` ends the training.
"""

import os
import queue
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayActorError, RayTaskError
from ray.util.placement_group import get_current_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from sweep.on_ray.resources import Slot
from tfic.training.intermediate import NOTHING, Keep

if TYPE_CHECKING:
    from tfic.config import Config
    from tfic.system.devices import Device
    from tfic.training.train import Progress, Report

END_S = 20.0
"""Seconds in which the other workers may end, once one has failed, before they are killed."""


def fit_on_workers(
    config: "Config",
    run: Path,
    report: "Report",
    start: Path | None = None,
    *,
    keep: Keep = NOTHING,
    on_checkpoint: Callable[[Path], None] | None = None,
    device: "Device",
    slot: Slot,
) -> Path:
    """`tfic.training.train.fit` on the workers of a slot; called in a trial with the placement group `slot.bundles`.

    `report` and `on_checkpoint` are called here, in the trial's process.

    Raises:
        RuntimeError: when a worker dies; the same call goes on from the state.
        ValueError: as `fit`, and so for the others. What `report` and `on_checkpoint` raise passes through.
        FloatingPointError: when a term of the loss is not finite.
    """
    from tfic.config import CODEC_FILE

    group = get_current_placement_group()
    assert group is not None, "a trial of Tune"
    workers: list[Any] = []
    try:
        for number, bundle in enumerate(slot.bundles[1:], start=1):
            place = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=number)
            options = {"num_cpus": bundle.get("CPU", 0), "num_gpus": bundle.get("GPU", 0), "max_concurrency": 3}
            workers.append(ray.remote(Worker).options(scheduling_strategy=place, **options).remote())
        visible = ",".join(each for gpus in ray.get([worker.gpus.remote() for worker in workers]) for each in gpus)
        port = ray.get(workers[0].free_port.remote())
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(len(workers))}
        # each worker sees the GPUs of all: NCCL's direct way between two GPUs needs both to be visible
        shared["CUDA_VISIBLE_DEVICES"] = visible
        ends = []
        for rank, worker in enumerate(workers):
            numbered = shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            told = on_checkpoint is not None
            ends.append(worker.fit.remote(numbered, config, run, start, keep, told, device))
        _answer(workers[0], ends, report, on_checkpoint)
    finally:
        for worker in workers:
            ray.kill(worker)
    return run / CODEC_FILE


def _answer(first: Any, ends: Sequence[Any], report: "Report", on_checkpoint: Callable[[Path], None] | None) -> None:
    """Answer worker 0 until all workers have ended; raise what ended the first one that failed."""
    question, left = first.next_question.remote(), list(ends)
    while left:
        (ready,), _ = ray.wait([question, *left], num_returns=1)
        if ready != question:
            left.remove(ready)
            if _error(ready) is not None:
                if left:
                    ray.wait(left, num_returns=len(left), timeout=END_S)
                raise _cause(ends)
            continue
        if (error := _error(question)) is not None:
            ray.wait(left, num_returns=len(left), timeout=END_S)
            raise _cause(ends) from error
        kind, value = ray.get(question)
        if kind == "end":
            question = first.next_question.remote()  # never answered: the ends of all workers are waited for
            continue
        if kind == "progress":
            report(value)
        elif on_checkpoint is not None:
            on_checkpoint(value)
        first.answer.remote()
        question = first.next_question.remote()


def _error(end: Any) -> Exception | None:
    """The error of a call that has ended."""
    try:
        ray.get(end)
    except RayTaskError as error:
        return error.cause if isinstance(error.cause, Exception) else error
    except RayActorError as error:
        return error
    return None


def _cause(ends: Sequence[Any]) -> Exception:
    """The exception to raise for a training that failed, given the calls of its workers."""
    from tfic.training.distributed import WorkerFailedError

    over, _ = ray.wait(list(ends), num_returns=len(ends), timeout=0)
    errors = [_error(end) if end in over else None for end in ends]
    for rank, error in enumerate(errors):
        if isinstance(error, RayActorError):
            return RuntimeError(f"a worker died (killed, or out of memory): number {rank} of {len(ends)}, from 0")
    for error in errors:
        if error is not None and not isinstance(error, WorkerFailedError):  # that one is the consequence of another
            return error
    return RuntimeError(f"training on {len(ends)} workers failed: {next(filter(None, errors), 'no worker says why')}")


class Worker:
    """An actor that trains on its part of each batch; worker 0 asks the trial."""

    def __init__(self) -> None:
        self._questions: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[None] = queue.SimpleQueue()

    def gpus(self) -> list[str]:
        """Return the ids of the GPUs that Ray gave it."""
        return [str(each) for each in ray.get_runtime_context().get_accelerator_ids()["GPU"]]

    def free_port(self) -> int:
        """Return a port at which nobody listens, for the workers to find each other."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            return int(listener.getsockname()[1])

    def fit(
        self,
        environment: dict[str, str],
        config: "Config",
        run: Path,
        start: Path | None,
        keep: Keep,
        told: bool,
        device: "Device",
    ) -> None:
        """Train as `fit` does; `told` where the trial wants to be told of checkpoints."""
        os.environ |= environment
        from tfic.training import distributed  # torch looks at the environment when it is imported, or soon after
        from tfic.training.train import fit

        try:
            with distributed.join(device):
                fit(
                    config,
                    run,
                    self._ask_about_progress,
                    start,
                    keep=keep,
                    on_checkpoint=self._ask_about_checkpoint if told else None,
                    device=device,
                )
        finally:
            self._questions.put(("end", None))

    def next_question(self) -> tuple[str, Any]:
        """Return the next question, or ("end", None) at the end of `fit`."""
        return self._questions.get()

    def answer(self) -> None:
        """Let the training go on after a question."""
        self._answers.put(None)

    def _ask_about_progress(self, progress: "Progress") -> None:
        self._questions.put(("progress", progress))
        self._answers.get()

    def _ask_about_checkpoint(self, state: Path) -> None:
        self._questions.put(("checkpoint", state))
        self._answers.get()
