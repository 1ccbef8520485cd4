"""Equal floats: with any number of threads, alone or in a batch, and where decoding depends on it on any machine.

Sums of floats depend on their order, and libraries choose the order by the number of threads, the size of the batch
and the processor. This breaks a codec: a decoder that computes one scale differently reads garbage from
there on, and a pixel that differs makes a file's checksum of what was seen worthless. Hence two rules for evaluation:

- Everything runs on one CPU thread, one image at a time (`one_thread`): the same pixels on the same kind of processor.
  Many images are coded in parallel by as many processes.
- What decides how the stream is read, h_s, runs in float64 (`in_float64`), and its means are put on a grid: results of
  different summation orders differ in the fifteenth digit, so a scale lands on another side of the limit between two
  indexes about once in ten million images; then a checksum tells.

Source: Balle, Johnston and Minnen, Integer networks for data compression with latent-variable models (ICLR 2019), for
the problem; their remedy, integer arithmetic, asks for networks made for it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

GRID = 1024
"""Means of y are multiples of 1/GRID of a quantiser step."""
_ALONE = threading.RLock()


@contextmanager
def one_thread() -> Iterator[None]:
    """Run the block's CPU arithmetic on one thread; other Python threads that want such a block wait for its end."""
    with _ALONE:  # the number of threads, and the weights that `in_float64` replaces for a moment, are everybody's
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def in_float64(module: nn.Module, *inputs: Any) -> Tensor:
    """`module(*inputs)`, computed in float64 from the module's float32 weights; tensors among the inputs are floats."""
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    doubles = {name: each.double() if each.is_floating_point() else each for name, each in tensors.items()}
    arguments = tuple(each.double() if isinstance(each, Tensor) else each for each in inputs)
    out: Tensor = torch.func.functional_call(module, doubles, arguments)
    return out


def canonical(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
    """The same values in channels-last memory, with the very strides that such a tensor is made with.

    A single image has many strides that count as channels-last, and convolutions choose their kernel by the strides.
    """
    return x.clone(memory_format=torch.channels_last)


def on_grid(means: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Means rounded to multiples of 1/GRID, in float32."""
    return (means * GRID).round_().div_(GRID).float()
