"""Lite, a codec for devices: its encoder costs a small part of what reading costs, its decoder may cost more.

     image ─ patches of 8 x 8 ─ blocks ─ patches of 2 x 2 ─ blocks ─ y          g_a, cheap: 2 + 2 blocks
     image ─ pixels of 8 x 8 ── blocks ─ pixels of 2 x 2 ── blocks ─ y_hat      g_s: 4 + 4 blocks

Transformers and convolutional codecs spend most time where the image is still large. Here the first layer goes to
1/8 of its sides at once, so that everything else runs on 1/64 of the positions. The blocks are convolutions of each
channel alone and an MLP on each position; nothing is normalised, so nothing but matrix products is left.

Sources: Sandler et al., MobileNetV2 (arXiv 1801.04381), for residuals of depthwise convolutions; Liu et al., A ConvNet
for the 2020s (arXiv 2201.03545), for large kernels and patches instead of strided convolutions; the division of labour
between a cheap encoder and a decoder with more is ours.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tfic.codec.hyperprior import MeanScaleHyperprior

C, M, N = 96, 128, 32
"""Channels at 1/8 of the image, of y at 1/16 and of z at 1/64."""
HYPER = 64
"""Channels inside the hyper transforms."""
CHUNK = 1024
"""Positions that go through an MLP together in evaluation: their values inside stay in the processor's cache,
and needs no new pages of memory, which cost a third of the encoder's time at 1024 x 1024 pixels."""
ENCODER_BLOCKS, DECODER_BLOCKS = 2, 4
"""Blocks at each of the two scales."""


class Down(nn.Module):
    """Patches of `side` x `side` positions to single positions; edges are continued to whole patches."""

    def __init__(self, c_in: int, c_out: int, side: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, side, side)

    def forward(self, x: Float[Tensor, "B c_in H W"]) -> Float[Tensor, "B c_out h w"]:
        side = self.conv.stride[0]
        pad_y, pad_x = -x.shape[2] % side, -x.shape[3] % side
        if pad_y or pad_x:
            x = F.pad(x, (0, pad_x, 0, pad_y), mode="replicate")
        out: Tensor = self.conv(x)
        return out


class Up(nn.Module):
    """Single positions, each with its neighbours, to patches of `side` x `side` positions."""

    def __init__(self, c_in: int, c_out: int, side: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out * side**2, 3, padding=1)
        self.side = side

    def forward(self, x: Float[Tensor, "B c_in h w"]) -> Float[Tensor, "B c_out H W"]:
        return F.pixel_shuffle(self.conv(x), self.side)


class Block(nn.Module):
    """A residual: each channel's neighbourhood, then an MLP on each position. At the start it is the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.near = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.narrow = nn.Conv2d(2 * channels, channels, 1)
        for tensor in self.narrow.parameters():
            nn.init.zeros_(tensor)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        near = self.near(x)
        if self.training or torch.compiler.is_exporting():
            return x + self._mlp(near)
        out = x.clone()
        rows = max(1, CHUNK // x.shape[3])
        for out_rows, near_rows in zip(out.split(rows, 2), near.split(rows, 2), strict=True):
            out_rows.add_(self._mlp(near_rows))
        return out

    def _mlp(self, x: Tensor) -> Tensor:
        return self.narrow(F.gelu(self.widen(x)))


class Magnitudes(nn.Module):
    """Each channel and its absolute value, from which the widths of the Gaussians follow."""

    def forward(self, y: Float[Tensor, "B M h w"]) -> Float[Tensor, "B 2M h w"]:
        return torch.cat([y, y.abs()], 1)


def lite() -> MeanScaleHyperprior:
    """An untrained lite codec."""
    to_z = Down(HYPER, N, 2)
    with torch.no_grad():
        to_z.conv.weight.mul_(4)  # z is rounded to whole numbers: let it begin a few units wide, not drowned in noise

    def blocks(channels: int, count: int) -> nn.Module:
        return nn.Sequential(*(Block(channels) for _ in range(count)))

    return MeanScaleHyperprior(
        g_a=nn.Sequential(Down(3, C, 8), blocks(C, ENCODER_BLOCKS), Down(C, M, 2), blocks(M, ENCODER_BLOCKS)),
        g_s=nn.Sequential(blocks(M, DECODER_BLOCKS), Up(M, C, 2), blocks(C, DECODER_BLOCKS), Up(C, 3, 8)),
        h_a=nn.Sequential(Magnitudes(), Down(2 * M, HYPER, 2), Block(HYPER), to_z),
        h_s=nn.Sequential(Up(N, HYPER, 2), nn.ReLU(), Up(HYPER, HYPER, 2), nn.ReLU(), nn.Conv2d(HYPER, 2 * M, 1)),
        z_channels=N,
        y_stride=16,
    ).to(memory_format=torch.channels_last)
