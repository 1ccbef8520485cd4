"""PP-OCRv6 small's detector as a frozen, differentiable network: where it sees text, pixel by pixel.

The weights are the ONNX file that ships inside the `rapidocr` wheel (Apache-2.0, PaddlePaddle authors), the very ones
that `tfic.ocr.detector` finds lines with: it draws boxes around what this map has above 0.3.
"""

from importlib.resources import files
from pathlib import Path

import onnx
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import nn

from tfic.ocr.onnx_networks import converted, cut

STEP_PX = 32
"""Heights and widths that the network takes are multiples of it."""


def weights_path() -> Path:
    """Path of the detector's ONNX file inside the installed `rapidocr` package."""
    return Path(str(files("rapidocr") / "models" / "PP-OCRv6_det_small.onnx"))


class TextMap(nn.Module):
    """Pages to a map of text; frozen, always in evaluation mode. Input is RGB in [0, 1], at the page's own size."""

    def __init__(self) -> None:
        super().__init__()
        network = converted(onnx.load(str(weights_path())))
        (probabilities,) = network.graph.output_node().all_input_nodes
        while not isinstance(network.get_submodule(str(probabilities.target)), nn.Sigmoid):
            (probabilities,) = probabilities.all_input_nodes
        self.network = cut(network, probabilities.all_input_nodes)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "TextMap":
        """Stay in evaluation mode in any case: the detector is never trained."""
        return super().train(False)

    def forward(self, x: Float[torch.Tensor, "B 3 H W"]) -> Float[torch.Tensor, "B 1 h w"]:
        """Log-odds of text for each pixel; h and w are the multiples of `STEP_PX` that are nearest to H and W."""
        size = [max(STEP_PX, STEP_PX * round(side / STEP_PX)) for side in x.shape[-2:]]
        if list(x.shape[-2:]) != size:
            x = F.interpolate(x, size, mode="bilinear", align_corners=False)
        (log_odds,) = self.network(x.flip(1) * 2 - 1)
        return log_odds
