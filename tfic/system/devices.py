"""The device of a training: which one it was given, whether it is there, its name and its room, and the way to it."""

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tfic.errors import TficError

KINDS = ("", "cpu", "cuda")
"""Kinds of devices that a training may be given; "" for a GPU if PyTorch can use one, else the CPU."""
DRIVER_FILE = Path("/proc/driver/nvidia/version")
"""File in which NVIDIA's driver states its version."""


CONTEXT_BYTES = 512 << 20
"""Memory of a GPU that CUDA takes for each process, beside what PyTorch's limit counts: a guess, none was measured."""


class NoGpuError(TficError, OSError):
    """A training was given a GPU, and PyTorch cannot use one."""


@dataclass(frozen=True)
class Device:
    """The device that a training is given."""

    kind: str = ""
    """`cpu`, `cuda`, or "" for a GPU if PyTorch can use one, else the CPU."""
    memory_share: float = 1.0
    """Share of the GPU's memory that this process may use, `CONTEXT_BYTES` for CUDA itself included."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"device is {self.kind!r}; it must be cpu or cuda")
        if not 0 < self.memory_share <= 1:
            raise ValueError(f"memory_share is {self.memory_share!r}; it must be above 0 and at most 1")

    def is_gpu(self) -> bool:
        """Return True when it is a GPU; looks whether there is one, and takes none.

        Raises:
            NoGpuError: when a GPU was given and PyTorch cannot use one.
        """
        there = self.kind != "cpu" and torch.cuda.is_available()
        if self.kind == "cuda" and not there:
            raise NoGpuError(f"this training was given a GPU, and {_why_not()}")
        return there

    def here(self) -> torch.device:
        """Return this process's device, with its memory limited to the share; of several GPUs the one that is set.

        Raises:
            NoGpuError: when a GPU was given and PyTorch cannot use one.
            ValueError: when the share has no room for more than CUDA itself.
        """
        if not self.is_gpu():
            return torch.device("cpu")
        here = torch.device("cuda", torch.cuda.current_device())
        if self.memory_share < 1:
            _, total = torch.cuda.mem_get_info(here)
            fraction = self.memory_share - CONTEXT_BYTES / total
            if fraction <= 0:
                raise ValueError(
                    f"{self.memory_share:g} of a GPU of {total / 2**30:.1f} GiB is no more than CUDA itself takes "
                    f"({CONTEXT_BYTES / 2**30:g} GiB for each process); give each training a larger share"
                )
            torch.cuda.set_per_process_memory_fraction(fraction, here)
        return here


ANY = Device()
"""A GPU if PyTorch can use one, else the CPU."""


def cpu_instead(device: Device) -> str:
    """Return why a training that may have a GPU gets the CPU although a driver is loaded; "" where that is not so.

    Nobody is told who has hidden the GPUs (an empty CUDA_VISIBLE_DEVICES) or has asked for the CPU.
    """
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    if device.kind or hidden or not driver_version(DRIVER_FILE) or torch.cuda.is_available():
        return ""
    return f"this training is on the CPU: a driver for a GPU is loaded, and {_why_not()}"


def name(device: torch.device) -> str:
    """Return the name of a GPU, or the number of this machine's CPU cores."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {os.cpu_count()} cores"


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the host on a device; where that is a GPU, nobody waits until it is there."""
    if device.type == "cuda":
        tensor = tensor.pin_memory()  # a GPU is waited for by a copy from any other memory
    return tensor.to(device, non_blocking=True)


def room_bytes(device: torch.device) -> float:
    """Return the memory of a GPU that this process may still take, in bytes; infinite for any other device."""
    if device.type != "cuda":
        return math.inf
    free, total = torch.cuda.mem_get_info(device)
    own = total * torch.cuda.get_per_process_memory_fraction(device) - torch.cuda.memory_reserved(device)
    return min(free, own)


def release_memory() -> None:
    """Give the GPU's memory that nothing uses any more back to other processes."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def driver_version(file: Path) -> str:
    """Return the version of NVIDIA's driver; "" where there is none."""
    if not file.is_file():
        return ""
    found = re.search(r"Kernel Module.*?(\d+\.[\d.]+)", file.read_text(encoding="utf-8"))
    return found[1] if found else "of an unknown version"


def _why_not() -> str:
    """That PyTorch cannot use a GPU, why, the versions, and what to do."""
    try:
        torch.cuda.init()
        reason = "it sees no GPU"
    except (RuntimeError, AssertionError) as error:  # an AssertionError where it is built without CUDA
        reason = " ".join(str(error).split())
    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
    driver = driver_version(DRIVER_FILE)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return (
        f"PyTorch cannot use one ({reason}). PyTorch {torch.__version__} is {built}; "
        f"{f'NVIDIA driver {driver}' if driver else 'no NVIDIA driver is loaded'}; CUDA_VISIBLE_DEVICES is "
        f"{'not set' if visible is None else repr(visible)}. Install a driver for this CUDA (`nvidia-smi` shows up to "
        "which CUDA the present one goes), or PyTorch and torchvision for the driver's CUDA; or train on CPUs: "
        "`--gpus-per-trial 0` in a sweep, `--device cpu` for one codec"
    )
