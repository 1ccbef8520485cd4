"""Lines that are too wide for a crop, cut between words where the gaps are plain to see.

A line of n words has n - 1 gaps: the widest runs of columns without ink. They are believed where they are clearly wider
than every other run, and lie about where the number of characters says; a line whose gaps are not believed stays whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tfic.pages.lines import Line, Quad, quad_of

_HEIGHT_PX = 32
"""Height to which a line is brought to look for its gaps."""
_INK = 0.25
"""Share of a line's strongest contrast from which a column has ink."""
_CLEARLY = 1.3
"""By how much the narrowest gap between words must exceed the widest run inside words."""
_ASTRAY = 0.1
"""Share of a line's width by which a gap may miss its place by characters: letters differ in width."""


@dataclass(frozen=True)
class Word:
    """A word and the part of its line that holds it, gaps halved between neighbours."""

    text: str
    """The word."""
    quad: Quad
    """Its corners in pixels of the page."""


def words(line: Line, image: np.ndarray) -> list[Word]:
    """The words of a line from left to right; none where its gaps cannot be told.

    Args:
        line: a line of the page, its text normalised.
        image: (H, W, 3) uint8 pixels of the page.
    """
    texts = line.text.split()
    if len(texts) < 2:
        return []
    corners = np.asarray(line.quad, np.float32)
    across = float(np.linalg.norm(corners[1] - corners[0]) + np.linalg.norm(corners[2] - corners[3]))
    down = float(np.linalg.norm(corners[3] - corners[0]) + np.linalg.norm(corners[2] - corners[1]))
    width = round(_HEIGHT_PX * across / max(down, 1.0))
    if width < 2 * len(line.text):
        return []
    upright = np.array([[0, 0], [width, 0], [width, _HEIGHT_PX], [0, _HEIGHT_PX]], np.float32)
    to_line = cv2.getPerspectiveTransform(corners, upright)
    pixels = cv2.warpPerspective(image, to_line, (width, _HEIGHT_PX), borderMode=cv2.BORDER_REPLICATE)
    cuts = _gaps(pixels, texts)
    if not cuts:
        return []
    edges = np.array([0, *cuts, width], np.float32)
    ends = np.stack([np.stack([edges, np.full_like(edges, y)], -1) for y in (0, _HEIGHT_PX)])
    top, bottom = cv2.perspectiveTransform(ends, np.linalg.inv(to_line))
    return [Word(text, quad_of((top[i], top[i + 1], bottom[i + 1], bottom[i]))) for i, text in enumerate(texts)]


def joined(some: Sequence[Word]) -> Line:
    """Neighbouring words as one line."""
    first, last = some[0].quad, some[-1].quad
    return Line(" ".join(word.text for word in some), (first[0], last[1], last[2], first[3]))


def _gaps(pixels: np.ndarray, texts: Sequence[str]) -> list[float]:
    """Middles of the gaps between words in an upright line, in pixels; none where they cannot be told."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    contrast = grey.max(0) - grey.min(0)
    ink = contrast > _INK * float(contrast.max())
    if not ink.any() or contrast.max() < 16:
        return []
    first, last = np.flatnonzero(ink)[[0, -1]]
    edges = np.flatnonzero(np.diff(ink[first : last + 1].astype(np.int8))) + first + 1
    runs = [(int(b - a), (a + b) / 2) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    runs.sort(reverse=True)
    count = len(texts) - 1
    if len(runs) < count or (len(runs) > count and runs[count - 1][0] < _CLEARLY * runs[count][0]):
        return []
    middles = sorted(float(middle) for _, middle in runs[:count])
    before = np.cumsum([len(text) + 1 for text in texts])[:-1] - 0.5
    places = first + before / (sum(map(len, texts)) + count) * (last + 1 - first)
    astray = np.abs(np.asarray(middles) - places).max()
    return middles if astray <= _ASTRAY * len(ink) else []
