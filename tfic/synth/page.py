"""One image of text: background, layout, skew, colours with a least contrast, and mild degradations."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tfic.pages.lines import Line, Page, Quad, quad_of, upright_order
from tfic.synth import backgrounds, documents, layouts, texts, typefaces, warp
from tfic.synth.colours import colour_block
from tfic.synth.layouts import Block, Placed
from tfic.synth.typefaces import Face
from tfic.synth.warp import Warp

DRAWING_VERSION = 4
"""Raised whenever the same seed draws another image."""

MIN_SIDE_PX = 32
"""Least height and width of an image."""

_MARGIN_PX = 3
"""Margin without text at each side of the image."""


def draw(
    seed: int,
    split: str,
    index: int,
    height_px: int = 256,
    width_px: int = 256,
    fonts: Sequence[Face] | None = None,
    photographs: Sequence[Path] | None = None,
    document_share: float = 0.0,
) -> Page:
    """Image number `index` of a split: the same for every number of workers and on every machine.

    "The same" holds for the same versions of numpy, Pillow, OpenCV and faker; a photograph that has to be shrunk is
    the one thing left to OpenCV's own arithmetic.

    Args:
        seed: seed of the set, from 0.
        split: "train" or "test".
        index: number of the image in its set, from 0.
        height_px: height in pixels, from 32.
        width_px: width in pixels, from 32.
        fonts: the faces to draw with; those that ship for `split` by default.
        photographs: image files, one of which is the background of every second image.
        document_share: share of the images that are pages of documents, 0 to 1; the others are as with 0.

    Raises:
        ValueError: for a number out of range or an unreadable photograph.
    """
    typefaces.check_split(split)
    if index < 0:
        raise ValueError(f"index is {index}; it must be 0 or more")
    check_numbers(seed, height_px, width_px, document_share)
    place = [seed, typefaces.SPLITS.index(split), index]
    faces = typefaces.shipped(split) if fonts is None else fonts
    if document_share:
        rng = np.random.default_rng([*place, 1])  # of its own: a share of documents leaves the other images as they are
        if rng.random() < document_share:
            page = _document(rng, faces, f"{split}-{index:06d}.png", height_px, width_px)
            if page is not None:
                return page
    rng = np.random.default_rng(place)
    if photographs and rng.random() < 0.5:
        path = photographs[int(rng.integers(len(photographs)))]
        ground = backgrounds.photograph(rng, height_px, width_px, path)
    else:
        name = tuple(backgrounds.BACKGROUNDS)[int(rng.integers(len(backgrounds.BACKGROUNDS)))]
        ground = backgrounds.BACKGROUNDS[name](rng, height_px, width_px)
    laid, blocks = _lay_out(rng, faces, height_px, width_px)
    image = _ink(rng, ground, laid, blocks)
    lines = tuple(Line(line.ink.text, _quad(laid, line)) for block in blocks for line in block.lines)
    return Page(f"{split}-{index:06d}.png", _degrade(rng, image), lines)


def check_numbers(seed: int, height_px: int, width_px: int, document_share: float) -> None:
    """Raise ValueError for numbers with which no page can be drawn."""
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must be 0 or more")
    if min(height_px, width_px) < MIN_SIDE_PX:
        raise ValueError(
            f"an image of {width_px}x{height_px} is too small; both sides must be at least {MIN_SIDE_PX} px"
        )
    if not 0 <= document_share <= 1:
        raise ValueError(f"document_share is {document_share}; it must be from 0 to 1")


def _document(rng: np.random.Generator, faces: Sequence[Face], name: str, height_px: int, width_px: int) -> Page | None:
    """A page of a document, every second one degraded; None for an image too small for a line."""
    fake = texts.seeded_faker(int(rng.integers(2**62)))
    sheet = documents.sheet_of(rng, fake, faces, height_px, width_px)
    if sheet is None:
        return None
    image = documents.printed(sheet)
    flat = warp.straight(height_px, width_px, 0)
    places = (np.array((line.left, line.top, line.right, line.bottom)) / documents.SCALE for line, _ in sheet.placed)
    quads = (flat.quad(*(float(each) for each in place)) for place in places)
    lines = tuple(Line(line.ink.text, quad) for (line, _), quad in zip(sheet.placed, quads, strict=True))
    return Page(name, _degrade(rng, image) if rng.random() < 0.5 else image, lines)


def _lay_out(
    rng: np.random.Generator, faces: Sequence[Face], height_px: int, width_px: int
) -> tuple[Warp, list[Block]]:
    """Lines on a flat page, and how it lies in the image: turned as far as their reading order stays clear."""
    fake = texts.seeded_faker(int(rng.integers(2**62)))
    name = tuple(layouts.LAYOUTS)[int(rng.integers(len(layouts.LAYOUTS)))]
    tan_half, pulls = 0.0, np.zeros((4, 2))
    if rng.random() < 0.6:
        tan_half = float(rng.uniform(-warp.MAX_TAN_HALF, warp.MAX_TAN_HALF))
    if rng.random() < 0.4:
        pulls = rng.uniform(0, warp.MAX_PULL, size=(4, 2))
    for part in (1.0, 0.5, 0.2, 0.0, 0.0):
        laid = warp.skewed(height_px, width_px, _MARGIN_PX, part * tan_half, part * pulls)
        blocks = layouts.LAYOUTS[name](rng, fake, faces, laid.width_px, laid.height_px)
        if blocks and _order_is_clear(laid, [line for block in blocks for line in block.lines]):
            return laid, blocks
    laid = warp.straight(height_px, width_px, _MARGIN_PX)
    return laid, layouts.last_resort(rng, fake, faces, laid.width_px, laid.height_px)


def _quad(laid: Warp, line: Placed) -> Quad:
    """The line's quadrilateral in the image, to a hundredth of a pixel."""
    corners = laid.quad(line.left, line.top, line.right, line.bottom)
    return quad_of((round(x, 2), round(y, 2)) for x, y in corners)


def _order_is_clear(laid: Warp, placed: list[Placed]) -> bool:
    """Return True when the image has the flat page's reading order, also with boxes half too high or low, or shifted.

    A detector's boxes are never the true ones; a page whose order hangs on a pixel would measure luck.
    """
    as_is = warp.straight(laid.height_px, laid.width_px, 0)
    flat = [Line("", as_is.quad(line.left, line.top, line.right, line.bottom)) for line in placed]
    order = upright_order(flat)
    for grow, shift in ((0.0, 0.0), (0.25, 0.0), (-0.25, 0.0), (0.0, 0.12), (0.0, -0.12)):
        moved = []
        for number, line in enumerate(placed):
            (ax, ay), (bx, by), (cx, cy), (dx, dy) = _quad(laid, line)
            height = (dy - ay + cy - by) / 2
            up, down = height * (shift * (-1) ** number - grow), height * (shift * (-1) ** number + grow)
            moved.append(Line("", ((ax, ay + up), (bx, by + up), (cx, cy + down), (dx, dy + down))))
        if upright_order(moved) != order:
            return False
    return True


def _ink(rng: np.random.Generator, ground: np.ndarray, laid: Warp, blocks: list[Block]) -> np.ndarray:
    """The background with panels and text on it, (H, W, 3) uint8."""
    flat = np.zeros((laid.height_px, laid.width_px), dtype=np.uint8)
    # The colour of each pixel's ink: that of the block whose line's outline, a little widened, holds it.
    inks = np.zeros_like(ground)
    outlines = []
    for block in blocks:
        ground, colour = colour_block(rng, ground, laid, block)
        for line in block.lines:
            flat[line.top : line.bottom, line.left : line.right] = line.ink.coverage
            outline = np.rint(laid.quad(line.left - 2, line.top - 2, line.right + 2, line.bottom + 2)).astype(np.int32)
            cv2.fillConvexPoly(inks, outline, colour)
            outlines.append(outline)
    left, top = np.maximum(0, np.concatenate(outlines).min(axis=0)).tolist()
    right, bottom = np.minimum(ground.shape[1::-1], np.concatenate(outlines).max(axis=0) + 1).tolist()
    cut = np.s_[top:bottom, left:right]
    alpha = laid.lay(flat, left, top, right, bottom).astype(np.uint16)[..., None]
    image = ground.copy()
    image[cut] = (ground[cut] * (255 - alpha) + inks[cut] * alpha + 127) // 255
    return image


def _degrade(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Two in five images each: a slight blur, uneven light, and grain as of a small sensor."""
    if rng.random() < 0.4:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.integers(5, 14)) / 10)
    if rng.random() < 0.4:
        corners = rng.integers(140, 256, size=(2, 2), dtype=np.uint16).astype(np.uint8)
        light = cv2.resize(corners, image.shape[1::-1], interpolation=cv2.INTER_LINEAR_EXACT)
        image = ((image.astype(np.uint16) * light[..., None] + 127) // 255).astype(np.uint8)
    if rng.random() < 0.4:
        reach = int(rng.integers(8, 33))
        grain = rng.integers(-reach, reach + 1, size=image.shape, dtype=np.int16)
        image = (image.astype(np.int16) + grain).clip(0, 255).astype(np.uint8)
    return image
