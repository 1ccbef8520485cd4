"""Recognisers of single lines, for pages whose text another stage has found; no codec is trained against most of them.

A page is read in the stages of the slides' module: detection finds quadrilaterals, transformation turns each upright,
features, sequence and prediction read it. A `StagedReader` joins a detector and a recogniser; either is replaceable.
"""

import subprocess
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tfic.errors import ImageUnsuitedError
from tfic.ocr.known import program, reader
from tfic.ocr.ppocr import Alphabet
from tfic.ocr.reader import Detector, LineRecogniser
from tfic.ocr.rectify import Transformation, as_batch, places, rectify, width_at
from tfic.pages.lines import Line, Quad

GOCR_HEIGHT_PX = 48
"""Height at which GOCR is given a line; it wants letters of 20 pixels and more."""
Network = Callable[[Float[Tensor, "1 3 h w"]], Float[Tensor, "1 T K"]]
"""A line image in [0, 1] to scores of classes, blank first."""


class StagedReader:
    """A reader of pages made of a detector and a recogniser of lines."""

    def __init__(self, name: str, detector: Detector, recogniser: LineRecogniser) -> None:
        """Take the stages.

        Args:
            name: its name in tables.
            detector: finds the lines.
            recogniser: turns upright and reads them.
        """
        self.name = name
        self._detector, self._recogniser = detector, recogniser

    def read(self, image: np.ndarray) -> list[Line]:
        """The lines that were found, without those in which nothing was read."""
        quads = self._detector.find(image)
        texts = self._recogniser.read_lines(image, quads)
        return [Line(text.strip(), quad) for text, quad in zip(texts, quads, strict=True) if text.strip()]


class CTCRecogniser:
    """A CTC network on lines that are turned upright; each is read alone, so that none depends on its neighbours."""

    def __init__(
        self,
        network: Network,
        alphabet: Alphabet,
        height_px: int,
        step_px: int,
        transform: Transformation = places,
    ) -> None:
        """Take the stages.

        Args:
            network: features, sequence and prediction.
            alphabet: its characters.
            height_px: height of a line image.
            step_px: the width of a line image is a multiple of it.
            transform: finds the places of lines, such as `places`, or `boxes`, which turns none (`tfic.ocr.rectify`).
        """
        self._network, self._alphabet, self._transform = network, alphabet, transform
        self._height_px, self._step_px = height_px, step_px

    @torch.no_grad()
    def read_lines(self, image: np.ndarray, quads: Sequence[Quad]) -> list[str]:
        """The text inside each quadrilateral."""
        page = as_batch(image)
        texts = []
        for quad in quads:
            width = -(-width_at(quad, self._height_px) // self._step_px) * self._step_px
            width = max(width, self._height_px)
            crop = rectify(page, [quad], [0], self._height_px, width, transform=self._transform)
            texts += self._alphabet.decode(self._network(crop).argmax(-1).numpy())
        return texts


class GOCRRecogniser:
    """GOCR, a program that compares the shapes of letters with rules: there is no network to be fooled."""

    def __init__(self) -> None:
        """Find the program.

        Raises:
            ReaderMissingError: when it is not installed.
        """
        self._path = program("gocr")

    def read_lines(self, image: np.ndarray, quads: Sequence[Quad]) -> list[str]:
        """The text inside each quadrilateral.

        Raises:
            ImageUnsuitedError: when the program fails, with what it printed.
        """
        page = as_batch(image)
        return [
            self._read(rectify(page, [quad], [0], GOCR_HEIGHT_PX, width_at(quad, GOCR_HEIGHT_PX))) for quad in quads
        ]

    def _read(self, crop: Tensor) -> str:
        grey = (255 * _dark_on_light(crop)[0, 0]).round().byte().numpy()
        data = b"P5\n%d %d\n255\n" % grey.shape[::-1] + grey.tobytes()
        ran = subprocess.run([self._path, "-"], input=data, capture_output=True, check=False)
        if ran.returncode:
            printed = " ".join(ran.stderr.decode(errors="replace").split())
            raise ImageUnsuitedError(f"gocr failed with code {ran.returncode}: {printed}")
        return " ".join(ran.stdout.decode(errors="replace").split())


def _dark_on_light(crop: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 1 h w"]:
    """A line in grey, inverted where most of it is dark: some readers know dark letters on light paper alone."""
    grey = crop.mean(1, keepdim=True)
    return 1 - grey if float(grey.median()) < 0.5 else grey


def easyocr_recogniser() -> CTCRecogniser:
    """EasyOCR's english_g2.

    Raises:
        ReaderMissingError: when its weights are not installed.
    """
    from tfic.ocr.easyocr import EasyOCRLineReader

    network = EasyOCRLineReader()
    return CTCRecogniser(network, network.alphabet, network.height_px, network.stride_px)


def legere_recogniser() -> CTCRecogniser:
    """legere's line network; its weights are loaded as tensors and nothing else.

    Raises:
        ReaderMissingError: when it is not installed.
    """
    (file,) = reader("legere").files()
    from legere.charset import CHARSET
    from legere.model import CompactCRNN

    network = CompactCRNN()
    network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True)["model"])
    network.eval()

    def read(crop: Tensor) -> Tensor:
        logits: Tensor = network(2 * _dark_on_light(crop) - 1)
        return logits

    return CTCRecogniser(read, Alphabet(tuple(CHARSET)), 32, 4)
