"""Images as files of the formats that Pillow and its plug-ins write."""

import contextlib
import importlib
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from PIL import AvifImagePlugin, Image

from tfic.errors import ImageUnsuitedError

SIDES_PX = {"jpeg": 65500, "webp": 16383, "avif": 32768, "heif": 16384}
"""Longest side that each format, or its encoder, has room for."""

_DECODERS = {"pillow_heif": "pillow_heif.options", "pillow_jxl": "pillow_jxl.JpegXLImagePlugin"}
"""Modules of packages with the number of threads that decode."""


@dataclass(frozen=True)
class Setting:
    """A classical codec: its format, and all but its quality."""

    format: str
    """Pillow's name of the format."""
    qualities: tuple[int, ...]
    """Qualities (Pillow's scale, 0 to 100) that trace its curve from unreadable to faithful."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of Pillow's `save`."""
    package: str = ""
    """Package that brings the format; "" for Pillow itself."""
    prepared: str = ""
    """`half`, `flat` or "": what is done to an image before (`tfic.measuring.prepared`)."""


class FileFormat:
    """A codec of Pillow at one quality.

    Raises:
        ModuleNotFoundError: without the package that brings the format.
    """

    def __init__(self, setting: Setting, quality: int | None) -> None:
        self._format, self._package = setting.format, setting.package
        self._options = setting.options | ({} if quality is None else {"quality": quality})
        self._blank_bytes: dict[tuple[int, int], int] = {}
        _plug_in(self._package)

    def encode(self, image: Image.Image) -> bytes:
        """An image of mode RGB as the bytes of a file."""
        side = SIDES_PX.get(self._format)
        if side is not None and max(image.size) > side:
            raise ImageUnsuitedError(
                f"an image of {image.width} x {image.height} pixels is too large for {self._format}, "
                f"whose sides go up to {side}"
            )
        _plug_in(self._package)  # also in a process that was handed this codec
        file = io.BytesIO()
        image.save(file, self._format, **self._options)
        return file.getvalue()

    def decode(self, data: bytes) -> Image.Image:
        """The image of a file, of mode RGB."""
        _plug_in(self._package)
        with _one_thread(self._package):
            return Image.open(io.BytesIO(data)).convert("RGB")

    def estimated_bits(self, image: Image.Image) -> float:
        """Not known: nan."""
        return math.nan

    def bits_by_block(self, image: Image.Image) -> None:
        """Not known: None."""

    def overhead_bytes(self, image: Image.Image) -> int:
        """Bytes of this format's file for a blank (mid-grey) image of the same size."""
        if image.size not in self._blank_bytes:
            self._blank_bytes[image.size] = self._count_blank_bytes(image.size)
        return self._blank_bytes[image.size]

    def _count_blank_bytes(self, size: tuple[int, int]) -> int:
        return len(self.encode(blank(size)))


class Uncompressed(FileFormat):
    """The pixels as they are, three bytes each, in a PPM file."""

    def __init__(self) -> None:
        super().__init__(Setting("ppm", ()), None)

    def overhead_bytes(self, image: Image.Image) -> int:
        """Bytes of the PPM header."""
        return len(self.encode(image)) - 3 * image.width * image.height


def blank(size: tuple[int, int]) -> Image.Image:
    """A mid-grey image of mode RGB."""
    return Image.new("RGB", size, (128, 128, 128))


@contextlib.contextmanager
def _one_thread(package: str) -> Iterator[None]:
    """Decode on one thread; by default AVIF and JPEG XL take all cores, HEIC four."""
    plugin: Any = AvifImagePlugin
    name = "DEFAULT_MAX_THREADS"
    if package:
        plugin = importlib.import_module(_DECODERS[package])
        name = "DECODE_THREADS"
    before = getattr(plugin, name)
    setattr(plugin, name, 1)
    try:
        yield
    finally:
        setattr(plugin, name, before)


def _plug_in(package: str) -> None:
    """Teach Pillow the format that a package brings; "" brings none."""
    if package == "pillow_heif":
        import pillow_heif

        pillow_heif.register_heif_opener()
    elif package == "pillow_jxl":
        import pillow_jxl  # noqa: F401  # to import it is to register it
