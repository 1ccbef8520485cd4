"""The codec: two transforms with a mean-scale hyperprior between them, any size of image, and real bytes.

                 ┌─────┐ y    ┌───┐ y_hat  ┌─────┐
    x ───────────┤ g_a ├──┬───┤ Q ├────┬───┤ g_s ├──── x_hat
                 └─────┘  │   └─┬─┘    │   └─────┘
                          ▼     │      │
                       ┌─────┐  │      │          g_a, g_s  analysis and synthesis transform
                       │ h_a │  │      │          h_a, h_s  hyper analysis and hyper synthesis
                       └──┬──┘  │      │          Q         rounding: y_hat = round(y - means) + means
                          ▼ z   ▼      ▲          EC, ED    entropy coder and decoder
                        ┌───┐ ┌───┐  ┌───┐
                        │ Q │ │EC ├──┤ED │
                        └─┬─┘ └─▲─┘  └─▲─┘
                     z_hat│     │scales, means
                       ┌──▼──┐  │      │
                       │ h_s ├──┴──────┘
                       └─────┘

Source: Balle et al. (arXiv 1802.01436) for the hyperprior, Minnen et al. (arXiv 1809.02736) for the means.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tfic.codec.bitstream import Coded
from tfic.codec.entropy import Gaussians, LatentCoder
from tfic.codec.exact import canonical, in_float64, on_grid, one_thread
from tfic.codec.image_codec import ImageCodec, Reconstruction
from tfic.codec.latent_stream import LatentReader


class MeanScaleHyperprior(ImageCodec):
    """A codec of four transforms and the densities of two latents."""

    def __init__(
        self, g_a: nn.Module, g_s: nn.Module, h_a: nn.Module, h_s: nn.Module, z_channels: int, y_stride: int
    ) -> None:
        """Make a codec of transforms.

        Args:
            g_a: (B, 3, H, W) to y, (B, M, ceil(H / y_stride), ceil(W / y_stride)).
            g_s: y_hat to an image whose sides are y_stride times y's; what exceeds H x W is cut off.
            h_a: y to z, (B, N, ceil(h / 4), ceil(w / 4)) for y of h x w.
            h_s: z_hat to the scales and means of y, (B, 2M, ...) with sides 4 times z's; what exceeds y is cut off.
            z_channels: N.
            y_stride: pixels of image for one position of y.
        """
        super().__init__()
        self.g_a, self.g_s, self.h_a, self.h_s = g_a, g_s, h_a, h_s
        self.latents = LatentCoder(z_channels)
        self.z_channels, self.y_stride = z_channels, y_stride

    def _with_noise(self, x: Float[Tensor, "B 3 H W"], straight_through: bool) -> Reconstruction:
        """For the modes see `LatentCoder.y_likelihoods`."""
        y = self.g_a(x)
        z_hat, z_likelihoods = self.latents.z_likelihoods(self.h_a(y))
        h, w = y.shape[-2:]
        scales, means = self.h_s(z_hat)[:, :, :h, :w].chunk(2, 1)
        y_hat, y_likelihoods = self.latents.y_likelihoods(y, scales, means, straight_through)
        H, W = x.shape[-2:]
        return Reconstruction(self.g_s(y_hat)[:, :, :H, :W], (y_likelihoods, z_likelihoods))

    @torch.no_grad()
    @one_thread()
    def compress(self, x: Float[Tensor, "1 3 H W"]) -> Coded:
        """One image in [0, 1] to the coded latents."""
        y = self._analyse(x)
        z_symbols = self.latents.z_symbols(self.h_a(y).float())
        gaussians = self._gaussians(self.latents.z_hat(z_symbols), *y.shape[-2:])
        return self.latents.encode(z_symbols, (y - gaussians.means).round_().int(), gaussians)

    @torch.no_grad()
    @one_thread()
    def decompress(self, coded: Coded, height: int, width: int) -> Float[Tensor, "1 3 H W"]:
        """The image that `compress` coded, of `height` x `width` pixels."""
        reader = LatentReader(coded)
        h, w = -(-height // self.y_stride), -(-width // self.y_stride)
        z_symbols = self.latents.read_z(reader, (1, self.z_channels, -(-h // 4), -(-w // 4)))
        gaussians = self._decoder_gaussians(reader, self.latents.z_hat(z_symbols), h, w)
        return self._synthesise(self.latents.read_y(reader, gaussians) + gaussians.means, height, width)

    @one_thread()
    def _evaluate(self, x: Float[Tensor, "1 3 H W"]) -> Reconstruction:
        y = self._analyse(x)
        z_hat, z_likelihoods = self.latents.z_likelihoods(self.h_a(y).float())
        gaussians = self._gaussians(z_hat, *y.shape[-2:])
        y_hat, y_likelihoods = self.latents.y_likelihoods(y, gaussians.scales.float(), gaussians.means)
        return Reconstruction(self._synthesise(y_hat, *x.shape[-2:]), (y_likelihoods, z_likelihoods))

    def _analyse(self, x: Tensor) -> Tensor:
        return self.g_a(canonical(x)).float()

    def _decoder_gaussians(self, reader: LatentReader, z_hat: Float[Tensor, "1 N h w"], h: int, w: int) -> Gaussians:
        """The Gaussians with which y of a file was coded."""
        return self._gaussians(z_hat, h, w)

    def _gaussians(self, z_hat: Tensor, h: int, w: int, h_s: nn.Module | None = None) -> Gaussians:
        scales, means = in_float64(h_s or self.h_s, canonical(z_hat))[:, :, :h, :w].chunk(2, 1)
        return Gaussians(scales, on_grid(means))

    def _synthesise(self, y_hat: Tensor, height: int, width: int) -> Tensor:
        return self.g_s(canonical(y_hat))[:, :, :height, :width].float()

    def _update_tables(self) -> None:
        self.latents.update()
