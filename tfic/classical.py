"""Classical codecs with the settings of ordinary use, and no compression at all: references for learned codecs."""

import io
import math

from PIL import Image

from tfic.config import unknown_key
from tfic.errors import ImageUnsuitedError

QUALITIES = {
    "jpeg": (1, 5, 10, 20, 40, 75),
    "webp": (0, 5, 20, 50, 80),
    "avif": (1, 10, 25, 40, 60, 80),
}
"""Classical codecs and the qualities (Pillow's scale, 0 to 100) that trace their curve from unreadable to faithful."""

SIDES_PX = {"jpeg": 65500, "webp": 16383, "avif": 65535}
"""Longest side that each format, or its encoder, has room for."""

_OPTIONS: dict[str, dict[str, object]] = {
    "jpeg": {"optimize": True},
    "webp": {"method": 6},
    "avif": {"speed": 4, "max_threads": 1},
    "ppm": {},
}


class FileFormat:
    """A codec of Pillow at one quality."""

    def __init__(self, name: str, quality: int | None) -> None:
        self.name, self.quality = name, quality
        self._options = dict(_OPTIONS[name]) | ({} if quality is None else {"quality": quality})
        self._blank_bytes: dict[tuple[int, int], int] = {}

    def encode(self, image: Image.Image) -> bytes:
        """An image of mode RGB as the bytes of a file."""
        side = SIDES_PX.get(self.name)
        if side is not None and max(image.size) > side:
            raise ImageUnsuitedError(
                f"an image of {image.width} x {image.height} pixels is too large for {self.name}, "
                f"whose sides go up to {side}"
            )
        file = io.BytesIO()
        image.save(file, self.name, **self._options)
        return file.getvalue()

    def decode(self, data: bytes) -> Image.Image:
        """The image of a file, of mode RGB."""
        return Image.open(io.BytesIO(data)).convert("RGB")

    def estimated_bits(self, image: Image.Image) -> float:
        """Not known: nan."""
        return math.nan

    def overhead_bytes(self, image: Image.Image) -> int:
        """Bytes of this format's file for a blank (mid-grey) image of the same size."""
        if image.size not in self._blank_bytes:
            self._blank_bytes[image.size] = len(self.encode(Image.new("RGB", image.size, (128, 128, 128))))
        return self._blank_bytes[image.size]


class Uncompressed(FileFormat):
    """The pixels as they are, three bytes each, in a PPM file."""

    def __init__(self) -> None:
        super().__init__("ppm", None)

    def overhead_bytes(self, image: Image.Image) -> int:
        """Bytes of the PPM header."""
        return len(self.encode(image)) - 3 * image.width * image.height


def classical(name: str, quality: int) -> FileFormat:
    """A classical codec at a quality.

    Raises:
        ValueError: for a name that is not in `QUALITIES` or a quality outside 0 to 100.
    """
    if name not in QUALITIES:
        raise unknown_key(name, list(QUALITIES), "classical codec")
    if not 0 <= quality <= 100:
        raise ValueError(f"{name} quality is {quality}; it must be between 0 and 100")
    return FileFormat(name, quality)


def uncompressed() -> Uncompressed:
    """No compression: the reference for reading."""
    return Uncompressed()
