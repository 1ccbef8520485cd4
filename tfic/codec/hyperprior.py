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

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from tfic.codec import bitstream
from tfic.codec.entropy import Coded, LatentCoder


@dataclass(frozen=True)
class Reconstruction:
    """What a forward pass gives: the image and what it costs."""

    x_hat: Float[Tensor, "B 3 H W"]
    """The decoded images; not clipped to [0, 1], so that gradients pass."""
    likelihoods: tuple[Tensor, Tensor]
    """Probabilities of the elements of y and of z; -log2 of them sums to the estimated bits."""

    def bits(self) -> Float[Tensor, ""]:
        """Estimated bits of the whole batch."""
        return sum(-each.log2().sum() for each in self.likelihoods)  # type: ignore[return-value]


class MeanScaleHyperprior(nn.Module):
    """A codec of four transforms; `encode` and `decode` are for images and files, `forward` is for training."""

    def __init__(
        self, g_a: nn.Module, g_s: nn.Module, h_a: nn.Module, h_s: nn.Module, z_channels: int, y_stride: int
    ) -> None:
        """Join transforms.

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
        self._fingerprint = b""

    def forward(self, x: Float[Tensor, "B 3 H W"], straight_through: bool = False) -> Reconstruction:
        """Images in [0, 1] to reconstructions and likelihoods; for training modes see `LatentCoder.y_likelihoods`."""
        y = self.g_a(x)
        z_hat, z_likelihoods = self.latents.z_likelihoods(self.h_a(y))
        scales, means = self._gaussians(z_hat, y.shape[-2:])
        y_hat, y_likelihoods = self.latents.y_likelihoods(y, scales, means, straight_through)
        return Reconstruction(self._synthesis(y_hat, x.shape[-2:]), (y_likelihoods, z_likelihoods))

    def update(self) -> None:
        """Fix coding tables and fingerprint to the present weights; before coding, after training."""
        self.latents.update()
        self._fingerprint = b""

    @property
    def fingerprint(self) -> bytes:
        """8 bytes that name these weights and coding tables; a file can be decoded by no others."""
        if not self._fingerprint:
            digest = hashlib.blake2b(digest_size=8)
            for name, tensor in sorted(self.state_dict().items()):
                digest.update(name.encode())
                digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).tobytes())
            self._fingerprint = digest.digest()
        return self._fingerprint

    @torch.no_grad()
    def compress(self, x: Float[Tensor, "1 3 H W"]) -> Coded:
        """One image in [0, 1] to the coded latents."""
        y = self.g_a(x)
        z_symbols = self.latents.z_symbols(self.h_a(y))
        scales, means = self._gaussians(self.latents.z_hat(z_symbols), y.shape[-2:])
        y_symbols = (y - means).round().int()
        return self.latents.encode(z_symbols, y_symbols, self.latents.scale_indexes(scales))

    @torch.no_grad()
    def decompress(self, coded: Coded, height: int, width: int) -> Float[Tensor, "1 3 H W"]:
        """The image that `compress` coded, of `height` x `width` pixels, equal to that of `forward` in evaluation."""
        decoder = self.latents.decoder(coded)
        h, w = -(-height // self.y_stride), -(-width // self.y_stride)
        z_hat = self.latents.z_hat(decoder.z_symbols((1, self.z_channels, -(-h // 4), -(-w // 4))))
        scales, means = self._gaussians(z_hat, (h, w))
        y_hat = decoder.y_symbols(self.latents.scale_indexes(scales)) + means
        return self._synthesis(y_hat, (height, width))

    def encode(self, image: np.ndarray) -> bytes:
        """An (H, W, 3) uint8 RGB image as the bytes of a `.tfic` file."""
        coded = self.compress(to_tensor(image))
        return bitstream.pack(coded, image.shape[0], image.shape[1], self.fingerprint)

    def decode(self, data: bytes) -> np.ndarray:
        """The (H, W, 3) uint8 RGB image of a `.tfic` file.

        Raises:
            BitstreamError: when the file is damaged, of another version, or of another model.
        """
        coded, height, width = bitstream.unpack(data, self.fingerprint)
        return to_image(self.decompress(coded, height, width))

    @torch.no_grad()
    def estimated_bits(self, image: np.ndarray) -> float:
        """Bits that the likelihoods promise for an image, without file overhead."""
        y = self.g_a(to_tensor(image))
        z_hat, z_likelihoods = self.latents.z_likelihoods(self.h_a(y))
        y_likelihoods = self.latents.y_likelihoods(y, *self._gaussians(z_hat, y.shape[-2:]))[1]
        return float(-y_likelihoods.log2().sum() - z_likelihoods.log2().sum())

    def overhead_bytes(self, image: np.ndarray) -> int:
        """Bytes of a file that are not coded latents."""
        return bitstream.OVERHEAD_BYTES

    def _gaussians(self, z_hat: Tensor, size: tuple[int, int] | torch.Size) -> tuple[Tensor, Tensor]:
        scales, means = self.h_s(z_hat)[:, :, : size[0], : size[1]].chunk(2, 1)
        return scales, means

    def _synthesis(self, y_hat: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
        return self.g_s(y_hat)[:, :, : size[0], : size[1]]


def to_tensor(image: np.ndarray) -> Float[Tensor, "1 3 H W"]:
    """An (H, W, 3) uint8 image as a batch of one in [0, 1]."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255


def to_image(x: Float[Tensor, "1 3 H W"]) -> np.ndarray:
    """A batch of one as an (H, W, 3) uint8 image: clipped to [0, 1] and rounded."""
    return (x[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().cpu().numpy()
