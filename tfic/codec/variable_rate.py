"""A codec with a quality knob: a hyperprior and a checkerboard context, any size of image, and real bytes.

                 ┌─────┐ y    ┌───┐ y_hat   ┌─────┐
    x ───────────┤ g_a ├──┬───┤ Q ├────┬────┤ g_s ├──── x_hat
                 └─────┘  │   └─┬─┘    │    └─────┘
                          ▼     │      │ anchors
                       ┌─────┐  │ ┌────▼────┐             anchors  every other position of y, as on a checkerboard
                       │ h_a │  │ │ context │             context  what y_hat of anchors tells of the other positions
                       └──┬──┘  │ └────┬────┘             all else as in `tfic.codec.hyperprior`
                          ▼ z   │      │
                        ┌───┐   └──────┤ scales, means
                        │ Q │          │
                        └─┬─┘   ┌─────┐│
                          └─────┤ h_s ├┘
                         z_hat  └─────┘

Every transform takes the quality (`tfic.codec.conditioned`), so one set of weights serves every lambda. An element whose
scale is the narrowest is not coded: its mean is as good as certain, and most of the entropy coder's time is saved.

Source: Cui et al. (arXiv 2003.02012) for the gains, He et al. (arXiv 2103.15306) for the checkerboard; to leave out what
is certain is JPEG AI's skip mode.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tfic.codec.bitstream import Coded
from tfic.codec.checkerboard import anchors
from tfic.codec.conditioned import Conditioned
from tfic.codec.entropy import Gaussians, LatentCoder
from tfic.codec.exact import canonical, in_float64, on_grid, one_thread
from tfic.codec.image_codec import ImageCodec, Reconstruction
from tfic.codec.latent_stream import LatentReader
from tfic.codec.quality import LEVELS, knot_weights


@dataclass(frozen=True)
class Transforms:
    g_a: Conditioned
    g_s: Conditioned
    h_a: Conditioned
    h_s: Conditioned
    head: nn.Module
    context: nn.Module


class VariableRate(ImageCodec):
    """A codec of four conditioned transforms, a context and the densities of two latents."""

    def __init__(self, transforms: Transforms, z_channels: int, y_stride: int) -> None:
        super().__init__()
        for name in ("g_a", "g_s", "h_a", "h_s", "head", "context"):
            setattr(self, name, getattr(transforms, name))
        self.latents = LatentCoder(z_channels)
        self.z_channels, self.y_stride = z_channels, y_stride
        self.level = 100

    def forward(self, x, straight_through=False, quality=None):  # type: ignore
        if not self.training:
            return super().forward(x)
        if quality is None:
            quality = x.new_full((len(x),), self.level / 2)
        return self._noisy(x, quality)

    def _with_noise(self, x: Tensor, straight_through: bool) -> Reconstruction:
        return self._noisy(x, x.new_full((len(x),), self.level / 2))

    def _noisy(self, x: Float[Tensor, "B 3 H W"], quality: Float[Tensor, " B"]) -> Reconstruction:
        knots = knot_weights(quality)
        y = self.g_a(x, knots)
        z = self.h_a(y, knots)
        _, z_likelihoods = self.latents.z_likelihoods(z)
        medians = self.latents._medians()
        z_hat = z + ((z - medians).round() + medians - z).detach()
        h, w = y.shape[-2:]
        features = self.h_s(z_hat, knots)[:, :, :h, :w]
        scales, means = self.head(features).chunk(2, 1)
        first = anchors(y)
        known = (y + ((y - means).round() + means - y).detach()) * first
        more_scales, more_means = (self.context(torch.cat([known, features], 1)) * ~first).chunk(2, 1)
        y_hat, y_likelihoods = self.latents.y_likelihoods(y, scales + more_scales, means + more_means, True)
        H, W = x.shape[-2:]
        return Reconstruction(self.g_s(y_hat, knots)[:, :, :H, :W], (y_likelihoods, z_likelihoods))

    def _knots(self, dtype: torch.dtype) -> Tensor:
        return knot_weights(torch.tensor([self.level * 100 / (LEVELS - 1)], dtype=dtype))

    def _latents(self, x: Tensor) -> tuple[Tensor, Tensor, Gaussians]:
        knots = self._knots(torch.float32)
        y = self.g_a(canonical(x), knots).float()
        z_symbols = self.latents.z_symbols(self.h_a(y, knots).float())
        features, gaussians = self._first(self.latents.z_hat(z_symbols), *y.shape[-2:])
        first = anchors(y)
        symbols = self._symbols(y, gaussians) * first
        gaussians = self._second(symbols, features, gaussians, first)
        return z_symbols, torch.where(first, symbols, self._symbols(y, gaussians)), gaussians

    @staticmethod
    def _symbols(y: Tensor, gaussians: Gaussians) -> Tensor:
        return ((y - gaussians.means).round_() * (gaussians.indexes() > 0)).int()

    def _first(self, z_hat: Tensor, h: int, w: int) -> tuple[Tensor, Gaussians]:
        features = in_float64(self.h_s, canonical(z_hat), self._knots(torch.float64))[:, :, :h, :w]
        scales, means = in_float64(self.head, features).chunk(2, 1)
        return features, Gaussians(scales, on_grid(means))

    def _second(self, symbols: Tensor, features: Tensor, gaussians: Gaussians, first: Tensor) -> Gaussians:
        known = (symbols + gaussians.means.double()) * first
        more_scales, more_means = in_float64(self.context, torch.cat([known, features], 1)).chunk(2, 1)
        # means of the head are off their grid here, so that the sum is put on it once
        scales, means = in_float64(self.head, features).chunk(2, 1)
        means = torch.where(first, gaussians.means, on_grid(means + more_means))
        return Gaussians(torch.where(first, gaussians.scales, scales + more_scales), means)

    @torch.no_grad()
    @one_thread()
    def compress(self, x: Float[Tensor, "1 3 H W"]) -> Coded:
        from tfic.codec.ans import Stack
        from tfic.codec.latent_stream import _channels
        import zlib
        z_symbols, symbols, gaussians = self._latents(x)
        indexes = gaussians.indexes().numpy()
        z_tables, y_tables = self.latents._coding_tables()
        stack = Stack()
        first = anchors(symbols).numpy()
        for part in (~first, first):
            coded = (indexes > 0) & part
            stack.push(symbols.numpy()[coded], indexes[coded], y_tables)
        stack.push(z_symbols.numpy().ravel(), _channels(z_symbols.shape), z_tables)
        return Coded(stack.tobytes(), zlib.crc32(np.ascontiguousarray(indexes).tobytes()) & 0xFFFF)

    @torch.no_grad()
    @one_thread()
    def decompress(self, coded: Coded, height: int, width: int) -> Float[Tensor, "1 3 H W"]:
        from tfic.codec.ans import Stack
        from tfic.codec.latent_stream import _channels
        z_tables, y_tables = self.latents._coding_tables()
        h, w = -(-height // self.y_stride), -(-width // self.y_stride)
        shape = (1, self.z_channels, -(-h // 4), -(-w // 4))
        stack = Stack(coded.stream)
        z_symbols = torch.from_numpy(stack.pop(_channels(shape), z_tables).reshape(shape))
        features, gaussians = self._first(self.latents.z_hat(z_symbols), h, w)
        symbols = np.zeros(gaussians.means.shape, np.int32)
        first = anchors(gaussians.means)
        for part in (first, ~first):
            indexes = gaussians.indexes().numpy()
            read = (indexes > 0) & part.numpy()
            symbols[read] = stack.pop(indexes[read], y_tables)
            if part is first:
                gaussians = self._second(torch.from_numpy(symbols), features, gaussians, first)
        assert stack.is_empty()
        y_hat = torch.from_numpy(symbols) + gaussians.means
        return self.g_s(canonical(y_hat), self._knots(torch.float32))[:, :, :height, :width].float()

    @one_thread()
    def _evaluate(self, x: Float[Tensor, "1 3 H W"]) -> Reconstruction:
        knots = self._knots(torch.float32)
        z_symbols, symbols, gaussians = self._latents(x)
        y_hat = symbols + gaussians.means
        x_hat = self.g_s(canonical(y_hat), knots)[:, :, : x.shape[2], : x.shape[3]].float()
        return Reconstruction(x_hat, ())

    def _update_tables(self) -> None:
        self.latents.update()
