"""What an image is here: 8 bits, RGB or grey, upright; and how every other kind becomes one or is refused.

| what comes                               | what becomes of it                                                        |
| ---------------------------------------- | --------------------------------------------------------------------------|
| RGB, grey                                | stays what it is                                                          |
| 1 bit a pixel                            | grey: 0 and 255                                                           |
| palette                                  | RGB, even where all its colours are grey                                  |
| transparency of any kind                 | laid on white paper; where all is opaque, that changes nothing            |
| grey of 16 bits (modes I;16 and I)       | grey: v / 257, rounded; values outside 0 to 65535 are refused             |
| colour of 16 bits                        | Pillow itself keeps the upper 8 of 16 bits                                |
| CMYK, YCbCr, LAB, HSV                    | RGB, as Pillow converts; colour profiles are not applied                  |
| turned by a note of the camera (EXIF)    | upright                                                                   |
| several sizes of one icon (ICO, ICNS)    | the largest                                                               |
| a photograph with extras (MPO)           | its first picture                                                         |
| several frames, pages or layers          | refused                                                                   |
| floats (mode F), no pixels, no image     | refused                                                                   |
| broken or cut short                      | refused                                                                   |
| more pixels than `Image.MAX_IMAGE_PIXELS`| refused: Pillow's guard against decompression bombs                       |
"""

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

PAPER = 255
"""What shows through where an image is transparent: white."""
SUFFIXES = (
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".mpo", ".pbm",
    ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".tga", ".tif", ".tiff", ".webp",
)  # fmt: skip
"""How names of images end: what is taken from a folder. A file that is named outright may end in anything."""
_BROKEN = (
    OSError, EOFError, SyntaxError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RuntimeError,
    MemoryError, struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip
"""What Pillow raises for files that are broken, or built to break it."""


def open_image(path: Path) -> Image.Image:
    """The image of a file, as `plain` makes it.

    Raises:
        ValueError: when the file holds no image, a damaged one, several, or one that `plain` refuses; names the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata that make no difference to pixels
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # From a stream: Pillow maps a file given by its name, and scrambles turned TIFFs of one channel then.
            with path.open("rb") as file, Image.open(file) as image:
                return plain(image)
    except _BROKEN as error:
        raise ValueError(f"image {path} cannot be read ({_sentence(error)})") from error


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
    return _eight_bits(ImageOps.exif_transpose(image))


def pixels(image: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8 RGB of any image that `plain` takes."""
    return np.array(plain(image).convert("RGB"))


def _eight_bits(image: Image.Image) -> Image.Image:
    """An upright image in mode RGB or L."""
    if image.mode == "F":
        raise ValueError("it holds floats (mode F), which have no agreed black and white; save it with 8 or 16 bits")
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _from_16_bits(image)
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        return _on_paper(image, "L" if grey else "RGB")
    return image if image.mode in ("RGB", "L") else image.convert("L" if grey else "RGB")


def _on_paper(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == "La":
        image = image.convert("LA")
    elif image.mode != "LA":
        image = image.convert("RGBA")
    paper = Image.new(mode, image.size, (PAPER,) * len(mode))
    paper.paste(image.convert(mode), mask=image.getchannel("A"))
    return paper


def _from_16_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise ValueError(f"its values go from {low} to {high}; grey of more than 8 bits goes from 0 to 65535")
    clear = image.info.get("transparency")  # a PNG may name one value that is transparent
    if isinstance(clear, int):
        values[values == clear] = 65535
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
