"""PP-OCRv6 small as a frozen, differentiable line reader, and the feature maps on its way to the text.

The weights are the ONNX file that ships inside the `rapidocr` wheel (Apache-2.0, PaddlePaddle authors). `onnx2torch`
turns the graph into a PyTorch module, so the loss of reading flows back to the pixels while no weight of it moves.
"""

import math
import unicodedata
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, fx, nn

from tfic.ocr.graph_nodes import module_of
from tfic.ocr.onnx_networks import converted, cut
from tfic.ocr.rectify import places
from tfic.ocr.training_reader import Sight

HEIGHT_PX = 48
"""Height of a line image, as the recogniser was trained."""
MIN_WIDTH_PX = 320
"""Least width of a line image; shorter lines are padded with grey on the right, as `rapidocr` does."""
STRIDE_PX = 8
"""Pixels of width for one step of the CTC sequence."""
LEAST = math.log(1e-12)
"""Least log-probability; below it there is no gradient."""


def weights_path() -> Path:
    """Path of the recogniser's ONNX file inside the installed `rapidocr` package."""
    return Path(str(files("rapidocr") / "models" / "PP-OCRv6_rec_small.onnx"))


class Alphabet:
    """Class indexes and characters: the CTC blank first, then the model's own list, the space last."""

    def __init__(self, characters: str | Sequence[str]) -> None:
        """Take the list from the `character` entry of the model's metadata, one character a line, or as it is."""
        own = (*characters.splitlines(), " ") if isinstance(characters, str) else characters
        self.characters = ("", *own)
        self._index = {character: i for i, character in enumerate(self.characters) if character}
        for character, i in list(self._index.items()):  # labels are composed; of a few characters the list is not
            self._index.setdefault(unicodedata.normalize("NFC", character), i)

    def __len__(self) -> int:
        return len(self.characters)

    def knows(self, text: str) -> bool:
        """Return True when every character of `text` has a class."""
        return not self.strangers(text)

    def strangers(self, text: str) -> set[str]:
        """The characters of `text` that have no class."""
        return {character for character in text if character not in self._index}

    def encode(self, text: str) -> list[int]:
        """Class indexes of the characters of `text`.

        Raises:
            ValueError: when a character has no class.
        """
        if not self.knows(text):
            strangers = sorted(map(repr, self.strangers(text)))
            raise ValueError(f"{text!r} has characters that the reader does not know: {', '.join(strangers)}")
        return [self._index[character] for character in text]

    def decode(self, paths: np.ndarray) -> list[str]:
        """The text of each row of class indexes (B, T): repeats merged, then blanks dropped."""
        texts = []
        for path in paths.tolist():
            kept = [k for k, before in zip(path, [0, *path[:-1]], strict=True) if k not in (before, 0)]
            texts.append("".join(self.characters[k] for k in kept))
        return texts


def alphabet() -> Alphabet:
    """The alphabet of the line reader."""
    return _alphabet(onnx.load(str(weights_path())))


def _alphabet(model: onnx.ModelProto) -> Alphabet:
    (characters,) = (each.value for each in model.metadata_props if each.key == "character")
    return Alphabet(characters)


class LineReader(nn.Module):
    """Line images to CTC log-probabilities; frozen, always in evaluation mode.

    Input is RGB in [0, 1]; the channel swap and scaling that the recogniser wants happen inside.
    """

    height_px = HEIGHT_PX
    stride_px = STRIDE_PX
    transform = staticmethod(places)

    def __init__(self) -> None:
        super().__init__()
        model = onnx.load(str(weights_path()))
        self.alphabet = _alphabet(model)
        self.network = _with_log_probabilities(converted(model))
        maps = _feature_nodes(self.network)
        (text,) = self.network.graph.output_node().all_input_nodes
        self._to_maps, self._to_both = cut(self.network, maps), cut(self.network, [*maps, text])
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "LineReader":
        """Stay in evaluation mode in any case: the reader is never trained."""
        return super().train(False)

    def forward(self, x: Float[Tensor, "B 3 48 W"]) -> Float[Tensor, "B T K"]:
        """Log-probabilities over the alphabet for each of the T = W / 8 steps; x is RGB in [0, 1]."""
        return self._run(self.network, x)

    def look(self, x: Float[Tensor, "B 3 48 W"], features: bool, text: bool) -> Sight:
        """Return the feature maps, the log-probabilities or both, in one pass that computes no more than that.

        The maps are the ends of the three convolutional stages and the features that the head classifies.
        """
        if not features:
            return Sight((), self(x) if text else None)
        *maps, last = self._run(self._to_both if text else self._to_maps, x)
        log_probabilities = None
        if text:
            log_probabilities, last = last, maps.pop()
        return Sight((*maps, last.transpose(1, 2)[:, :, None]), log_probabilities)

    def _run(self, network: nn.Module, x: Tensor) -> Any:
        return network(x.flip(1) * 2 - 1)


def _with_log_probabilities(network: fx.GraphModule) -> fx.GraphModule:
    """The network with log-probabilities, in float32 whatever the format of what is before them, for probabilities."""
    last = [node for node in network.graph.nodes if "Softmax" in type(module_of(network, node)).__name__][-1]
    with network.graph.inserting_before(last):
        logits = network.graph.call_method("float", (last.args[0],))
        values = network.graph.call_function(F.log_softmax, (logits, -1))
        last.replace_all_uses_with(network.graph.call_method("clamp_min", (values, LEAST)))
    network.graph.erase_node(last)
    network.delete_all_unused_submodules()
    network.recompile()
    return network


def _feature_nodes(network: fx.GraphModule) -> list[fx.Node]:
    """Where a stage ends, in front of a convolution that halves the height alone and of the pooling, and the head."""
    ends, products = [], []
    for node in network.graph.nodes:
        module = module_of(network, node)
        if isinstance(module, nn.AvgPool2d) or (isinstance(module, nn.Conv2d) and module.stride == (2, 1)):
            ends.append(node.args[0])
        elif node.op == "call_module" and type(module).__name__ == "OnnxMatMul":
            products.append(node.args[0])
    assert len(ends) == 3
    return [*ends, products[-1]]
