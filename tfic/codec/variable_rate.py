"""A codec with a quality knob: a hyperprior with gains and a checkerboard context, any size of image, and real bytes.

                 ┌─────┐ y    ┌───┐ y_hat  ┌─────┐
    x ───────────┤ g_a ├──┬───┤ Q ├────┬───┤ g_s ├──── x_hat
                 └─────┘  │   └─┬─┘    │   └─────┘
                          ▼     │      ▼ anchors
                       ┌─────┐  │ ┌─────────┐           anchors  every other position of y, as on a checkerboard
                       │ h_a │  │ │ context │           context  what y_hat of anchors tells of the other positions
                       └──┬──┘  │ └────┬────┘           head     scales and means, from the features of h_s alone
                          ▼ z   │      │ for the rest   all else as in `tfic.codec.hyperprior`
                        ┌───┐   └──────┤
                        │ Q │          │ scales, means
                        └─┬─┘  ┌─────┐ │ ┌──────┐
                          └────┤ h_s ├─┴─┤ head │
                          z_hat└─────┘   └──────┘

Every transform takes the quality (`tfic.codec.conditioned`), so that one set of weights serves every lambda. An element
whose scale is the narrowest is not coded but taken for its mean: that is as good as certain, and saves most of the
entropy coder's time.

Sources: Cui et al. (arXiv 2003.02012) for gains, He et al. (arXiv 2103.15306) for the checkerboard; not to code what is
certain is the skip mode of JPEG AI. Minnen and Singh (arXiv 2007.08739, section 3.3) for training: rates are those of
noisy latents, and whatever the decoder computes it computes from rounded ones.
"""

import copy
from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tfic.codec.bitstream import Coded, level_of, quality_of_level
from tfic.codec.checkerboard import Board, board
from tfic.codec.conditioned import Conditioned
from tfic.codec.entropy import Gaussians, LatentCoder, Part
from tfic.codec.exact import canonical, in_float64, on_grid, one_thread
from tfic.codec.image_codec import ImageCodec, Reconstruction
from tfic.codec.latent_stream import LatentReader
from tfic.codec.quality import knot_weights, quality_of


@dataclass(frozen=True)
class Transforms:
    """The networks of a variable-rate codec."""

    g_a: Conditioned
    """(B, 3, H, W) to y, (B, M, ceil(H / y_stride), ceil(W / y_stride))."""
    g_s: Conditioned
    """y_hat to an image whose sides are y_stride times y's; what exceeds H x W is cut off."""
    h_a: Conditioned
    """y to z, (B, N, ceil(h / 4), ceil(w / 4)) for y of h x w."""
    h_s: Conditioned
    """z_hat to features with sides 4 times z's; what exceeds y is cut off."""
    head: nn.Module
    """Features of positions, (B, P, F), to scales and means of y there, (B, P, 2M)."""
    context: nn.Module
    """y_hat of anchors, features and the board to addends for the head's output at the other positions."""


@dataclass(frozen=True)
class _Latents:
    """Rounded latents of one image and what y is coded with, the positions of y in the order of coding."""

    z_symbols: Int[Tensor, "1 N h w"]
    parts: tuple[Part, Part]
    """Anchors and the others."""
    place: Board


@dataclass(frozen=True)
class _Hyper:
    """The features that come from z alone, in float64."""

    features: Float[Tensor, "1 P F"]
    parameters: Float[Tensor, "1 P 2M"]
    """Scales and means."""
    place: Board


class VariableRate(ImageCodec):
    """A codec of conditioned transforms, a context and the densities of two latents."""

    def __init__(self, transforms: Transforms, z_channels: int, y_stride: int) -> None:
        """Join transforms; for `z_channels` and `y_stride` see `MeanScaleHyperprior`."""
        super().__init__()
        self.g_a, self.g_s, self.h_a, self.h_s = transforms.g_a, transforms.g_s, transforms.h_a, transforms.h_s
        self.head, self.context = transforms.head, transforms.context
        self.latents = LatentCoder(z_channels)
        self.z_channels, self.y_stride = z_channels, y_stride
        self.own_level: Tensor
        self.register_buffer("own_level", torch.tensor(level_of(50)))
        self.asked_level: int | None = None

    @property
    def level(self) -> int:
        """Quality that it codes with, in steps of 1/2."""
        return int(self.own_level) if self.asked_level is None else self.asked_level

    def at(self, quality: float) -> Self:
        """The codec that codes with this quality and shares these weights; ValueError when there is none like that."""
        _ = self.fingerprint  # hashed here, once, and not by every copy
        other = copy.copy(self)
        other.asked_level = level_of(quality)
        return other

    def settle(self, lmbda: float) -> None:
        """Make the quality that stands for `lmbda` this codec's own: in training, and wherever none is asked for."""
        self.own_level.fill_(level_of(quality_of(lmbda)))

    def decoder_state(self) -> dict[str, Tensor]:
        """As for any codec; a file states its quality, so no decoder needs the codec's own."""
        return {name: tensor for name, tensor in super().decoder_state().items() if name != "own_level"}

    def forward(
        self, x: Float[Tensor, "B 3 H W"], straight_through: bool = False, quality: Float[Tensor, " B"] | None = None
    ) -> Reconstruction:
        """As for any codec; in training each image may have a quality of its own."""
        if quality is None:
            return super().forward(x, straight_through)
        assert self.training, "in evaluation `at` sets the quality"
        return self.at_qualities(x, quality)

    def at_qualities(self, x: Float[Tensor, "B 3 H W"], quality: Float[Tensor, " B"]) -> Reconstruction:
        """The forward pass of training, with a quality for each image."""
        knots = knot_weights(quality)
        y = self.g_a(x, knots).float()
        z = self.h_a(y, knots).float()
        _, z_likelihoods = self.latents.z_likelihoods(z)
        place = board(y.shape[2], y.shape[3], y.device)
        z_hat = _straight_through(z, (z - self.latents.medians()).round() + self.latents.medians())
        features = place.to_sequence(self.h_s(z_hat, knots)[:, :, : y.shape[2], : y.shape[3]])
        y, parameters, A = place.to_sequence(y), self.head(features).float(), place.anchors
        known = _known(y[:, :A], parameters[:, :A])
        others = parameters[:, A:] + self.context(known, features, place).float()
        y_hat = torch.cat([known, _known(y[:, A:], others)], 1)
        scales, means = torch.cat([parameters[:, :A], others], 1).chunk(2, 2)
        _, y_likelihoods = self.latents.y_likelihoods(y, scales, means)
        H, W = x.shape[-2:]
        return Reconstruction(self.g_s(place.to_map(y_hat), knots)[:, :, :H, :W], (y_likelihoods, z_likelihoods))

    def _with_noise(self, x: Float[Tensor, "B 3 H W"], straight_through: bool) -> Reconstruction:
        """With the codec's own quality; the decoder is always shown rounded latents."""
        return self.at_qualities(x, self._quality(x).expand(len(x)))

    @torch.no_grad()
    @one_thread()
    def compress(self, x: Float[Tensor, "1 3 H W"]) -> Coded:
        """One image in [0, 1] to the coded latents."""
        found = self._latents(x)
        return self.latents.encode_parts(found.z_symbols, found.parts)

    @torch.no_grad()
    @one_thread()
    def decompress(self, coded: Coded, height: int, width: int) -> Float[Tensor, "1 3 H W"]:
        """The image that `compress` coded, of `height` x `width` pixels."""
        reader = LatentReader(coded)
        h, w = -(-height // self.y_stride), -(-width // self.y_stride)
        z_symbols = self.latents.read_z(reader, (1, self.z_channels, -(-h // 4), -(-w // 4)))
        hyper = self._from_z(self.latents.z_hat(z_symbols), h, w)
        anchors = self.latents.read_part(reader, _of_anchors(hyper), last=False)
        others = self.latents.read_part(reader, self._of_others(hyper, anchors), last=True)
        return self._synthesise((anchors, others), hyper.place, height, width)

    @one_thread()
    def _evaluate(self, x: Float[Tensor, "1 3 H W"]) -> Reconstruction:
        found = self._latents(x)
        return Reconstruction(self._synthesise(found.parts, found.place, *x.shape[-2:]), self._likelihoods_of(found))

    @one_thread()
    def _likelihoods(self, x: Float[Tensor, "1 3 H W"]) -> tuple[Tensor, ...]:
        return self._likelihoods_of(self._latents(x))

    def _likelihoods_of(self, found: _Latents) -> tuple[Tensor, Tensor]:
        _, z_likelihoods = self.latents.z_likelihoods(self.latents.z_hat(found.z_symbols))
        y_likelihoods = found.place.to_map(torch.cat([self.latents.part_likelihoods(part) for part in found.parts], 1))
        return y_likelihoods, z_likelihoods

    def _latents(self, x: Float[Tensor, "1 3 H W"]) -> _Latents:
        knots = knot_weights(self._quality(x))
        y = self.g_a(canonical(x), knots).float()
        z_symbols = self.latents.z_symbols(self.h_a(y, knots).float())
        hyper = self._from_z(self.latents.z_hat(z_symbols), *y.shape[-2:])
        y, A = hyper.place.to_sequence(y), hyper.place.anchors
        anchors = _of_anchors(hyper).rounded(y[:, :A])
        return _Latents(z_symbols, (anchors, self._of_others(hyper, anchors).rounded(y[:, A:])), hyper.place)

    def _from_z(self, z_hat: Tensor, h: int, w: int) -> _Hyper:
        knots = knot_weights(self._quality(z_hat.double()))
        place = board(h, w, z_hat.device)
        features = place.to_sequence(in_float64(self.h_s, canonical(z_hat), knots)[:, :, :h, :w])
        return _Hyper(features, in_float64(self.head, features), place)

    def _of_others(self, hyper: _Hyper, anchors: Part) -> Gaussians:
        more = in_float64(self.context, anchors.y_hat(), hyper.features, hyper.place)
        return _gaussians(more.add_(hyper.parameters[:, hyper.place.anchors :]))

    def _synthesise(self, parts: tuple[Part, Part], place: Board, height: int, width: int) -> Tensor:
        y_hat = place.to_map(torch.cat([part.y_hat() for part in parts], 1))
        return self.g_s(canonical(y_hat), knot_weights(self._quality(y_hat)))[:, :, :height, :width].float()

    def _quality(self, like: Tensor) -> Float[Tensor, " 1"]:
        return like.new_full((1,), quality_of_level(self.level))

    def _update_tables(self) -> None:
        self.latents.update(keep_medians=True)  # training rounds z too


def _straight_through(latent: Tensor, rounded: Tensor) -> Tensor:
    """What was rounded; gradients pass to the latent as if it had not been."""
    return latent + (rounded - latent).detach()


def _known(y: Float[Tensor, "B n M"], parameters: Float[Tensor, "B n 2M"]) -> Float[Tensor, "B n M"]:
    """y as the decoder will know it, for training."""
    scales, means = parameters.chunk(2, 2)
    symbols = (y - means).round() * Gaussians(scales, means).uncertain()
    return _straight_through(y, symbols + means)


def _of_anchors(hyper: _Hyper) -> Gaussians:
    return _gaussians(hyper.parameters[:, : hyper.place.anchors])


def _gaussians(parameters: Float[Tensor, "1 n 2M"]) -> Gaussians:
    scales, means = parameters.chunk(2, 2)
    return Gaussians(scales.contiguous(), on_grid(means))
