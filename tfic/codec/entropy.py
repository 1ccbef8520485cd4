"""Probability models of the two latents, z and y: likelihoods for training, symbols and bytes for files.

z is coded with a learned density for each channel, y with a Gaussian for each element whose mean and scale come from z.
Both go into ONE stream (a stream costs at least 4 bytes of state), y below z, so that the decoder can compute y's
Gaussians before it reads y.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from tfic.codec.ans import Tables
from tfic.codec.bitstream import Coded
from tfic.codec.entropy_models import EntropyBottleneck, EntropyModel, GaussianConditional
from tfic.codec.latent_stream import LatentReader, write_latents, write_latents_in_parts
from tfic.system.precision import in_float32

SCALES_MIN, SCALES_MAX, SCALES_LEVELS = 0.11, 256.0, 64
_LOG_STEP = math.log(SCALES_MAX / SCALES_MIN) / (SCALES_LEVELS - 1)
SCALES = tuple(SCALES_MIN * math.exp(i * _LOG_STEP) for i in range(SCALES_LEVELS))
"""The standard deviations that a y element may be coded with (those of CompressAI's models)."""

STORED_NAMES = {"entropy_bottleneck": "z_density", "gaussian_conditional": "y_density"}
"""Names of z's and y's models in state dicts, and so in files: their first names, which fingerprints are made of."""


@dataclass(frozen=True)
class Gaussians:
    """The Gaussians of y, known to the decoder before it reads y; equal on every machine (see `tfic.codec.exact`)."""

    scales: Float[Tensor, "1 ..."]
    """Standard deviations, float64."""
    means: Float[Tensor, "1 ..."]
    """Means, float32, on a grid."""

    def indexes(self) -> UInt8[Tensor, "1 ..."]:
        """Index of the smallest scale in `SCALES` that is not below the element's (the last for larger ones)."""
        return _as_index(_steps(self.scales).ceil_())

    def table_indexes(self) -> np.ndarray:
        """The indexes as an array, as streams take them."""
        return _array(self.indexes())

    def uncertain(self) -> Bool[Tensor, "1 ..."]:
        """Elements with a scale above the smallest; the others are as good as certain to be their means."""
        return self.scales > SCALES_MIN

    def rounded(self, y: Float[Tensor, "1 ..."]) -> "Part":
        """The symbols of y: rounded distances from the means, zero where it is as good as certain."""
        return Part((y - self.means).round_().mul_(self.uncertain()).int(), self)


@dataclass(frozen=True)
class Part:
    """Some elements of y, of which the uncertain ones are coded and the others are their means."""

    symbols: Int[Tensor, "1 ..."]
    """Rounded distances from the means."""
    gaussians: Gaussians
    """Their Gaussians."""

    def y_hat(self) -> Float[Tensor, "1 ..."]:
        """The decoded values of these elements."""
        return self.symbols + self.gaussians.means


class FactorizedDensity(EntropyBottleneck):
    """CompressAI's entropy bottleneck, which does not look on the CPU, in training, for how to turn a tensor."""

    def forward(self, x: Float[Tensor, "B N h w"], training: bool | None = None) -> tuple[Tensor, Tensor]:
        """As of the parent class, to the bit."""
        if not (self.training if training is None else training):
            outputs, likelihoods = super().forward(x, training)
            return outputs, likelihoods
        by_channel = x.transpose(0, 1).contiguous()
        noisy = self.quantize(by_channel.reshape(len(by_channel), 1, -1), "noise")
        likelihoods = self.likelihood_lower_bound(self._likelihood(noisy)[0])
        return (
            noisy.reshape(by_channel.shape).transpose(0, 1).contiguous(),
            likelihoods.reshape(by_channel.shape).transpose(0, 1).contiguous(),
        )


class LatentCoder(nn.Module):
    """The densities of z and y."""

    def __init__(self, z_channels: int) -> None:
        super().__init__()
        self.entropy_bottleneck = FactorizedDensity(z_channels)
        self.entropy_bottleneck.quantiles.requires_grad_(False)  # `update` finds them by bisection: no auxiliary loss
        self.gaussian_conditional = GaussianConditional(list(SCALES))
        self._tables: tuple[Tables, Tables] | None = None
        self.register_state_dict_post_hook(_under_stored_names)

    def z_likelihoods(self, z: Float[Tensor, "B N h w"]) -> tuple[Tensor, Tensor]:
        """z_hat (with uniform noise in training, rounded to the medians else) and its likelihoods."""
        with in_float32(z.device):
            return self.entropy_bottleneck(z.float())

    def y_likelihoods(
        self,
        y: Float[Tensor, "B ..."],
        scales: Float[Tensor, "B ..."],
        means: Float[Tensor, "B ..."],
        straight_through: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """y_hat (with uniform noise in training, rounded to the means else) and the likelihoods of y.

        With `straight_through`, training still takes the likelihoods of the noisy y, since a rate needs a density, but
        y_hat is rounded and its gradient passes unchanged: the decoder is trained on what it will really be given.
        Source: Minnen and Singh, Channel-wise autoregressive entropy models (arXiv 2007.08739), section 3.3.
        """
        with in_float32(y.device):
            y, scales, means = y.float(), scales.float(), means.float()
            y_hat, likelihoods = self.gaussian_conditional(y, scales, means)
            if self.training and straight_through:
                y_hat = y + ((y - means).round() + means - y).detach()
            return y_hat, likelihoods

    def table_arguments(self) -> dict[str, tuple[list[np.ndarray], np.ndarray]]:
        """The arguments of `tfic.codec.ans.Tables`, for z (a table for each channel) and y (one for each scale).

        Raises:
            ValueError: when the tables have not been made.
        """
        if not len(self.entropy_bottleneck.quantized_cdf):
            raise ValueError("this codec has no coding tables yet; call update() once it is trained")
        return {"z": frequencies(self.entropy_bottleneck), "y": frequencies(self.gaussian_conditional)}

    def update(self, keep_medians: bool = False) -> None:
        """Fix the coding tables to the present weights; to be called after training, before coding.

        Args:
            keep_medians: let symbols of z count from where they did; for a codec that was trained on rounded z, whose
                decoder knows no other values of z_hat.
        """
        before = self.medians().flatten().clone() if keep_medians else None
        self.entropy_bottleneck.update(force=True, update_quantiles=True)
        if before is not None:
            self.entropy_bottleneck.quantiles.data[:, 0, 1] = before
            self.entropy_bottleneck.update(force=True, update_quantiles=False)
        self.gaussian_conditional.update()
        self._tables = None

    def z_symbols(self, z: Float[Tensor, "1 N h w"]) -> Int[Tensor, "1 N h w"]:
        """Rounded distance of z from the channel's median."""
        return (z - self.medians()).round().int()

    def z_hat(self, symbols: Int[Tensor, "1 N h w"]) -> Float[Tensor, "1 N h w"]:
        """The decoded values of z."""
        return symbols + self.medians()

    def encode(self, z_symbols: Tensor, y_symbols: Tensor, gaussians: Gaussians) -> Coded:
        """Code the symbols of one image.

        Raises:
            ValueError: when the tables have not been made, or a symbol is too large to be coded.
        """
        return write_latents(_array(z_symbols), _array(y_symbols), gaussians.table_indexes(), *self._coding_tables())

    def encode_parts(self, z_symbols: Tensor, parts: Sequence[Part]) -> Coded:
        """As `encode`, with those elements of y that are coded in parts, which are read in their order.

        Raises:
            ValueError: when the tables have not been made, or a symbol is too large to be coded.
        """
        coded = []
        for part in parts:
            mask = part.gaussians.uncertain()
            coded.append((_array(part.symbols[mask]), _array(_nearest_indexes(part.gaussians.scales[mask]))))
        return write_latents_in_parts(_array(z_symbols), coded, *self._coding_tables())

    def read_part(self, reader: LatentReader, gaussians: Gaussians, last: bool) -> Part:
        """The next part of y.

        Raises:
            BitstreamError: at the `last` part, when the encoder had other scales or the stream does not end there.
        """
        mask = gaussians.uncertain()
        symbols = torch.zeros_like(gaussians.means, dtype=torch.int32)
        read = reader.read_part(_array(_nearest_indexes(gaussians.scales[mask])), self._coding_tables()[1], last)
        symbols[mask] = torch.from_numpy(read).to(symbols.device)
        return Part(symbols, gaussians)

    def part_likelihoods(self, part: Part) -> Float[Tensor, "1 ..."]:
        """Likelihoods of a part's elements, 1 for those that are not coded."""
        _, likelihoods = self.y_likelihoods(part.y_hat(), part.gaussians.scales.float(), part.gaussians.means)
        return torch.where(part.gaussians.uncertain(), likelihoods, torch.ones_like(likelihoods))

    def read_z(self, reader: LatentReader, shape: tuple[int, int, int, int]) -> Int[Tensor, "1 N h w"]:
        """z's symbols, of `shape`; to be read first."""
        symbols = reader.read_z(shape, self._coding_tables()[0])
        return torch.from_numpy(symbols).to(self.entropy_bottleneck.quantiles.device)

    def read_y(self, reader: LatentReader, gaussians: Gaussians) -> Int[Tensor, "1 M h w"]:
        """y's symbols.

        Raises:
            BitstreamError: when this machine computes other scales than the encoder's did, or the stream does not end
                where the symbols do.
        """
        symbols = reader.read_y(gaussians.table_indexes(), self._coding_tables()[1])
        return torch.from_numpy(symbols).to(gaussians.means.device)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        for name, stored in STORED_NAMES.items():
            _rename(state_dict, prefix + stored, prefix + name)
            make_room(getattr(self, name), state_dict, f"{prefix}{name}.")
        self._tables = None
        super()._load_from_state_dict(state_dict, prefix, *args)

    def medians(self) -> Float[Tensor, "1 N 1 1"]:
        """The value of z, for each channel, from which symbols count."""
        return self.entropy_bottleneck.quantiles[:, 0, 1].view(1, -1, 1, 1)

    def _coding_tables(self) -> tuple[Tables, Tables]:
        if self._tables is None:
            arguments = self.table_arguments()
            self._tables = (Tables(*arguments["z"]), Tables(*arguments["y"]))
        return self._tables


def _nearest_indexes(scales: Float[Tensor, " n"]) -> UInt8[Tensor, " n"]:
    """Index of the nearest scale in `SCALES`, by ratio: 1 % fewer bits at low rates than with the next above."""
    return _as_index(_steps(scales).round_())


def _steps(scales: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    # tensors, not numbers: an exported graph (tfic.checkpoints.export) keeps numbers in float32 only
    low, step = scales.new_tensor(SCALES_MIN), scales.new_tensor(_LOG_STEP)
    return torch.maximum(scales, low).div_(low).log_().div_(step)


def _as_index(steps: Float[Tensor, "..."]) -> UInt8[Tensor, "..."]:
    return steps.clamp_(0, SCALES_LEVELS - 1).to(torch.uint8)


def _under_stored_names(module: nn.Module, state_dict: dict[str, Tensor], prefix: str, metadata: Any) -> None:
    """Rename the tensors of a state dict that was just made."""
    for name, stored in STORED_NAMES.items():
        _rename(state_dict, prefix + name, prefix + stored)


def _rename(state_dict: dict[str, Tensor], old: str, new: str) -> None:
    """Rename the tensors of a model in a state dict."""
    for key in [each for each in state_dict if each.startswith(f"{old}.")]:
        state_dict[new + key.removeprefix(old)] = state_dict.pop(key)


def make_room(model: EntropyModel, state_dict: dict[str, Tensor], prefix: str) -> None:
    """Give a model's coding tables the sizes of saved ones, so that they load like any buffer."""
    for table in ("_quantized_cdf", "_cdf_length", "_offset", "scale_table"):
        saved = state_dict.get(f"{prefix}{table}")
        if saved is not None:
            setattr(model, table, torch.empty_like(saved, device=getattr(model, table).device))


def frequencies(model: EntropyModel) -> tuple[list[np.ndarray], np.ndarray]:
    """The arguments of `Tables` for an updated entropy model of CompressAI."""
    rows = zip(model.quantized_cdf.cpu().numpy(), model.cdf_length.tolist(), strict=True)
    return [np.diff(row[:length]) for row, length in rows], model.offset.cpu().numpy()


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.contiguous().cpu().numpy()
