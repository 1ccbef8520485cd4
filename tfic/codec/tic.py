"""TIC, the transformer image codec with a hyperprior alone ("TIC_hp").

Source: Lu et al., Transformer-based Image Compression, DCC 2022 (arXiv 2111.06707), in the form without a context
model that NYCU-MAPL/TransTIC trains. Size `base` has its parameters, module by module. Where we differ: any height
and width (sides are divided rounding up, windows are masked at the borders), and a bitstream of real bytes.
"""

from dataclasses import dataclass

import torch
from torch import nn

from tfic.codec.hyperprior import MeanScaleHyperprior
from tfic.codec.layers import RSTB, conv, deconv


@dataclass(frozen=True)
class TicSize:
    """The numbers that make a TIC."""

    channels: tuple[int, int, int, int]
    """Channels at 1/2, 1/4, 1/8 and 1/16 of the image; the last is M, the channels of y."""
    N: int
    """Channels of the hyper transforms and of z."""
    depths: tuple[int, int, int, int, int, int]
    """Swin blocks at 1/2, 1/4, 1/8, 1/16 of the image (g_a, mirrored in g_s), then 1/32 and 1/64 (h_a, h_s)."""
    heads: tuple[int, int, int, int, int, int]
    """Attention heads of the same groups."""
    windows: tuple[int, int, int, int, int, int] = (8, 8, 8, 8, 4, 4)
    """Window sides of the same groups, in positions."""
    mlp_ratio: float = 2.0
    """Hidden channels of a block's MLP over its channels."""
    drop_path: float = 0.1
    """Stochastic depth of the deepest block; it rises linearly from 0."""


SIZES = {
    "tiny": TicSize((16, 32, 64, 128), N=32, depths=(0, 0, 1, 1, 1, 1), heads=(4, 4, 4, 4, 4, 4), drop_path=0.0),
    "small": TicSize((24, 48, 96, 192), N=64, depths=(0, 1, 2, 2, 1, 1), heads=(4, 4, 8, 8, 8, 8), drop_path=0.0),
    "medium": TicSize((96, 96, 96, 144), N=96, depths=(2, 2, 4, 2, 2, 2), heads=(8, 8, 8, 12, 12, 12)),
    "base": TicSize((128, 128, 128, 192), N=128, depths=(2, 4, 6, 2, 2, 2), heads=(8, 8, 8, 16, 16, 16)),
}
"""`base` is the published network; the smaller ones leave out the costly groups at high resolution first."""


def tic(size: str) -> MeanScaleHyperprior:
    """An untrained TIC of a size in `SIZES`."""
    s = SIZES[size]
    rates = torch.linspace(0, s.drop_path, sum(s.depths)).tolist()

    def group(channels: int, scale: int, reverse: bool = False) -> nn.Module:
        """The Swin group of a scale index; in the synthesis the drop rates run the other way (deepest first)."""
        if not s.depths[scale]:
            return nn.Identity()
        depths, position = (s.depths[::-1], 5 - scale) if reverse else (s.depths, scale)
        first = sum(depths[:position])
        drops = tuple(rates[first : first + s.depths[scale]])
        return RSTB(channels, s.depths[scale], s.heads[scale], s.windows[scale], s.mlp_ratio, drops)

    (A, B, C, M), N = s.channels, s.N
    return MeanScaleHyperprior(
        g_a=nn.Sequential(
            conv(3, A, 5), group(A, 0),
            conv(A, B), group(B, 1),
            conv(B, C), group(C, 2),
            conv(C, M), group(M, 3),
        ),
        g_s=nn.Sequential(
            group(M, 3, reverse=True), deconv(M, C),
            group(C, 2, reverse=True), deconv(C, B),
            group(B, 1, reverse=True), deconv(B, A),
            group(A, 0, reverse=True), deconv(A, 3, 5),
        ),
        h_a=nn.Sequential(conv(M, N), group(N, 4), conv(N, N), group(N, 5)),
        h_s=nn.Sequential(group(N, 5, reverse=True), deconv(N, N), group(N, 4, reverse=True), deconv(N, 2 * M)),
        z_channels=N,
        y_stride=16,
    )  # fmt: skip
