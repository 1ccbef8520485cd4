"""Classical codecs for which an image is prepared first: made smaller, or flat where there is no text.

x -> half the size -> codec -> file -> codec -> twice the size -> x_hat
x -> detector -> blurred outside of the boxes -> codec -> file -> codec -> x_hat
"""

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from tfic.measuring.file_format import FileFormat, blank
from tfic.pages.lines import Quad

if TYPE_CHECKING:
    from tfic.ocr.detector import TextDetector

DILATION = 0.35
"""By how much the box of a line grows on each side, in heights of the line."""
BLUR_PX = 12.0
"""Standard deviation of the blur outside of the boxes."""


class Half(FileFormat):
    """A codec of images of half the height and width, which are enlarged again before they are read."""

    def encode(self, image: Image.Image) -> bytes:
        """An image of mode RGB as the bytes of the smaller image's file."""
        half = max(1, math.ceil(image.width / 2)), max(1, math.ceil(image.height / 2))
        file = super().encode(image.resize(half, Image.Resampling.BOX))
        # the size itself, which the file of a picture that is not to be enlarged would hold as well
        return image.width.to_bytes(4) + image.height.to_bytes(4) + file

    def decode(self, data: bytes) -> Image.Image:
        """The image of a file, of its first size."""
        size = int.from_bytes(data[:4]), int.from_bytes(data[4:8])
        return super().decode(data[8:]).resize(size, Image.Resampling.BICUBIC)


class Flat(FileFormat):
    """A codec of images that are blurred wherever the training reader's detector finds no text."""

    def encode(self, image: Image.Image) -> bytes:
        """An image of mode RGB as the bytes of the flat image's file."""
        pixels = np.asarray(image)
        return super().encode(Image.fromarray(flattened(pixels, self._detector.find(pixels))))

    def _count_blank_bytes(self, size: tuple[int, int]) -> int:
        return len(super().encode(blank(size)))

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "_detector"}  # each process loads its own

    @functools.cached_property
    def _detector(self) -> "TextDetector":
        from tfic.ocr.detector import TextDetector  # a second of import, for who flattens

        return TextDetector(threads=1)


def flattened(image: np.ndarray, boxes: Sequence[Quad]) -> np.ndarray:
    """An (H, W, 3) uint8 image, blurred outside of the boxes, which grow by `DILATION` of their height."""
    text = np.zeros(image.shape[:2], np.uint8)
    for box in boxes:
        corners = np.asarray(box, np.float32)
        cv2.fillConvexPoly(text, np.rint(corners).astype(np.int32), (1,))
        height = (np.linalg.norm(corners[3] - corners[0]) + np.linalg.norm(corners[2] - corners[1])) / 2
        grown = max(1, round(2 * DILATION * float(height)))
        cv2.polylines(text, [np.rint(corners).astype(np.int32)], True, (1,), grown)
    blurred = cv2.GaussianBlur(image, (0, 0), BLUR_PX)
    return np.where(text[..., None].astype(bool), image, blurred)
