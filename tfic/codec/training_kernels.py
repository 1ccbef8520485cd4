"""Layers of lite as matrix products, for training on a CPU: the same values as torch's convolutions, within rounding.

On one thread torch computes pointwise convolutions of fewer than 16 images in a slow path. Everything here works on
channels-last memory, where a position's channels lie side by side, so that a pointwise convolution is one matrix
product and patches are a reshaping; a convolution of 3 x 3 takes 16 products for 4 pixels instead of 36.

Evaluation never comes here: its results are fixed to the bit (`tfic.codec.exact`).

Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (arXiv 1509.09308), for F(2 x 2, 3 x 3).
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def pointwise(x: Float[Tensor, "B H W C"], weight: Float[Tensor, "K C 1 1"], bias: Tensor) -> Float[Tensor, "B H W K"]:
    """A convolution with a kernel of 1 x 1."""
    return F.linear(x, weight.flatten(1), bias)


def patches(x: Float[Tensor, "B H W C"], weight: Float[Tensor, "K C s s"], bias: Tensor) -> Float[Tensor, "B h w K"]:
    """A convolution whose stride is its kernel's side; H and W are multiples of it."""
    B, H, W, C = x.shape
    side = weight.shape[2]
    cut = x.reshape(B, H // side, side, W // side, side, C).transpose(2, 3).reshape(B, H // side, W // side, -1)
    return F.linear(cut, weight.permute(0, 2, 3, 1).flatten(1), bias)


def depthwise(x: Float[Tensor, "B C H W"], weight: Float[Tensor, "C 1 k k"], bias: Tensor) -> Float[Tensor, "B C H W"]:
    """A convolution of each channel alone with an odd kernel, continued by zeros."""
    if torch.is_autocast_enabled(x.device.type):  # which does not look into a function with its own gradient
        kind = torch.get_autocast_dtype(x.device.type)
        x, weight, bias = x.to(kind), weight.to(kind), bias.to(kind)
    return _Depthwise.apply(x, weight, bias)


def enlarge(
    x: Float[Tensor, "B H W C"], weight: Float[Tensor, "Kss C 3 3"], bias: Tensor, side: int
) -> Float[Tensor, "B sH sW K"]:
    """A convolution with a kernel of 3 x 3, continued by zeros, and `pixel_shuffle` by `side`; H and W are even."""
    B, H, W, _ = x.shape
    # rows of the weights in the order in which pixels lie in memory, so that whole pixels are moved
    weight = weight.unflatten(0, (-1, side**2)).transpose(0, 1).flatten(0, 1)
    bias = bias.unflatten(0, (-1, side**2)).transpose(0, 1).flatten()
    tiles = _Tiles.apply(x)
    to_tiles, to_kernel, to_pixels = (each.to(x) for each in _winograd())
    V = (to_tiles @ tiles.view(16, -1)).view(16, -1, x.shape[3])
    U = (to_kernel @ weight.flatten(2).permute(2, 0, 1).reshape(9, -1)).view(16, *weight.shape[:2])
    products = torch.bmm(V, U.transpose(1, 2))
    Y = (to_pixels @ products.view(16, -1)).view(2, 2, B, H // 2, W // 2, side, side, -1)
    pixels = Y.permute(2, 3, 0, 5, 4, 1, 6, 7).reshape(B, H, side, W, side, -1)
    return (pixels + bias.view(side, 1, side, -1)).reshape(B, H * side, W * side, -1)


def _winograd() -> tuple[Tensor, Tensor, Tensor]:
    """Matrices that take 4 x 4 pixels, 3 x 3 weights, and their products to 2 x 2 pixels, in float32."""
    B_T = torch.tensor([[1.0, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
    G = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
    A_T = torch.tensor([[1.0, 1, 1, 0], [0, 1, -1, -1]])
    return torch.kron(B_T, B_T), torch.kron(G, G), torch.kron(A_T, A_T)


class _Depthwise(torch.autograd.Function):
    """The bias's gradient is a sum: asked of oneDNN, it costs a third of the whole backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias, padding=weight.shape[2] // 2, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (grad,) = grads
        x, weight = ctx.saved_tensors
        around = [weight.shape[2] // 2] * 2
        settings = (None, [1, 1], around, [1, 1], False, [0, 0], len(weight))
        to_x, _, _ = torch.ops.aten.convolution_backward(grad, x, weight, *settings, [True, False, False])
        _, to_weight, _ = torch.ops.aten.convolution_backward(grad, x, weight, *settings, [False, True, False])
        return to_x, to_weight, grad.sum((0, 2, 3))


class _Tiles(torch.autograd.Function):
    """The 16 pixels of each tile of 4 x 4 that surrounds one of 2 x 2, as (16, B h w, C)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        B, H, W, C = x.shape
        ctx.shape = x.shape
        padded = F.pad(x, (0, 0, 1, 1, 1, 1))
        out = x.new_empty(16, B, H // 2, W // 2, C)
        for i in range(4):
            for j in range(4):
                out[4 * i + j] = padded[:, i : i + H - 1 : 2, j : j + W - 1 : 2]
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (grad,) = grads
        B, H, W, C = ctx.shape
        padded = grad.new_zeros(B, H + 2, W + 2, C)
        tiles = grad.view(16, B, H // 2, W // 2, C)
        for i in range(4):
            for j in range(4):
                padded[:, i : i + H - 1 : 2, j : j + W - 1 : 2] += tiles[4 * i + j]
        return padded[:, 1:-1, 1:-1]
