"""EasyOCR's english_g2 as a frozen, differentiable line reader of another architecture than PP-OCRv6's.

    x -> grey, 64 px high -> features (VGG) -> sequence (two BiLSTMs) -> prediction (linear) -> CTC log-probabilities

The stages are those of the slides' module; each may be replaced by another module with the same shapes. Written anew
after EasyOCR's `model/vgg_model.py` and `model/modules.py` (JaidedAI, Apache-2.0), whose weights it takes; the
architecture is that of Shi et al., CRNN (arXiv 1507.05717). They are loaded as tensors and nothing else.
"""

import string
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tfic.ocr.known import reader
from tfic.ocr.ppocr import Alphabet
from tfic.ocr.rectify import places
from tfic.ocr.training_reader import Sight

CHARACTERS = (*(string.digits + string.punctuation), " ", "€", *string.ascii_uppercase, *string.ascii_lowercase)
"""The characters of english_g2 in the order of its classes, after the blank."""
GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey (ITU-R BT.601), as EasyOCR's."""


def features() -> nn.Sequential:
    """VGG with pooling that keeps the width at a quarter: (L, 1, 64, W) to (L, 256, 3, W / 4 - 1)."""

    def conv(inside: int, outside: int, norm: bool = False) -> list[nn.Module]:
        layers: list[nn.Module] = [nn.Conv2d(inside, outside, 3, padding=1, bias=not norm)]
        return [*layers, *([nn.BatchNorm2d(outside)] if norm else []), nn.ReLU()]

    return nn.Sequential(
        *conv(1, 32), nn.MaxPool2d(2), *conv(32, 64), nn.MaxPool2d(2), *conv(64, 128), *conv(128, 128),
        nn.MaxPool2d((2, 1)), *conv(128, 256, norm=True), *conv(256, 256, norm=True), nn.MaxPool2d((2, 1)),
        nn.Conv2d(256, 256, 2), nn.ReLU(),
    )  # fmt: skip


class BidirectionalLSTM(nn.Module):
    """A BiLSTM and a linear layer over both directions: (L, T, 256) to (L, T, 256)."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(256, 256, bidirectional=True, batch_first=True)
        self.linear = nn.Linear(512, 256)

    def forward(self, x: Float[Tensor, "L T 256"]) -> Float[Tensor, "L T 256"]:
        """The sequence, each step with what stands before and after it."""
        with torch.backends.cudnn.flags(enabled=False):  # cuDNN has no gradient of an LSTM that is not training
            hidden, _ = self.rnn(x)
        out: Tensor = self.linear(hidden)
        return out


class EasyOCRLineReader(nn.Module):
    """Line images to CTC log-probabilities; frozen, always in evaluation mode. Input is RGB in [0, 1].

    Raises:
        ReaderMissingError: when the weights are not installed.
    """

    height_px = 64
    stride_px = 4
    transform = staticmethod(places)

    def __init__(self) -> None:
        super().__init__()
        self.alphabet = Alphabet(CHARACTERS)
        self.features: nn.Module = features()
        self.sequence: nn.Module = nn.Sequential(BidirectionalLSTM(), BidirectionalLSTM())
        self.prediction: nn.Module = nn.Linear(256, len(self.alphabet))
        (file,) = reader("easyocr").files()
        self.load_state_dict(_renamed(file))
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "EasyOCRLineReader":
        """Stay in evaluation mode in any case: the reader is never trained."""
        return super().train(False)

    def forward(self, x: Float[Tensor, "L 3 64 W"]) -> Float[Tensor, "L T K"]:
        """Log-probabilities over the alphabet for each of the T = W / 4 steps."""
        found = self.look(x, features=False, text=True).log_probabilities
        assert found is not None
        return found

    def look(self, x: Float[Tensor, "L 3 64 W"], features: bool, text: bool) -> Sight:
        """The feature maps (those of the VGG, and those that the last layer classifies), log-probabilities, or both."""
        grey = (x * x.new_tensor(GREY)[:, None, None]).sum(1, keepdim=True)
        maps = self.features(F.pad(2 * grey - 1, (0, self.stride_px, 0, 0), mode="replicate"))  # a step for each stride
        steps = self.sequence(maps.mean(2).transpose(1, 2))
        seen = (maps, steps.transpose(1, 2)[:, :, None]) if features else ()
        return Sight(seen, self.prediction(steps).log_softmax(-1) if text else None)


def _renamed(file: Path) -> dict[str, Tensor]:
    """The weights under the names of the stages here."""
    stored: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    stages = {"FeatureExtraction.ConvNet": "features", "SequenceModeling": "sequence", "Prediction": "prediction"}
    renamed = {}
    for name, value in stored.items():
        name = name.removeprefix("module.")
        (theirs,) = [each for each in stages if name.startswith(f"{each}.")]
        renamed[stages[theirs] + name.removeprefix(theirs)] = value
    return renamed
