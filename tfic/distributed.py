"""Several workers, one training: small functions over `torch.distributed` that do nothing where there is one worker.

Whoever starts the workers forms the process group (`join`, or Ray) and picks the GPU; whoever trains calls the rest.
All of them but `rank`, `world` and `device` are to be called on every rank, or none comes back.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn

from tfic.errors import TficError

T = TypeVar("T")
PATIENCE = timedelta(minutes=30)
"""How long the others wait for a rank, which may be uploading a state."""


class WorkerFailedError(TficError, RuntimeError):
    """Another worker of this training failed, so this one ends too."""


def rank() -> int:
    """Number of this worker, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """Number of workers."""
    return dist.get_world_size() if dist.is_initialized() else 1


def device() -> torch.device:
    """Where this worker computes."""
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


@contextmanager
def join() -> Iterator[None]:
    """The process group that `torchrun` asks for in the environment, if it does; left again at the end."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def wrap(codec: nn.Module) -> nn.Module:
    """`codec` in a form whose backward pass leaves the mean of all ranks' gradients; to be called like itself.

    Every parameter must take part in every step on every rank: nothing looks for the ones that did not, which would
    cost a walk through the graph in each step.
    """
    if world() == 1:
        return codec
    devices = [device().index] if device().type == "cuda" else None
    return nn.parallel.DistributedDataParallel(codec, device_ids=devices)


def mean_over_ranks(values: Mapping[str, float]) -> dict[str, float]:
    """Each value's mean over the ranks; not finite where one of them is not."""
    if world() == 1:
        return dict(values)
    total = torch.tensor(list(values.values()), dtype=torch.float64, device=device())
    dist.all_reduce(total)
    return dict(zip(values, (total / world()).tolist(), strict=True))


class together:  # noqa: N801 - reads as a statement: `with together():`
    """What goes wrong in the block on any rank ends it on all: there as it is, on the others as `WorkerFailedError`."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if world() == 1 or not (error is None or isinstance(error, Exception)):  # Ctrl-C waits for nobody
            return
        found: list[Any] = [None] * world()
        dist.all_gather_object(found, f"{type(error).__name__}: {error}" if error else "")
        for other, reason in enumerate(found):
            if reason and not error:
                raise WorkerFailedError(f"worker {other} of {world()} ended the training: {reason}")


def from_first(make: Callable[[], T]) -> T:
    """What `make` gives on rank 0, on every rank; what it raises there ends the others as `WorkerFailedError`."""
    made: list[Any] = [None]
    with together():
        if rank() == 0:
            made = [make()]
    if world() > 1:
        dist.broadcast_object_list(made, src=0)
    result: T = made[0]
    return result
