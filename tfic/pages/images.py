"""What an image is here: 8 bits, RGB or grey, upright; and how every other kind becomes one or is refused.

What becomes of each kind of file is in docs/files.md, which is made from the table that the tests run. The rule behind
it: what a file declares about its own pixels is honoured, or the file is refused; what it says otherwise is not read.
"""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, UnidentifiedImageError

from tfic.pages.declared import NEGATIVE, NO_ALPHA, PREMULTIPLIED, UNDECLARED, deciding, orientation, tga_notes

PAPER = 255
"""The colour behind transparent pixels: white."""
SUFFIXES = (
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".mpo", ".pbm",
    ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".tga", ".tif", ".tiff", ".webp",
)  # fmt: skip
"""Endings of the images that are taken from a folder. A file that is named itself may have any ending."""
FORMATS = (
    "PNG", "JPEG", "TIFF", "BMP", "DIB", "GIF", "WEBP", "AVIF", "TGA", "PPM", "JPEG2000", "PCX", "ICO", "ICNS", "QOI",
)  # fmt: skip
"""Formats of which every declaration about pixels is honoured or refused, as Pillow names them."""
MAX_FILE_BYTES = 1 << 30
"""Largest file that is read: all pixels that Pillow allows, uncompressed, with 8 bytes each, are smaller."""
MAX_PIXELS = 89_478_485
"""Most pixels of an image: Pillow warns of more as of a file made to exhaust memory, and refuses twice as many."""
_PADDED = ("BMP", "DIB", "TGA", "ICO")
"""Formats in which an alpha channel that is zero everywhere is what was never filled in."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that turns an image of each EXIF orientation upright."""
_BROKEN = (
    OSError, EOFError, SyntaxError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RuntimeError,
    MemoryError, struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip
"""The errors of Pillow for broken files and for files made to exhaust memory."""


def open_image(path: Path) -> Image.Image:
    """The image of a file, as `plain` makes it.

    Raises:
        ValueError: when the file holds no image, a damaged one, several, or one that `plain` refuses; names the file.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except _BROKEN as error:
        raise ValueError(f"image {path} cannot be read ({_sentence(error)})") from error
    return read_image(data, str(path))


def read_image(data: bytes, name: str) -> Image.Image:
    """The image of a file's bytes, as `plain` makes it.

    Raises:
        ValueError: as `open_image` does; says that it is `name`.
    """
    try:
        if len(data) > MAX_FILE_BYTES:
            raise ValueError(f"it has more than {MAX_FILE_BYTES >> 20} MiB")
        kept, notes = deciding(data)
        with Image.open(BytesIO(kept), formats=FORMATS) as image:
            # Pillow only warns, and what becomes of a warning is of the process, which has other threads
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"it has {image.width} x {image.height} pixels, more than {MAX_PIXELS:,}")
            image.info.update(notes | (tga_notes(data) if image.format == "TGA" else {}))
            return plain(image)
    except UnidentifiedImageError as error:
        kinds = ", ".join(FORMATS)
        raise ValueError(
            f"image {name} cannot be read (cannot identify it: its pixels are of none of the kinds {kinds}, or "
            "declared in a way that is not honoured here; save it as a PNG of 8 bits)"
        ) from error
    except _BROKEN as error:
        raise ValueError(f"image {name} cannot be read ({_sentence(error)})") from error


def plain(image: Image.Image) -> Image.Image:
    """An image of mode RGB or L, by the rules above; what is plain already comes back the same.

    Raises:
        ValueError: when no rule says what the image would look like.
    """
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise ValueError(f"it has {frames} frames, pages or layers; extract the one that is meant, as a PNG")
    if 0 in image.size:
        raise ValueError(f"it is {image.width} x {image.height}; an image has at least one pixel")
    image.load()  # now, so that a file that is cut short shows here
    return _eight_bits(_upright(image), image.format or "", _bits(image))


def pixels(image: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8 RGB of any image that `plain` takes."""
    return np.array(plain(image).convert("RGB"))


def _upright(image: Image.Image) -> Image.Image:
    """The image as EXIF says it is held; of EXIF nothing else is read."""
    exif = image.info.get("exif")
    how = _UPRIGHT.get(orientation(exif)) if isinstance(exif, bytes) else None
    if how is None:
        return image
    turned = image.transpose(how)
    del turned.info["exif"]
    return turned


def _bits(image: Image.Image) -> int:
    """Bits of a value of grey, where that is no power of two (12 in some TIFFs), else 16."""
    declared = getattr(image, "tag_v2", {}).get(258, ())
    return max(declared) if declared and 8 < max(declared) < 16 else 16


def _eight_bits(image: Image.Image, format: str, bits: int) -> Image.Image:
    """An upright image in mode RGB or L.

    Args:
        image: the image.
        format: format of the file that it came from, "" for none.
        bits: bits of a value of grey, in an image of more than 8.
    """
    if image.mode == "F":
        raise ValueError("it holds floats (mode F), which have no agreed black and white; save it with 8 or 16 bits")
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _from_wide(image, bits)
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data and not image.info.get(NO_ALPHA):
        return _on_paper(image, "L" if grey else "RGB", format)
    return image if image.mode in ("RGB", "L") else image.convert("L" if grey else "RGB")


def _on_paper(image: Image.Image, mode: str, format: str) -> Image.Image:
    if image.mode == "La":
        image = image.convert("LA")
    elif image.mode != "LA":
        image = image.convert("RGBA")
    alpha = image.getchannel("A")
    if (format in _PADDED or image.info.get(UNDECLARED)) and alpha.getextrema() == (0, 0):
        return image.convert(mode)
    paper = Image.new(mode, image.size, (PAPER,) * len(mode))
    if image.info.get(PREMULTIPLIED):
        return ImageChops.add(image.convert(mode), ImageChops.invert(Image.merge(mode, [alpha] * len(mode))))
    paper.paste(image.convert(mode), mask=alpha)
    return paper


def _from_wide(image: Image.Image, bits: int) -> Image.Image:
    values, white = np.asarray(image).astype(np.int64), (1 << bits) - 1
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > white:
        raise ValueError(f"its values go from {low} to {high}; grey of more than 8 bits goes from 0 to {white}")
    clear = image.info.get("transparency")  # a PNG may name one value that is transparent
    if isinstance(clear, int):
        values[values == clear] = white
    if image.info.get(NEGATIVE):
        values = white - values
    return Image.fromarray(((2 * 255 * values + white) // (2 * white)).astype(np.uint8))


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
