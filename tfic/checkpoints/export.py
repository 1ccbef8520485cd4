"""An encoder as an ONNX graph, for devices that have no PyTorch: image in, symbols and scale indexes out.

PyTorch computes h_s in float64 (see `tfic.codec.exact`); so does the graph, so that a decoder on another machine finds
the same scales. ONNX Runtime has no convolution in float64, so those of h_s are written as matrix
products. `tfic.onnx_encoder` runs the graph and writes the file.
"""

import copy
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tfic.codec.entropy import Gaussians
from tfic.codec.exact import on_grid
from tfic.codec.hyperprior import MeanScaleHyperprior
from tfic.codec.image_codec import ImageCodec
from tfic.codec.lite import Up
from tfic.system.files import write_whole

OUTPUTS = ("z_symbols", "y_symbols", "indexes")
"""The outputs of the graph: int32 symbols of z and y, and the uint8 indexes of y's scales."""
_ALLOWED = (nn.Sequential, nn.Conv2d, nn.ReLU, Up)


def export(codec: ImageCodec, height: int, width: int, path: Path) -> None:
    """Write the encoder for images of one size, with the codec's fingerprint and coding tables in its metadata.

    The file appears whole or not at all.

    Raises:
        ValueError: when the codec has several qualities, or a hyper synthesis with layers that ONNX Runtime cannot
            compute in float64.
        FileWriteError: when the file cannot be written.
    """
    if codec.level is not None:
        raise ValueError("a codec of several qualities codes y in two passes, which no graph of ours does; export lite")
    if not isinstance(codec, MeanScaleHyperprior) or not all(isinstance(m, _ALLOWED) for m in codec.h_s.modules()):
        raise ValueError(
            "this codec's hyper synthesis is not made of convolutions and ReLU alone, and ONNX Runtime has no other "
            "layers in float64; export lite"
        )
    tables = {
        name: {"frequencies": [each.tolist() for each in frequencies], "offsets": offsets.tolist()}
        for name, (frequencies, offsets) in codec.latents.table_arguments().items()
    }
    program = torch.onnx.export(
        _Encoder(copy.deepcopy(codec)).eval(), (torch.zeros(1, 3, height, width),),
        input_names=["x"], output_names=list(OUTPUTS), dynamo=True, verbose=False,
    )  # fmt: skip
    assert program is not None
    model = program.model_proto
    for key, value in (("fingerprint", codec.fingerprint.hex()), ("tables", json.dumps(tables))):
        model.metadata_props.add(key=key, value=value)
    write_whole(path, model.SerializeToString())


class _Encoder(nn.Module):
    def __init__(self, codec: MeanScaleHyperprior) -> None:
        """Take over the layers of a codec, which is unusable afterwards."""
        super().__init__()
        self.g_a, self.h_a = codec.g_a, codec.h_a
        self.h_s = _without_convolutions(codec.h_s).double()
        self.latents = codec.latents

    def forward(self, x: Float[Tensor, "1 3 H W"]) -> tuple[Tensor, Tensor, Tensor]:
        y = self.g_a(x)
        z_symbols = self.latents.z_symbols(self.h_a(y))
        parameters = self.h_s(self.latents.z_hat(z_symbols).double())[:, :, : y.shape[2], : y.shape[3]]
        scales, means = parameters.chunk(2, 1)
        gaussians = Gaussians(scales, on_grid(means))
        return z_symbols, (y - gaussians.means).round().int(), gaussians.indexes()


class _Product(nn.Module):
    """A convolution of stride 1 as one matrix product over shifted copies of its input."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        assert conv.stride == (1, 1)
        assert conv.groups == 1
        self.kernel = conv.kernel_size[0]
        self.weight = nn.Parameter(conv.weight.detach().permute(0, 2, 3, 1).flatten(1))
        self.bias = conv.bias

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K H W"]:
        assert self.bias is not None
        _, _, H, W = x.shape
        around = self.kernel // 2
        padded = F.pad(x, (around, around, around, around))
        shifts = [padded[:, :, i : i + H, j : j + W] for i in range(self.kernel) for j in range(self.kernel)]
        product = self.weight @ torch.cat(shifts, 1).flatten(2) + self.bias[:, None]
        return product.view(x.shape[0], -1, H, W)


def _without_convolutions(module: nn.Module) -> nn.Module:
    if isinstance(module, nn.Conv2d):
        return _Product(module)
    for name, child in module.named_children():
        setattr(module, name, _without_convolutions(child))
    return module
