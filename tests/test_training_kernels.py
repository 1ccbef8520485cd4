"""What training computes as matrix products is what torch's convolutions compute, gradients included."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tfic.codec import training_kernels
from tfic.codec.lite import Block, Down, Up


def last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


KERNELS: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor], tuple[int, ...], tuple[int, ...]]] = {
    "pointwise": (F.conv2d, training_kernels.pointwise, (2, 5, 6, 3), (7, 5, 1, 1)),
    "patches of 2 x 2": (lambda *x: F.conv2d(*x, stride=2), training_kernels.patches, (3, 4, 6, 8), (5, 4, 2, 2)),
    "patches of 8 x 8": (lambda *x: F.conv2d(*x, stride=8), training_kernels.patches, (1, 3, 16, 8), (6, 3, 8, 8)),
    "pixels of 2 x 2": (
        lambda *x: F.pixel_shuffle(F.conv2d(*x, padding=1), 2),
        lambda *x: training_kernels.enlarge(*x, 2), (2, 5, 6, 4), (12, 5, 3, 3),
    ),
    "pixels of 8 x 8": (
        lambda *x: F.pixel_shuffle(F.conv2d(*x, padding=1), 8),
        lambda *x: training_kernels.enlarge(*x, 8), (1, 4, 2, 6), (192, 4, 3, 3),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KERNELS)
def test_values_and_gradients_are_those_of_the_convolution(name: str) -> None:
    plain, ours, shape, kernel = KERNELS[name]
    x, weight, bias = (torch.randn(*size, dtype=torch.double) for size in (shape, kernel, kernel[:1]))
    inputs = [each.requires_grad_() for each in (x, weight, bias)]
    expected, found = plain(*inputs), ours(last(x), weight, bias)
    assert torch.allclose(last(expected), found, atol=1e-12)
    towards = torch.randn_like(expected)
    theirs = torch.autograd.grad(expected, inputs, towards)
    for wanted, gradient in zip(theirs, torch.autograd.grad(found, inputs, last(towards)), strict=True):
        assert torch.allclose(wanted, gradient, atol=1e-11)


def test_each_channel_alone_too() -> None:
    inputs = [torch.randn(*size, dtype=torch.double) for size in ((2, 3, 7, 6), (3, 1, 5, 5), (3,))]
    for each in inputs:
        each.requires_grad_()
    expected, found = F.conv2d(*inputs, padding=2, groups=3), training_kernels.depthwise(*inputs)
    assert torch.equal(expected, found)
    towards = torch.randn_like(expected)
    theirs = torch.autograd.grad(expected, inputs, towards)
    for wanted, gradient in zip(theirs, torch.autograd.grad(found, inputs, towards), strict=True):
        assert torch.allclose(wanted, gradient, atol=1e-11)


@pytest.mark.parametrize("layer", [Down(3, 8, 8), Down(3, 8, 2), Up(3, 4, 2), Block(3)], ids=repr)
@pytest.mark.parametrize("size", [(16, 24), (13, 18), (7, 9)])
def test_a_layer_in_training_is_the_layer_in_evaluation_within_rounding(
    layer: torch.nn.Module, size: tuple[int, int]
) -> None:
    if isinstance(layer, Block):
        torch.nn.init.normal_(layer.narrow.weight)
    x = torch.randn(2, 3, *size)
    with torch.no_grad():
        assert torch.allclose(layer.train()(x), layer.eval()(x), atol=1e-5)
