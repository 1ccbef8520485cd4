"""Layers that depend on the quality: their weights are interpolated between knots (`tfic.codec.quality`)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tfic.codec.quality import KNOTS

CHUNK = 1024
"""Positions that go through an MLP together in evaluation; see `tfic.codec.lite.CHUNK`."""


class Gain(nn.Module):
    """A factor for each channel, interpolated between knots on a logarithmic scale.

    Source: Cui et al., Asymmetric Gained Deep Image Compression (arXiv 2003.02012).
    """

    def __init__(self, channels: int, first: float = 1.0, last: float = 1.0) -> None:
        """`first` is the factor at the lowest quality, `last` at the highest, before training."""
        super().__init__()
        logs = torch.linspace(0, 1, KNOTS) * torch.tensor(last / first).log() + torch.tensor(first).log()
        self.logs = nn.Parameter(logs[:, None].repeat(1, channels))

    def forward(self, x: Float[Tensor, "B C H W"], knots: Float[Tensor, "B K"]) -> Float[Tensor, "B C H W"]:
        return x * (knots @ self.logs).exp()[:, :, None, None]


class Shift(nn.Module):
    """An addend for each channel; zero before training."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(KNOTS, channels))

    def forward(self, x: Float[Tensor, "B C H W"], knots: Float[Tensor, "B K"]) -> Float[Tensor, "B C H W"]:
        return x + (knots @ self.table)[:, :, None, None]


class ConditionedBlock(nn.Module):
    """lite's block with an affine map of each channel between neighbourhood and MLP, which costs a file nothing.

    In evaluation the map is part of the depthwise kernel. ReLU instead of GELU: a GELU took a third of g_a's time.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.near = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.narrow = nn.Conv2d(2 * channels, channels, 1)
        for tensor in self.narrow.parameters():
            nn.init.zeros_(tensor)
        self.stretch = nn.Parameter(torch.zeros(KNOTS, channels))
        self.shift = nn.Parameter(torch.zeros(KNOTS, channels))

    def forward(self, x: Float[Tensor, "B C H W"], knots: Float[Tensor, "B K"]) -> Float[Tensor, "B C H W"]:
        stretch, shift = 1 + knots @ self.stretch, knots @ self.shift
        if self.training:
            near = torch.addcmul(shift[:, :, None, None], self.near(x), stretch[:, :, None, None])
            return x + self._mlp(near.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        weight, bias = self.near.weight * stretch[0, :, None, None, None], self.near.bias
        assert bias is not None
        near = F.conv2d(x, weight, bias * stretch[0] + shift[0], padding=2, groups=x.shape[1])
        out = x.clone()
        rows = max(1, CHUNK // x.shape[3])
        for out_rows, near_rows in zip(out.split(rows, 2), near.split(rows, 2), strict=True):
            out_rows.add_(self._mlp(near_rows.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
        return out

    def _mlp(self, x: Float[Tensor, "B H W C"]) -> Float[Tensor, "B H W C"]:
        wide = F.linear(x, self.widen.weight.flatten(1), self.widen.bias).relu_()
        return F.linear(wide, self.narrow.weight.flatten(1), self.narrow.bias)


class Conditioned(nn.ModuleList):
    """Layers one after the other, of which some take the knots' weights."""

    def forward(self, x: Float[Tensor, "B C H W"], knots: Float[Tensor, "B K"]) -> Tensor:
        for layer in self:
            x = layer(x, knots) if isinstance(layer, (Gain, Shift, ConditionedBlock)) else layer(x)
        return x
