"""Colours that can be read: text against the background it stands on, with a panel between them where need be."""

import cv2
import numpy as np

from tfic.synth.layouts import GAP_PX, Block
from tfic.synth.warp import Warp

MIN_CONTRAST = 42
"""Least difference of luma (0 to 255, BT.601) between text and the background around it, before degradation."""

_TAIL = 0.06
"""Share of the background's darkest and of its brightest pixels that may come closer to the text."""

Colour = tuple[int, int, int]


def colour_block(rng: np.random.Generator, ground: np.ndarray, laid: Warp, block: Block) -> tuple[np.ndarray, Colour]:
    """The background, with a panel if the block wants or needs one, and a colour for the block's text.

    Args:
        rng: random generator.
        ground: (H, W, 3) uint8 RGB; not changed.
        laid: the place of the flat page in the image.
        block: the lines that share the colour.
    """
    darkest, brightest = luma_range(ground, laid, block)
    if block.boxed or (darkest < MIN_CONTRAST and brightest > 255 - MIN_CONTRAST):
        ground = _panel(rng, ground, laid, block)
        darkest, brightest = luma_range(ground, laid, block)
    dark, light = max(0, darkest - MIN_CONTRAST + 1), max(0, 255 - brightest - MIN_CONTRAST + 1)
    # Mostly the side with more room: grey on black is for few signs, black on white for many.
    if rng.random() * (dark * dark + light * light) < dark * dark:
        return ground, _with_luma(rng, 0, dark - 1)
    return ground, _with_luma(rng, 256 - light, 255)


def luma_range(ground: np.ndarray, laid: Warp, block: Block) -> tuple[int, int]:
    """The darkest and brightest luma under and around the block's lines, without the tails."""
    luma = cv2.cvtColor(ground, cv2.COLOR_RGB2GRAY)
    under = np.zeros(luma.shape, dtype=np.uint8)
    for line in block.lines:
        corners = laid.quad(line.left - 2, line.top - 2, line.right + 2, line.bottom + 2)
        cv2.fillConvexPoly(under, np.rint(corners).astype(np.int32), (1,))
    values = np.sort(luma[under > 0])
    tail = int(_TAIL * len(values))
    return int(values[tail]), int(values[len(values) - 1 - tail])


def _panel(rng: np.random.Generator, ground: np.ndarray, laid: Warp, block: Block) -> np.ndarray:
    """The background with a panel behind the block, opaque or letting a little of it through, at times framed."""
    left, top, right, bottom = block.box
    corners = np.array(laid.quad(left - GAP_PX, top - GAP_PX, right + GAP_PX, bottom + GAP_PX))
    outline = np.rint(corners * 16).astype(np.int32)  # OpenCV takes sixteenths of a pixel with shift=4
    colour = _with_luma(rng, *((0, 100), (165, 255))[int(rng.integers(2))])
    opaque = ground.copy()
    cv2.fillConvexPoly(opaque, outline, colour, cv2.LINE_AA, 4)
    if rng.random() < 0.4:
        share = int(
            rng.integers(200, 256)
        )  # of 256; at 200 a panel of luma 100 on white comes to 134, far from both ends
        opaque = ((opaque.astype(np.uint16) * share + ground.astype(np.uint16) * (256 - share)) >> 8).astype(np.uint8)
    if rng.random() < 0.3:
        cv2.polylines(opaque, [outline], True, _with_luma(rng, 0, 255), 1, cv2.LINE_AA, 4)
    return opaque


def _with_luma(rng: np.random.Generator, low: int, high: int) -> Colour:
    """A random RGB colour whose luma lies in [low, high], three in ten times a grey."""
    grey = int(rng.integers(low, high + 1))
    if rng.random() < 0.7:
        # Greys pulled towards a random hue: most keep their luma within a few steps, the check keeps the rest out.
        for _ in range(8):
            tint = rng.integers(-90, 91, size=3)
            tint -= (299 * tint[0] + 587 * tint[1] + 114 * tint[2]) // 1000
            red, green, blue = (int(each) for each in (grey + tint).clip(0, 255))
            if low <= (299 * red + 587 * green + 114 * blue + 500) // 1000 <= high:
                return red, green, blue
    return grey, grey, grey
