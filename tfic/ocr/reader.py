"""The protocols of readers of pages and of lines."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from tfic.errors import ImageUnsuitedError
from tfic.pages.lines import Line, Quad


class PageReader(Protocol):
    """Reads whole pages: detection, rectification, recognition."""

    name: str
    """Its name in tables."""

    def read(self, image: np.ndarray) -> list[Line]:
        """The lines found on an (H, W, 3) uint8 RGB image, in any order."""


@runtime_checkable
class BatchReader(PageReader, Protocol):
    """Reads several pages in less time than one after the other, with the same results."""

    def read_several(self, images: Sequence[np.ndarray]) -> list[list[Line] | ImageUnsuitedError]:
        """What `read` returns for each image, or raises."""


class LineRecogniser(Protocol):
    """Reads lines whose place is known."""

    def read_lines(self, image: np.ndarray, quads: Sequence[Quad]) -> list[str]:
        """The text inside each quadrilateral of an (H, W, 3) uint8 RGB image."""


class Detector(Protocol):
    """Finds lines of text on a page: the first stage of reading."""

    def find(self, image: np.ndarray) -> list[Quad]:
        """The places of the lines on an (H, W, 3) uint8 RGB image, in any order."""
