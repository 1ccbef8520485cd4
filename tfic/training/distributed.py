"""Several workers, one training: small functions over `torch.distributed` that do nothing where there is one worker.

A worker joins the process group with `join`, which picks its GPU. Every function but `rank`, `world` and `share` must
be called on all ranks; otherwise the ranks that call it wait.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn

from tfic.errors import TficError
from tfic.system.devices import ANY, Device

T = TypeVar("T")
TIMEOUT = timedelta(minutes=30)
"""Longest wait of the other ranks for one, which may be uploading a state."""


class WorkerFailedError(TficError, RuntimeError):
    """Another worker of this training failed, so this one ends too."""


def rank() -> int:
    """Number of this worker, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """Number of workers."""
    return dist.get_world_size() if dist.is_initialized() else 1


def share(batch: int) -> tuple[range, float]:
    """Return the indexes of a batch's images that are this worker's, and the factor of means over them.

    Where the workers' shares differ in size a mean over a share counts by the size: the mean over the workers of
    `factor * mean of the share` is the mean of the batch, gradients included. Equal shares have the factor 1.
    """
    part = range(rank(), batch, world())
    return part, len(part) * world() / batch


@contextmanager
def join(device: Device = ANY) -> Iterator[None]:
    """Join the process group that `torchrun` describes in the environment, if it does, until the end of the block.

    Raises:
        NoGpuError: when a GPU was given and PyTorch cannot use one.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield
        return
    on_gpu = device.is_gpu()
    if on_gpu:  # before anything takes memory on another one
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=TIMEOUT)
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
    device = next(codec.parameters()).device
    devices = [device.index] if device.type == "cuda" else None
    # no buffer of a codec changes in training, and gradients are read where the ranks have summed them
    return nn.parallel.DistributedDataParallel(
        codec, device_ids=devices, broadcast_buffers=False, gradient_as_bucket_view=True
    )


def gather(values: Float[Tensor, " n"]) -> list[list[float]]:
    """The values of each rank, on all ranks."""
    rows = [values]
    if world() > 1:
        rows = [torch.empty_like(values) for _ in range(world())]
        dist.all_gather(rows, values)
    found: list[list[float]] = torch.stack(rows).cpu().tolist()
    return found


@contextmanager
def sync_errors() -> Iterator[None]:
    """An error in the block on any rank ends the block on all ranks.

    Raises:
        WorkerFailedError: when another rank has raised; this rank's own error is raised as it is. Ctrl-C is not waited
            for.
    """
    try:
        yield
    except Exception as error:  # whatever it is: the other ranks wait in a collective until they are told
        _gather_errors(error)
        raise
    for other, reason in enumerate(_gather_errors(None)):
        if reason:
            raise WorkerFailedError(f"worker {other} of {world()} ended the training: {reason}")


def _gather_errors(error: Exception | None) -> list[str]:
    """The error of each rank as a sentence, "" for none."""
    own = f"{type(error).__name__}: {error}" if error else ""
    found: list[Any] = [own]
    if world() > 1:
        found *= world()
        dist.all_gather_object(found, own)
    return found


def broadcast_from_rank0(make: Callable[[], T]) -> T:
    """Call `make` on rank 0 and return its result on every rank.

    Raises:
        WorkerFailedError: on the other ranks, when `make` raises.
    """
    made: list[Any] = [None]
    with sync_errors():
        if rank() == 0:
            made = [make()]
    if world() > 1:
        dist.broadcast_object_list(made, src=0)
    result: T = made[0]
    return result
