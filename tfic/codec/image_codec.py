"""The base class of learned codecs: images to files and back, for any networks."""

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from tfic.codec import bitstream
from tfic.codec.bitstream import BitstreamError, Coded, Header
from tfic.codec.exact import one_thread
from tfic.pages import images


@dataclass(frozen=True)
class Reconstruction:
    """The result of a forward pass: images and the likelihoods of their latents."""

    x_hat: Float[Tensor, "B 3 H W"]
    """The decoded images; not clipped to [0, 1], so that gradients pass."""
    likelihoods: tuple[Tensor, ...]
    """Probabilities of the elements of the latents; -log2 of them sums to the estimated bits."""

    def bits(self) -> Float[Tensor, ""]:
        """Estimated bits of the whole batch."""
        return bits_of(self.likelihoods)


def bits_of(likelihoods: Sequence[Tensor]) -> Float[Tensor, ""]:
    """Bits that likelihoods promise."""
    return torch.stack([-each.log2().sum() for each in likelihoods]).sum()


class ImageCodec(nn.Module, ABC):
    """A codec; `encode` and `decode` are for images and files, `forward` is for training."""

    def __init__(self) -> None:
        super().__init__()
        self._fingerprint = b""
        self._shared = b""

    def forward(self, x: Float[Tensor, "B 3 H W"], straight_through: bool = False) -> Reconstruction:
        """Images in [0, 1] to reconstructions and likelihoods.

        In evaluation the result is, to the bit, that of `compress` and `decompress` for each image alone. In training
        latents are noisy; with `straight_through` the decoder gets rounded ones where the codec supports it.
        """
        if self.training:
            return self._with_noise(x, straight_through)
        alone = [self._evaluate(image) for image in x.split(1)]
        return Reconstruction(
            torch.cat([each.x_hat for each in alone]),
            tuple(torch.cat(each) for each in zip(*(each.likelihoods for each in alone), strict=True)),
        )

    @abstractmethod
    def _with_noise(self, x: Float[Tensor, "B 3 H W"], straight_through: bool) -> Reconstruction:
        """The forward pass of training."""

    @abstractmethod
    def _evaluate(self, x: Float[Tensor, "1 3 H W"]) -> Reconstruction:
        """The forward pass of evaluation, equal with any number of threads."""

    def _likelihoods(self, x: Float[Tensor, "1 3 H W"]) -> tuple[Tensor, ...]:
        """Those of the forward pass; a codec that finds them without a reconstruction makes none."""
        found: Reconstruction = self(x)
        return found.likelihoods

    @abstractmethod
    def compress(self, x: Float[Tensor, "1 3 H W"]) -> Coded:
        """One image in [0, 1] to the coded latents, equal with any number of threads."""

    @abstractmethod
    def decompress(self, coded: Coded, height: int, width: int) -> Float[Tensor, "1 3 H W"]:
        """The image that `compress` coded, of `height` x `width` pixels, equal with any number of threads.

        Raises:
            BitstreamError: when the latents cannot be decoded.
        """

    def update(self) -> None:
        """Fix coding tables and fingerprint to the present weights; before coding, after training."""
        self._fingerprint = b""
        with one_thread():
            self._update_tables()

    @abstractmethod
    def _update_tables(self) -> None:
        """Fix the coding tables to the present weights."""

    @property
    def fingerprint(self) -> bytes:
        """8 bytes that name the decoder of this codec's files, which no other can decode.

        They are a hash of all weights and coding tables, or, while the decoder is the one that `share_decoder` was
        given, that codec's.
        """
        if not self._fingerprint:
            self._fingerprint = self.shared_decoder[:8] or fingerprint_of(self.state_dict())
        return self._fingerprint

    def decoder_state(self) -> dict[str, Tensor]:
        """The weights and coding tables that a decoder needs: all but those of g_a and h_a."""
        return {name: tensor for name, tensor in self.state_dict().items() if not _of_encoder(name)}

    def freeze_decoder(self) -> None:
        """Let g_a and h_a alone learn."""
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(parameter.requires_grad and _of_encoder(name))

    def share_decoder(self, owner: "ImageCodec") -> None:
        """Write files in the name of another codec, whose decoder this one has, and read that one's.

        Raises:
            ValueError: when the decoders differ.
        """
        if fingerprint_of(self.decoder_state()) != fingerprint_of(owner.decoder_state()):
            raise ValueError(
                f"this codec's decoder is not that of model {owner.fingerprint.hex()}; only codecs whose g_s, h_s, "
                "densities and coding tables are equal can share files"
            )
        self._shared = _bound(owner.fingerprint, self.decoder_state())
        self._fingerprint = b""

    @property
    def shared_decoder(self) -> bytes:
        """8 bytes that name the codec whose decoder this one has, and 8 that bind them to it; b"" if it is its own."""
        valid = self._shared and self._shared == _bound(self._shared[:8], self.decoder_state())
        return self._shared if valid else b""

    def take_decoder(self, shared: str) -> bool:
        """Take the name of another codec's decoder, hexadecimal as in a checkpoint; whether it is of this decoder."""
        try:
            self._shared = bytes.fromhex(shared)
        except ValueError:
            return False
        self._fingerprint = b""
        return bool(self.shared_decoder)

    def train(self, mode: bool = True) -> Self:
        """As `nn.Module.train`; the fingerprint is computed anew afterwards."""
        self._fingerprint = b""
        return super().train(mode)

    def _apply(self, *args: Any, **kwargs: Any) -> Self:  # to another device or type
        self._fingerprint = b""
        return super()._apply(*args, **kwargs)

    def _load_from_state_dict(self, *args: Any) -> None:
        self._fingerprint = b""
        super()._load_from_state_dict(*args)

    @property
    def level(self) -> int | None:
        """Quality that it codes with, in steps of 1/2; None for a codec that has one quality only."""
        return None

    def at(self, quality: float) -> "ImageCodec":
        """The codec that codes with this quality and shares these weights.

        Raises:
            ValueError: when this codec has one quality only, or none like that.
        """
        raise ValueError(
            f"quality {quality:g} was asked of a codec that has one quality only, that of its lambda; leave quality "
            "out, or take a lite-vbr"
        )

    def encode(self, image: Image.Image | np.ndarray | Float[Tensor, "3 H W"], quality: float | None = None) -> bytes:
        """An image as the bytes of a `.tfic` file (docs/format.md).

        Args:
            image: a Pillow image (any mode, `tfic.pages.images`), an (H, W, 3) uint8 array, or a tensor in [0, 1].
            quality: 0 (fewest bits) to 100, for codecs that have more than one; by default the codec's own.

        Raises:
            ValueError: when the image is none of these, has more than `bitstream.MAX_PIXELS` pixels, the codec is in
                training, not in float32, or has not been updated, or has no such quality.
        """
        if quality is not None:
            return self.at(quality).encode(image)
        self._check_ready()
        x, grey = _batch_of_one(image)
        height, width = x.shape[-2:]
        bitstream.check_size(height, width)
        coded = self.compress(x.to(self._device()))
        return bitstream.pack(coded, Header(self.fingerprint, height, width, grey, self.level))

    def decode(self, data: bytes) -> Image.Image:
        """The image of a `.tfic` file, of mode L if a grey image was encoded, RGB else.

        Raises:
            BitstreamError: when the file is damaged, of another version, or of another model.
        """
        x_hat, grey = self._decode(data)
        image = Image.fromarray((x_hat[0] * 255).round().byte().permute(1, 2, 0).contiguous().cpu().numpy())
        return image.convert("L") if grey else image

    def decode_tensor(self, data: bytes) -> Float[Tensor, "3 H W"]:
        """The image of a `.tfic` file in [0, 1], before it is rounded to 8 bits.

        Raises:
            BitstreamError: when the file is damaged, of another version, or of another model.
        """
        return self._decode(data)[0][0]

    def estimated_bits(self, image: Image.Image) -> float:
        """Bits that the likelihoods promise for an image, without file overhead."""
        with torch.no_grad():
            return float(bits_of(self._likelihoods(_batch_of_one(image)[0].to(self._device()))))

    def bits_by_block(self, image: Image.Image) -> Float[np.ndarray, "h w"]:
        """The same bits by the places of the finest latent, side information spread over the places that it serves."""
        with torch.no_grad():
            found = self._likelihoods(_batch_of_one(image)[0].to(self._device()))
        bits = [-each.log2().sum(dim=(0, 1)).cpu().numpy() for each in found]
        total = np.zeros(max(each.shape for each in bits))
        for each in bits:
            rows, columns = (
                np.arange(n) >> math.ceil(math.log2(n / own)) for n, own in zip(total.shape, each.shape, strict=True)
            )
            served = np.outer(np.bincount(rows, minlength=len(each)), np.bincount(columns, minlength=each.shape[1]))
            total += (each / served.clip(1))[np.ix_(rows, columns)]
        return total

    def overhead_bytes(self, image: Image.Image) -> int:
        """Bytes of a file that are not coded latents."""
        return bitstream.OVERHEAD_BYTES + (self.level is not None)

    def _decode(self, data: bytes) -> tuple[Float[Tensor, "1 3 H W"], bool]:
        self._check_ready()
        coded, header = bitstream.unpack(data)
        if header.fingerprint != self.fingerprint:
            raise BitstreamError(
                f"the file was written by model {header.fingerprint.hex()}, this is model {self.fingerprint.hex()}; "
                "decode it with the checkpoint that encoded it"
            )
        if (header.level is None) != (self.level is None):
            stated = "no quality" if header.level is None else f"quality {bitstream.quality_of_level(header.level):g}"
            raise BitstreamError(f"the file states {stated}, which its model never does; no encoder wrote it")
        codec = self if header.level is None else self.at(bitstream.quality_of_level(header.level))
        return codec.decompress(coded, header.height_px, header.width_px).clamp(0, 1), header.grey

    def _check_ready(self) -> None:
        if self.training:
            raise ValueError("this codec is in training, where results depend on chance; call eval() first")
        dtype = next(self.parameters()).dtype
        if dtype != torch.float32:
            raise ValueError(f"this codec's weights are {dtype}; files are coded with float32, so call float() first")

    def _device(self) -> torch.device:
        return next(self.parameters()).device


def fingerprint_of(tensors: Mapping[str, Tensor]) -> bytes:
    """8 bytes of BLAKE2b over the names and values of all tensors."""
    digest = hashlib.blake2b(digest_size=8)
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).tobytes())
    return digest.digest()


def _of_encoder(name: str) -> bool:
    """Return True for a tensor of g_a or h_a."""
    return not {"g_a", "h_a"}.isdisjoint(name.split("."))


def _bound(fingerprint: bytes, decoder: Mapping[str, Tensor]) -> bytes:
    """A fingerprint, and a hash of it and of the decoder that it names."""
    return fingerprint + hashlib.blake2b(fingerprint + fingerprint_of(decoder), digest_size=8).digest()


def _batch_of_one(image: Image.Image | np.ndarray | Tensor) -> tuple[Float[Tensor, "1 3 H W"], bool]:
    """An image in [0, 1] as a batch, and True for a grey one."""
    if isinstance(image, Tensor):
        if image.ndim != 3 or image.shape[0] != 3 or not image.numel() or not image.is_floating_point():
            raise ValueError(f"a {image.dtype} tensor of shape {tuple(image.shape)}; an image is (3, H, W) in [0, 1]")
        if not (float(image.min()) >= 0 and float(image.max()) <= 1):  # also refuses nan
            raise ValueError("a tensor with values outside [0, 1]; divide 8-bit values by 255")
        return image.float()[None], False
    if not isinstance(image, (Image.Image, np.ndarray)):
        raise ValueError(f"a {type(image).__name__}; an image is a Pillow image (Image.open), an array or a tensor")
    grey = False
    if isinstance(image, Image.Image):
        image = images.plain(image)
        grey = image.mode == "L"
        array = np.array(image.convert("RGB") if grey else image)
    else:
        array = np.array(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise ValueError(f"a {array.dtype} array of shape {array.shape}; an image is (H, W, 3) of uint8")
    return torch.from_numpy(array).permute(2, 0, 1)[None].float().div_(255), grey
