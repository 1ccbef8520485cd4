"""TIC, the transformer image codec with a hyperprior alone ("TIC_hp").

Source: Lu et al., Transformer-based Image Compression, DCC 2022 (arXiv 2111.06707), in the form without a context
model that NYCU-MAPL/TransTIC trains. Size `base` has its parameters, module by module. Where we differ: any height
and width (sides are divided rounding up, windows are masked at the borders), and a bitstream of real bytes.
The windows at 1/64 are never shifted, as in the public code, which is built for 256 x 256 pixels, where they cover the
whole map: a codec is trained without that shift and would meet it for the first time in a larger image.
"""

import copy
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tfic.codec.entropy import Gaussians
from tfic.codec.hyperprior import MeanScaleHyperprior
from tfic.codec.latent_stream import LatentReader
from tfic.codec.layers import RSTB, SwinBlock, conv, deconv

WINDOW_AT_64 = 4
"""Window side at 1/64 of the image, in positions: 256 pixels."""


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
    windows: tuple[int, int, int, int, int, int] = (8, 8, 8, 8, 4, WINDOW_AT_64)
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


class Tic(MeanScaleHyperprior):
    """A TIC, which also decodes the files of earlier versions.

    Those shifted the windows at 1/64 wherever the map has more than one, in images of more than 256 pixels on a side.
    The weights are the same, and the check in a file tells which of the two networks wrote it.
    """

    def freeze_decoder(self) -> None:
        """Let g_a and h_a alone learn, before a decoder without stochastic depth."""
        super().freeze_decoder()
        for block in (*self.g_s.modules(), *self.h_s.modules()):
            if isinstance(block, SwinBlock):
                block.drop_path = 0.0

    def _decoder_gaussians(self, reader: LatentReader, z_hat: Float[Tensor, "1 N h w"], h: int, w: int) -> Gaussians:
        gaussians = super()._decoder_gaussians(reader, z_hat, h, w)
        if max(z_hat.shape[-2:]) <= WINDOW_AT_64 or reader.fits(gaussians.table_indexes()):
            return gaussians
        earlier = self._gaussians(z_hat, h, w, shifted_at_64(self.h_s))
        return earlier if reader.fits(earlier.table_indexes()) else gaussians


def shifted_at_64(h_s: nn.Module) -> nn.Module:
    """A copy of a TIC's h_s that shifts the windows at 1/64, as earlier versions did."""
    copied = copy.deepcopy(h_s)
    first = next(copied.children())
    assert isinstance(first, RSTB)
    for block in list(first.blocks)[1::2]:
        assert isinstance(block, SwinBlock)
        block.attention.shift = block.attention.window // 2
    return copied


def tic(size: str) -> Tic:
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
        depth, heads, window = s.depths[scale], s.heads[scale], s.windows[scale]
        return RSTB(channels, depth, heads, window, s.mlp_ratio, drops, shifted=scale < 5)

    (A, B, C, M), N = s.channels, s.N
    return Tic(
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
