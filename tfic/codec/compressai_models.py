"""CompressAI's image models under our interface: their networks, our range coder.

A model's own `compress` and `decompress` decide what is coded in which order. CompressAI's entropy coder makes a string
for each latent and crashes on one cut short; instead they are given `_Writer` and `_Reader`, which join all latents
in ONE stream of `tfic.codec.ans`, so that neither strings, lengths nor shapes cost a byte.

What differs from `tfic.codec.hyperprior`:

- The networks run in float32. A machine whose float32 differs computes another scale now and then, and is told so.
- The forward pass of the raster-scan models (`mbt2018`, `cheng2020-anchor`, `cheng2020-attn`) is not their coding: it
  rounds y where coding rounds y - means. After 356 short training steps of an `mbt2018` the two images were 28 dB from
  each other and the estimated bits 13 % above the coded ones. The checkerboard and ELIC models differ from their coding
  in the last digits, on some processors (AMD EPYC). In evaluation the images of all these models are those of the
  coding; their estimated bits are those of the forward pass.
- `mbt2018-vbr` scans in training too, position by position: half a minute for a step of one 256 x 256 image
  on a CPU core.
- Training with `straight_through` shows the decoder rounded latents in the factorised and hyperprior models; the
  checkerboard, ELIC and `-vbr` models always do so, the raster-scan models never (noise).
- The `-vbr` models train and code at one gain, CompressAI's default; lambda decides the rate, as for all others.

Source: Begaint et al., CompressAI (arXiv 2011.03029); the papers of the models are named in its classes.
"""

import functools
import types
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tfic.codec.ans import Stack, Tables
from tfic.codec.bitstream import NOT_AT_ITS_END, OTHER_SCALES, BitstreamError, Coded
from tfic.codec.compressai_widths import WIDTHS
from tfic.codec.entropy import SCALES, frequencies, make_room
from tfic.codec.entropy_models import EntropyBottleneck, EntropyModel, GaussianConditional
from tfic.codec.exact import one_thread
from tfic.codec.image_codec import ImageCodec, Reconstruction

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # as in `tfic.codec.entropy_models`
    from compressai.layers import MaskedConv2d
    from compressai.models import SimpleVAECompressionModel
    from compressai.registry import MODELS

_Part = tuple[EntropyModel, np.ndarray, np.ndarray]
"""Elements that are coded in one call: their density, values and indexes."""


class CompressAIModel(ImageCodec):
    """A model of CompressAI; its transforms are `g_a`, `g_s` and, where it has them, `h_a`, `h_s`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.model: Any = MODELS[name](*WIDTHS[name])
        self.stride = getattr(self.model, "downsampling_factor", 64)  # sides are padded to its multiples
        self._tables: dict[EntropyModel, Tables] = {}
        for density in self._densities():
            if isinstance(density, EntropyBottleneck):
                density.quantiles.requires_grad_(False)  # found by bisection in `update`, not by an auxiliary loss
        if hasattr(self.model, "Gain"):
            self.model.Gain.requires_grad_(False)  # takes no part at the one gain that is trained

    def __getattr__(self, name: str) -> Any:
        if name in ("g_a", "g_s", "h_a", "h_s"):
            for path, module in self.model.named_modules():
                if path.split(".")[-1] == name:
                    return module
        return super().__getattr__(name)

    def _with_noise(self, x: Float[Tensor, "B 3 H W"], straight_through: bool) -> Reconstruction:
        """For `straight_through` see the module."""
        # Models with another quantiser of y ignore what this density says of y_hat.
        density = getattr(self.model, "gaussian_conditional", getattr(self.model, "entropy_bottleneck", None))
        if not straight_through or density is None:
            return self._reconstruct(x)
        hook = density.register_forward_hook(_rounded, with_kwargs=True)
        try:
            return self._reconstruct(x)
        finally:
            hook.remove()

    @torch.no_grad()
    @one_thread()
    def compress(self, x: Float[Tensor, "1 3 H W"]) -> Coded:
        """One image in [0, 1] to the coded latents."""
        parts: list[_Part] = []
        with self._coding(lambda density, step: _Writer(density, step, parts)):
            self.model.compress(self._padded(x))
        stack = Stack()
        for density, values, indexes in reversed(parts):
            stack.push(values, indexes, self._tables[density])
        return Coded(stack.tobytes(), _check(parts))

    @torch.no_grad()
    @one_thread()
    def decompress(self, coded: Coded, height: int, width: int) -> Float[Tensor, "1 3 H W"]:
        """The image that `compress` coded, of `height` x `width` pixels."""
        try:
            stack = Stack(coded.stream)
        except ValueError as error:
            raise BitstreamError(f"the file holds {error}") from error
        parts: list[_Part] = []
        strings_and_shape = self._strings_and_shape(-(-height // self.stride), -(-width // self.stride))

        def verify(*_: Any) -> None:
            """Before g_s, which costs most."""
            if _check(parts) != coded.check:
                raise BitstreamError(OTHER_SCALES)
            if not stack.is_empty():
                raise BitstreamError(NOT_AT_ITS_END)

        hook = self.g_s.register_forward_pre_hook(verify)
        try:
            with self._coding(lambda density, _: _Reader(density, stack, self._tables[density], parts)):
                x_hat = self.model.decompress(*strings_and_shape)["x_hat"]
        finally:
            hook.remove()
        if not x_hat.isfinite().all():
            raise BitstreamError("the file decodes to no finite image; it was not made by this codec")
        return x_hat[..., :height, :width]

    @one_thread()
    def _evaluate(self, x: Float[Tensor, "1 3 H W"]) -> Reconstruction:
        result = self._reconstruct(x)
        if not self._scans() and not isinstance(self.model, SimpleVAECompressionModel):
            return result
        return Reconstruction(self.decompress(self.compress(x), *x.shape[-2:]), result.likelihoods)

    def _reconstruct(self, x: Tensor) -> Reconstruction:
        out = self.model(self._padded(x))
        height, width = x.shape[-2:]
        return Reconstruction(out["x_hat"][..., :height, :width], tuple(out["likelihoods"].values()))

    def _padded(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H2 W2"]:
        height, width = x.shape[-2:]
        return F.pad(x.contiguous(), (0, -width % self.stride, 0, -height % self.stride), mode="replicate")

    def _scans(self) -> list[str]:
        """The methods of a model that codes position by position."""
        return [name for name in ("_compress_ar", "_decompress_ar") if hasattr(self.model, name)]

    def _densities(self) -> list[EntropyModel]:
        return [module for module in self.model.modules() if isinstance(module, EntropyModel)]

    def _update_tables(self) -> None:
        self._tables = {}
        for module in self.model.modules():
            if isinstance(module, EntropyBottleneck):
                module.update(force=True, update_quantiles=True)
            elif isinstance(module, GaussianConditional):
                module.update_scale_table(SCALES, force=True)
            elif isinstance(module, MaskedConv2d):
                module.weight.data.mul_(module.mask)  # as its forward pass will: the fingerprint is taken before

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        for path, module in self.model.named_modules():
            if isinstance(module, EntropyModel):
                make_room(module, state_dict, f"{prefix}model.{path}.")
        self._tables = {}
        super()._load_from_state_dict(state_dict, prefix, *args)

    @contextmanager
    def _coding(self, coder: Callable[[EntropyModel, int], Any]) -> Iterator[None]:
        """Give each density the entropy coder `coder(density, symbols of a step or 0 for all at once)`."""
        densities = self._densities()
        if not all(len(density.quantized_cdf) for density in densities):
            raise ValueError("this codec has no coding tables yet; call update() once it is trained")
        if not self._tables:
            self._tables = {density: Tables(*frequencies(density)) for density in densities}
        before = [density.entropy_coder for density in densities]
        for density in densities:
            density.entropy_coder = coder(density, 0)
        for name in self._scans():  # they make their coders themselves, by these names
            own_coder = functools.partial(coder, self.model.gaussian_conditional, self.model.M)
            loop = _renamed(getattr(type(self.model), name), BufferedRansEncoder=own_coder, RansDecoder=own_coder)
            setattr(self.model, name, types.MethodType(loop, self.model))
        try:
            yield
        finally:
            for name in self._scans():
                delattr(self.model, name)
            for density, own in zip(densities, before, strict=True):
                density.entropy_coder = own

    def _strings_and_shape(self, rows: int, columns: int) -> tuple[list[list[bytes]], Any]:
        """The arguments of a model's `decompress` for an image of rows x columns strides; the strings are not read."""
        last = torch.Size((rows, columns))
        if not isinstance(self.model, SimpleVAECompressionModel):
            return [[b""]] * (2 if hasattr(self.model, "h_s") else 1), last
        y = self.model.latent_codec["y"]
        grouped = hasattr(y, "groups")
        groups = y.groups if grouped else [y.context_prediction.in_channels]
        shapes = [(channels, 4 * rows, 4 * columns) for channels in groups]
        return [[b""]] * (2 * len(groups) + 1), {"y": shapes if grouped else shapes[0], "hyper": last}


class _Writer:
    """Keeps the symbols that a model encodes, and returns them when the model decodes them while it compresses."""

    def __init__(self, density: EntropyModel, step: int, parts: list[_Part]) -> None:
        self.density, self.step, self.parts = density, step, parts

    def encode_with_indexes(self, symbols: list[int], indexes: list[int], *tables: Any) -> bytes:
        values, index = np.array(symbols, np.int32), np.array(indexes, np.uint16)
        step = self.step or len(values)
        for i in range(0, len(values), step):
            self.parts.append((self.density, values[i : i + step], index[i : i + step]))
        return b"%d" % (len(self.parts) - 1)

    def decode_with_indexes(self, string: bytes, indexes: list[int], *tables: Any) -> list[int]:
        return self.parts[int(string)][1].tolist()

    def flush(self) -> bytes:
        return b""


class _Reader:
    """Decodes from the one stream, ignores the strings that it is given, and keeps the decoded symbols."""

    def __init__(self, density: EntropyModel, stack: Stack, tables: Tables, parts: list[_Part]) -> None:
        self.density, self.stack, self.tables, self.parts = density, stack, tables, parts

    def set_stream(self, string: bytes) -> None:
        pass

    def decode_stream(self, indexes: list[int], *tables: Any) -> list[int]:
        index = np.array(indexes, np.uint16)
        self.parts.append((self.density, self.stack.pop(index, self.tables), index))
        return self.parts[-1][1].tolist()

    def decode_with_indexes(self, string: bytes, indexes: list[int], *tables: Any) -> list[int]:
        return self.decode_stream(indexes)


def _check(parts: list[_Part]) -> int:
    """16 bits of CRC-32 over the indexes of Gaussians, in the order of decoding."""
    check = 0
    for density, _, indexes in parts:
        if isinstance(density, GaussianConditional):
            check = zlib.crc32(indexes.astype(np.uint8).tobytes(), check)
    return check & 0xFFFF


def _renamed(function: Any, **names: Any) -> Any:
    """A copy of a function that finds other objects under these global names."""
    scope = {**function.__globals__, **names}
    return types.FunctionType(function.__code__, scope, function.__name__, function.__defaults__, function.__closure__)


def _rounded(density: EntropyModel, inputs: tuple[Tensor, ...], named: dict[str, Any], out: Any) -> Any:
    """A density's forward hook: y_hat rounded instead of noisy, with the gradient of y (see `LatentCoder`)."""
    y, means = inputs[0], named.get("means")
    if isinstance(density, EntropyBottleneck):
        means = density.quantiles[:, 0, 1].view(1, -1, 1, 1)
    return y + (density.quantize(y, "dequantize", means) - y).detach(), out[1]
