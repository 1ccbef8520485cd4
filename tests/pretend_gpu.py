"""A pretend GPU: tensors whose values lie in memory but which say that they are on another device.

On a machine without a GPU it finds what would go wrong or slowly on one: a tensor of the CPU and one of the GPU in one
operation raise, and every time that the CPU would wait for the GPU is counted, with the line that makes it wait.

Setting it up changes torch for the whole process, so it is for programs that tests start (`census.py`).
"""

import collections
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "gpu"
READS = (
    "_local_scalar_dense", "equal", "is_nonzero", "nonzero", "masked_select", "_unique2", "unique_dim",
    "unique_consecutive", "bincount",
)  # fmt: skip
"""Operations whose result, or its shape, the CPU must know at once."""
BY_INDEX = ("index", "index_put", "index_put_", "_index_put_impl_")
"""Operations that make places of a mask of truth values, whose number the CPU must know."""
TAKES_BOTH = ("index", "index_put", "index_put_", "_index_put_impl_", "_ctc_loss", "_ctc_loss_backward")
"""Operations that may be given tensors of the CPU beside those of the GPU; they copy them, and wait."""


class Waits:
    """What a stretch of a program asked of the GPU."""

    def __init__(self) -> None:
        self.found: collections.Counter[tuple[str, str]] = collections.Counter()
        self.sent: collections.Counter[str] = collections.Counter()
        """Bytes that were copied to the GPU without waiting, by line."""
        self.operations = 0

    def wait(self, kind: str) -> None:
        """Note that the CPU waits for the GPU."""
        self.found[kind, _line()] += 1

    def send(self, size: int) -> None:
        """Note a copy of so many bytes to the GPU for which nothing waits."""
        self.sent[_line()] += size


_counting: list[Waits] = []


class Remote(torch.Tensor):
    """A tensor of the pretend GPU."""

    value: torch.Tensor

    @staticmethod
    def __new__(cls, value: torch.Tensor) -> Self:
        return torch.Tensor._make_wrapper_subclass(
            cls,
            value.shape,
            strides=value.stride(),
            storage_offset=value.storage_offset(),
            dtype=value.dtype,
            layout=value.layout,
            device=torch.device(NAME, 0),
        )

    def __init__(self, value: torch.Tensor) -> None:
        self.value = value

    def __repr__(self, **_: Any) -> str:
        return f"Remote({self.value!r})"

    def __deepcopy__(self, memo: dict[int, Any]) -> torch.Tensor:
        if id(self) not in memo:
            copied: torch.Tensor = Remote(self.value.detach().clone())
            is_parameter = isinstance(self, torch.nn.Parameter)
            memo[id(self)] = torch.nn.Parameter(copied, self.requires_grad) if is_parameter else copied
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.value.detach().__reduce_ex__(protocol)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Everywhere(TorchDispatchMode):
    """Also takes the operations that make a tensor on the pretend GPU out of none."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        device = kwargs.get("device")
        remote = device is not None and torch.device(device).type == NAME
        if remote or any(isinstance(each, Remote) for each in tree_leaves((args, kwargs))):
            return _run(func, args, kwargs)
        return func(*args, **kwargs)


@contextmanager
def pretend_gpu() -> Iterator[torch.device]:
    """Set up the pretend GPU; within the block the yielded device is there."""
    _setup_privateuseone_for_python_backend(NAME)
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    torch._C._set_only_lift_cpu_tensors(True)
    with _Everywhere():
        yield torch.device(NAME, 0)


@contextmanager
def counted() -> Iterator[Waits]:
    """Count the waits of the block."""
    waits = Waits()
    _counting.append(waits)
    try:
        yield waits
    finally:
        _counting.remove(waits)


def _line() -> str:
    """The innermost line of this project that is being run, and the line of a library that it called.

    Of what goes to the GPU it is the line that sends it (`tfic.system.devices.send`).
    """
    inside = ""
    for frame in reversed(traceback.extract_stack()):
        place = f"{frame.filename.split('site-packages/')[-1]}:{frame.lineno}"
        if "/tfic/" in frame.filename and not frame.filename.endswith("/tfic/system/devices.py"):
            return f"tfic/{frame.filename.rpartition('/tfic/')[2]}:{frame.lineno}{inside}"
        if not inside and any(name in place for name in ("onnx2torch", "compressai", "torch/optim", "torch/nn/utils")):
            inside = f" < {place}"
    return f"backward{inside}"


def _wait(kind: str) -> None:
    for waits in _counting:
        waits.wait(kind)


def _run(func: Any, args: Any, kwargs: Any) -> Any:
    name = func.overloadpacket.__name__
    tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
    remote = [each for each in tensors if isinstance(each, Remote)]
    local = [each for each in tensors if not isinstance(each, Remote)]
    device = torch.device(kwargs["device"]) if kwargs.get("device") is not None else None
    here = (device is None and not remote) or (device is not None and device.type != NAME)
    for waits in _counting:
        waits.operations += 1
    if name == "_to_copy" and device is not None and bool(remote) == here:
        _copied(bool(remote), kwargs.get("non_blocking", False), tensors[0].nbytes)
    elif name == "copy_":
        if remote and local:
            non_blocking = kwargs.get("non_blocking", False) or args[2:] == (True,)
            _copied(isinstance(args[1], Remote), non_blocking, args[1].nbytes)
    elif remote and (name in READS or _counts(name, args, kwargs)):
        _wait("read")
    elif remote and local and name in TAKES_BOTH:
        _wait(f"{name.strip('_')} takes a tensor of the CPU")
    elif remote and any(each.dim() for each in local):
        raise RuntimeError(
            f"{func} is given tensors of both devices, of shapes {[tuple(each.shape) for each in local]}"
        )
    if remote and name in ("_ctc_loss", "_ctc_loss_backward"):
        _wait("CTC copies its lengths")

    def value(each: Any) -> Any:
        return each.value if isinstance(each, Remote) else each

    known = {id(each.value): each for each in remote}

    def wrapped(each: Any) -> Any:
        if not isinstance(each, torch.Tensor):
            return each
        return known[id(each)] if id(each) in known else Remote(each)

    kwargs_here = {**kwargs, "device": torch.device("cpu")} if device is not None else dict(kwargs)
    kwargs_here.pop("pin_memory", None)
    if name == "copy_":
        value(args[0]).copy_(value(args[1]))
        return args[0]
    found = func(*tree_map(value, args), **tree_map(value, kwargs_here))
    if name == "_to_copy" and any(found is each for each in map(value, tensors)):
        found = found.clone()
    if here or name == "_local_scalar_dense":
        return found
    out = tree_map(wrapped, found)
    return return_and_correct_aliasing(func, args, kwargs, out) if remote else out


def _counts(name: str, args: Any, kwargs: Any) -> bool:
    """Whether the CPU must know how many values are true, or the sum of repeats."""
    if name in BY_INDEX:
        masks = [each for each in args[1] if isinstance(each, Remote)]
        return any(each.dtype in (torch.bool, torch.uint8) for each in masks)
    return name == "repeat_interleave" and kwargs.get("output_size") is None


def _copied(back: bool, non_blocking: bool, size: int) -> None:
    if back:
        _wait("copied back")
    elif not non_blocking:
        _wait("copied there")
    else:
        for waits in _counting:
            waits.send(size)
