"""Number formats of training: which part of a step computes in which.

| setting   | transforms and readers | other matrix products of a GPU | likelihoods, CTC, loss |
| --------- | ---------------------- | ------------------------------ | ---------------------- |
| `float32` | float32                | float32                        | float32                |
| `tf32`    | float32, by TF32       | TF32                           | float32                |
| `bf16`    | bfloat16, by autocast  | TF32                           | float32                |

Weights, gradients and the optimiser are float32 in all of them. A GPU's convolutions are TF32 in all of them, which is
what cuDNN does unless it is told otherwise. Evaluation has its own rules (`tfic.codec.exact`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def networks(precision: str, device: torch.device) -> Iterator[None]:
    """Run transforms and readers of the block in the format of that precision."""
    if precision != "bf16":
        yield
        return
    with torch.autocast(device.type, torch.bfloat16):
        yield


@contextmanager
def in_float32(device: torch.device) -> Iterator[None]:
    """Run the block in the formats of its tensors, inside `networks` too."""
    if not torch.is_autocast_enabled(device.type):
        yield
        return
    with torch.autocast(device.type, enabled=False):
        yield


@contextmanager
def matrix_products(precision: str, device: torch.device) -> Iterator[None]:
    """Let a GPU's float32 matrix products in the block be TF32 where the precision says so."""
    before = torch.get_float32_matmul_precision()
    if precision != "float32" and device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
