"""Probability models and range coding of the two latents, z and y; the only file that knows CompressAI.

z is coded with a learned density for each channel, y with a Gaussian for each element whose mean and scale come from z.
Both go into ONE rANS stream (a stream costs at least 8 bytes), z first, so that the decoder can compute y's Gaussians
before it reads y.
"""

import math
import warnings
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # compressai scripts its bounds at import, which torch calls deprecated
    from compressai.ans import BufferedRansEncoder, RansDecoder
    from compressai.entropy_models import EntropyBottleneck, EntropyModel, GaussianConditional

SCALES = tuple(math.exp(math.log(0.11) + i * (math.log(256) - math.log(0.11)) / 63) for i in range(64))
"""The standard deviations that a y element may be coded with (those of CompressAI's models)."""


@dataclass(frozen=True)
class Coded:
    """The coded latents of one image."""

    stream: bytes
    """The rANS stream of z and y."""
    scales_check: int
    """16 bits of CRC-32 over y's scale indexes. A machine whose floats lead to other indexes would decode garbage."""


class _Table:
    """The cumulative distributions of an entropy model as the lists that the C++ coder takes, listed once."""

    def __init__(self, model: EntropyModel) -> None:
        self.cdfs = model.quantized_cdf.tolist()
        self.lengths = model.cdf_length.tolist()
        self.offsets = model.offset.tolist()


class LatentCoder(nn.Module):
    """The densities of z and y: likelihoods for training, symbols and bytes for files."""

    def __init__(self, z_channels: int) -> None:
        super().__init__()
        self.z_density = EntropyBottleneck(z_channels)
        self.z_density.quantiles.requires_grad_(False)  # found by bisection in `update`, not by an auxiliary loss
        self.y_density = GaussianConditional(list(SCALES))
        self._tables: tuple[_Table, _Table] | None = None

    def z_likelihoods(self, z: Float[Tensor, "B N h w"]) -> tuple[Tensor, Tensor]:
        """z_hat (with uniform noise in training, rounded to the medians else) and its likelihoods."""
        return self.z_density(z)

    def y_likelihoods(
        self,
        y: Float[Tensor, "B M h w"],
        scales: Float[Tensor, "B M h w"],
        means: Float[Tensor, "B M h w"],
        straight_through: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """y_hat (with uniform noise in training, rounded to the means else) and the likelihoods of y.

        With `straight_through`, training still takes the likelihoods of the noisy y, since a rate needs a density, but
        y_hat is rounded and its gradient passes unchanged: the decoder is trained on what it will really be given.
        Source: Minnen and Singh, Channel-wise autoregressive entropy models (arXiv 2007.08739), section 3.3.
        """
        y_hat, likelihoods = self.y_density(y, scales, means)
        if self.training and straight_through:
            y_hat = y + ((y - means).round() + means - y).detach()
        return y_hat, likelihoods

    def update(self) -> None:
        """Fix the coding tables to the present weights; to be called after training, before coding."""
        self.z_density.update(force=True, update_quantiles=True)
        self.y_density.update()
        self._tables = None

    def z_symbols(self, z: Float[Tensor, "1 N h w"]) -> Int[Tensor, "1 N h w"]:
        """Rounded distance of z from the channel's median."""
        return (z - self._medians()).round().int()

    def z_hat(self, symbols: Int[Tensor, "1 N h w"]) -> Float[Tensor, "1 N h w"]:
        """What the decoder knows of z."""
        return symbols + self._medians()

    def scale_indexes(self, scales: Float[Tensor, "1 M h w"]) -> Int[Tensor, "1 M h w"]:
        """Index of the smallest scale in `SCALES` that is not below the given one (the last for larger ones)."""
        return torch.bucketize(scales.contiguous(), self.y_density.scale_table[:-1]).int()

    def encode(self, z_symbols: Tensor, y_symbols: Tensor, scale_indexes: Tensor) -> Coded:
        """Symbols of one image to bytes."""
        z_table, y_table = self._coding_tables()
        encoder = BufferedRansEncoder()
        for symbols, indexes, table in (
            (z_symbols, _channel_indexes(z_symbols.shape), z_table),
            (y_symbols, scale_indexes, y_table),
        ):
            encoder.encode_with_indexes(
                symbols.flatten().tolist(), indexes.flatten().tolist(), table.cdfs, table.lengths, table.offsets
            )
        return Coded(encoder.flush(), _check(scale_indexes))

    def decoder(self, coded: Coded) -> "LatentDecoder":
        """Start decoding one image."""
        return LatentDecoder(self, coded)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        # Coding tables grow with training; take the size that the file has, so that they load like any buffer.
        for model, name in ((self.z_density, "z_density"), (self.y_density, "y_density")):
            for table in ("_quantized_cdf", "_cdf_length", "_offset"):
                saved = state_dict.get(f"{prefix}{name}.{table}")
                if saved is not None:
                    setattr(model, table, torch.empty_like(saved, device=getattr(model, table).device))
        self._tables = None
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _medians(self) -> Tensor:
        return self.z_density.quantiles[:, 0, 1].view(1, -1, 1, 1)

    def _coding_tables(self) -> tuple[_Table, _Table]:
        if self._tables is None:
            if not len(self.z_density.quantized_cdf):
                raise ValueError("this codec has no coding tables yet; call update() once it is trained")
            self._tables = (_Table(self.z_density), _Table(self.y_density))
        return self._tables


class LatentDecoder:
    """Reads z, then y, from one stream."""

    def __init__(self, coder: LatentCoder, coded: Coded) -> None:
        self._tables = coder._coding_tables()
        self._check = coded.scales_check
        self._decoder = RansDecoder()
        self._decoder.set_stream(coded.stream)

    def z_symbols(self, shape: tuple[int, int, int, int]) -> Int[Tensor, "1 N h w"]:
        """z's symbols; to be read first."""
        return self._read(_channel_indexes(shape), self._tables[0])

    def y_symbols(self, scale_indexes: Int[Tensor, "1 M h w"]) -> Int[Tensor, "1 M h w"]:
        """y's symbols.

        Raises:
            ValueError: when this machine computes other scale indexes than the encoder did.
        """
        if _check(scale_indexes) != self._check:
            raise ValueError(
                "this machine computes other scales than the one that encoded the file (its floats differ), "
                "so the file cannot be decoded here; decode it where it was encoded, or on the CPU in float32"
            )
        return self._read(scale_indexes, self._tables[1])

    def _read(self, indexes: Tensor, table: _Table) -> Tensor:
        values = self._decoder.decode_stream(indexes.flatten().tolist(), table.cdfs, table.lengths, table.offsets)
        return torch.tensor(values, dtype=torch.int32, device=indexes.device).view(indexes.shape)


def _channel_indexes(shape: tuple[int, ...]) -> Int[Tensor, "1 N h w"]:
    return torch.arange(shape[1], dtype=torch.int32).view(1, -1, 1, 1).expand(shape)


def _check(indexes: Tensor) -> int:
    return zlib.crc32(indexes.cpu().numpy().astype(np.uint8).tobytes()) & 0xFFFF
