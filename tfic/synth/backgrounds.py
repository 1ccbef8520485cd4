"""Backgrounds of text: drawn ones, from plain to photo-like, and cuts of a user's own photographs.

Drawn with integers and OpenCV's bit-exact operations, so a background is the same on every machine.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from tfic.pages import images

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
"""Files of a background folder that are taken for photographs."""

Background = Callable[[np.random.Generator, int, int], np.ndarray]
"""(rng, height_px, width_px) -> (height_px, width_px, 3) uint8 RGB."""


def plain(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """One colour, mostly a light one."""
    return np.broadcast_to(_colour(rng), (height_px, width_px, 3)).copy()


def gradient(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """Two to four colours running into each other in one direction or from a point."""
    y, x = np.mgrid[0:height_px, 0:width_px].astype(np.int64)
    if rng.random() < 0.7:
        along = int(rng.integers(-8, 9)) * x + int(rng.integers(1, 9)) * y
    else:
        along = (x - int(rng.integers(width_px))) ** 2 + (y - int(rng.integers(height_px))) ** 2
    along -= along.min()
    return _palette(rng)[along * 255 // max(1, int(along.max()))]


def texture(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """Paper, cloth, wood, stripes or checks in two near colours."""
    base = _colour(rng).astype(np.int16)
    y, x = np.mgrid[0:height_px, 0:width_px]
    period = int(rng.integers(4, 33))
    match int(rng.integers(5)):
        case 0:
            grain = _octaves(rng, height_px, width_px, (2, 4, 32))
        case 1:
            threads = _octaves(rng, height_px, 2, (3,))[:, :1], _octaves(rng, 2, width_px, (3,))[:1]
            grain = (threads[0] // 2 + threads[1] // 2).astype(np.uint8)
        case 2:
            tall = _octaves(rng, max(2, height_px // 16), width_px, (2, 6, 24))
            grain = cv2.resize(tall, (width_px, height_px), interpolation=cv2.INTER_LINEAR_EXACT)
        case 3:
            grain = (((x + int(rng.integers(-1, 2)) * y) // period % 2) * 255).astype(np.uint8)
        case _:
            grain = ((x // period + y // period) % 2 * 255).astype(np.uint8)
    swing = rng.integers(-50, 51, size=3)
    return (base + (grain.astype(np.int32)[..., None] - 128) * swing // 255).clip(0, 255).astype(np.uint8)


def noise(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """One colour under strong grain, grey or coloured, fine or coarse."""
    coarse = int(rng.integers(1, 4))
    channels = int(rng.choice((1, 3)))
    reach = int(rng.integers(10, 41))
    shape = (-(-height_px // coarse), -(-width_px // coarse), channels)
    grain = rng.integers(-reach, reach + 1, size=shape, dtype=np.int16).repeat(coarse, axis=0).repeat(coarse, axis=1)
    return (_colour(rng).astype(np.int16) + grain[:height_px, :width_px]).clip(0, 255).astype(np.uint8)


def scene(rng: np.random.Generator, height_px: int, width_px: int) -> np.ndarray:
    """Something like a photograph: clouds of a few colours, a horizon, shapes with edges, depth blur and grain."""
    cloud = _octaves(rng, height_px, width_px, (8, 16, 32, 64, 128))
    image = _palette(rng)[cv2.equalizeHist(cloud)]
    if rng.random() < 0.5:
        horizon = int(rng.integers(height_px // 4, 3 * height_px // 4 + 1))
        below = _palette(rng)[_octaves(rng, height_px, width_px, (4, 8, 64))]
        image[horizon:] = below[horizon:]
    reach = max(height_px, width_px)
    for _ in range(int(rng.integers(3, 13))):
        colour = tuple(int(each) for each in rng.integers(0, 256, size=3))
        x, y = int(rng.integers(width_px)), int(rng.integers(height_px))
        if rng.random() < 0.5:
            axes = tuple(int(each) for each in rng.integers(2, max(3, reach // 5), size=2))
            cv2.ellipse(image, (x, y), axes, int(rng.integers(180)), 0, 360, colour, -1)
        else:
            corners = np.array([x, y]) + rng.integers(-reach // 4, reach // 4 + 1, size=(int(rng.integers(3, 6)), 2))
            cv2.fillPoly(image, [corners.astype(np.int32)], colour)
        if rng.random() < 0.3:
            image = cv2.GaussianBlur(image, (0, 0), float(rng.integers(2, 9)) / 2)
    image = cv2.GaussianBlur(image, (0, 0), float(rng.integers(2, 9)) / 4)
    grain = rng.integers(-6, 7, size=(height_px, width_px, 1), dtype=np.int16)
    return (image.astype(np.int16) + grain).clip(0, 255).astype(np.uint8)


BACKGROUNDS: dict[str, Background] = {
    "plain": plain, "gradient": gradient, "texture": texture, "noise": noise, "scene": scene,
}  # fmt: skip
"""Every drawn background by name, each as likely as the others."""


def photographs(path: Path) -> tuple[Path, ...]:
    """The image files of a background folder, searched with all its subfolders, sorted by name.

    Raises:
        ValueError: when the folder is missing or holds no image.
    """
    if not path.is_dir():
        raise ValueError(f"background folder {path} does not exist; give a folder of photographs")
    found = tuple(sorted(each for each in path.rglob("*") if each.suffix.lower() in SUFFIXES and each.is_file()))
    if not found:
        raise ValueError(f"background folder {path} holds no image; put {', '.join(SUFFIXES)} files there")
    return found


def photograph(rng: np.random.Generator, height_px: int, width_px: int, path: Path) -> np.ndarray:
    """A random cut of a photograph, (height_px, width_px, 3) uint8 RGB.

    Raises:
        ValueError: when the file is no readable image.
    """
    image = _decoded(path)
    # From the largest cut of that shape down to a third of it.
    whole = min(image.shape[0] / height_px, image.shape[1] / width_px)
    scale = whole * rng.uniform(0.34, 1.0)
    high, wide = max(1, int(height_px * scale)), max(1, int(width_px * scale))
    top, left = int(rng.integers(image.shape[0] - high + 1)), int(rng.integers(image.shape[1] - wide + 1))
    method = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR_EXACT
    return cv2.resize(image[top : top + high, left : left + wide], (width_px, height_px), interpolation=method)


@lru_cache(maxsize=16)
def _decoded(path: Path) -> np.ndarray:
    try:
        return images.pixels(images.open_image(path))
    except ValueError as error:
        raise ValueError(f"background {error}; take it out or replace it") from error


def _colour(rng: np.random.Generator) -> np.ndarray:
    """A colour, (3,) uint8: paper-like half of the time, else a darker or a free one."""
    draw = rng.random()
    if draw < 0.5:
        return (rng.integers(190, 256) - rng.integers(0, 30, size=3)).astype(np.uint8)
    if draw < 0.75:
        return rng.integers(0, 90, size=3).astype(np.uint8)
    return rng.integers(0, 256, size=3).astype(np.uint8)


def _palette(rng: np.random.Generator) -> np.ndarray:
    """256 colours running through two to four random ones, (256, 3) uint8."""
    stops = np.stack([_colour(rng) for _ in range(int(rng.integers(2, 5)))])[None]
    return cv2.resize(stops, (256, 1), interpolation=cv2.INTER_LINEAR_EXACT)[0]


def _octaves(rng: np.random.Generator, height_px: int, width_px: int, periods_px: tuple[int, ...]) -> np.ndarray:
    """Noise of several periods, the longer the stronger, (height_px, width_px) uint8."""
    total = np.zeros((height_px, width_px), dtype=np.int32)
    for weight, period in enumerate(periods_px, start=1):
        grid = rng.integers(0, 256, size=(height_px // period + 2, width_px // period + 2), dtype=np.uint8)
        fine = cv2.resize(grid, (width_px, height_px), interpolation=cv2.INTER_LINEAR_EXACT)
        total += weight * weight * fine.astype(np.int32)
    return (total // sum(weight * weight for weight in range(1, len(periods_px) + 1))).astype(np.uint8)
