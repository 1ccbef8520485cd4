"""What an image is here: 8 bits, RGB or grey, upright; and how every other kind becomes one or is refused."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

PAPER = (255, 255, 255)
"""What shows through where an image is transparent."""


def open_image(path: Path) -> Image.Image:
    """The image of a file, as `plain` makes it.

    Raises:
        ValueError: when the file holds no image, a damaged one, or several.
    """
    try:
        with Image.open(path) as image:
            return plain(image)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:  # a broken PNG is a SyntaxError to Pillow
        raise ValueError(f"image {path} cannot be read ({error})") from error


def plain(image: Image.Image) -> Image.Image:
    """An image of mode RGB or L."""
    upright = ImageOps.exif_transpose(image)
    return upright if upright.mode in ("RGB", "L") else upright.convert("RGB")


def pixels(image: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8 RGB."""
    return np.array(image.convert("RGB"))
