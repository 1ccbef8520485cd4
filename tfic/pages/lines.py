"""A line of text on a page, and the one rule that puts lines in reading order.

The page is turned by the angle at which most of its text runs. Then two lines share a row when they overlap vertically
by at least half of the lower of the two heights; rows are read from top to bottom and each row from left to right.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import cos, sin

import cv2
import numpy as np

Quad = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
"""Four (x, y) corners in pixels, clockwise from the top left of the text (not of the page)."""


def quad_of(corners: Iterable[Iterable[float]]) -> Quad:
    """Four corners, from any that are four pairs of numbers."""
    a, b, c, d = ((float(x), float(y)) for x, y in corners)
    return a, b, c, d


@dataclass(frozen=True)
class Line:
    """One line of text and where it stands."""

    text: str
    quad: Quad

    @property
    def top(self) -> float:
        """Smallest y of the quadrilateral, in pixels."""
        return min(y for _, y in self.quad)

    @property
    def bottom(self) -> float:
        """Largest y of the quadrilateral, in pixels."""
        return max(y for _, y in self.quad)

    @property
    def left(self) -> float:
        """Smallest x of the quadrilateral, in pixels."""
        return min(x for x, _ in self.quad)

    @property
    def middle(self) -> float:
        """Mean y of the four corners, in pixels."""
        return sum(y for _, y in self.quad) / 4

    @property
    def along(self) -> tuple[float, float]:
        """From the beginning of the text to its end, (x, y) in pixels: the mean of the upper and the lower side."""
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = self.quad
        return (bx - ax + cx - dx) / 2, (by - ay + cy - dy) / 2

    @property
    def height_px(self) -> float:
        """Height of the text in pixels: the mean length of the left and the right side."""
        a, b, c, d = (complex(*corner) for corner in self.quad)
        return (abs(d - a) + abs(c - b)) / 2

    def turned(self, angle: float) -> "Line":
        """The line on a page that is turned by so many radians, against the direction from x to y, about (0, 0)."""
        c, s = cos(angle), sin(angle)
        return Line(self.text, quad_of((c * x + s * y, c * y - s * x) for x, y in self.quad))


def _share_a_row(a: Line, b: Line) -> bool:
    overlap = min(a.bottom, b.bottom) - max(a.top, b.top)
    return overlap >= 0.5 * min(a.bottom - a.top, b.bottom - b.top)


def dominant_angle(lines: Sequence[Line]) -> float:
    """The angle at which the text of a page runs, in radians from x to y; 0 without lines.

    It is the angle of the line that differs least from all others, each weighted by its length.
    """
    along = np.array([complex(*line.along) for line in lines] or [1.0])
    if np.all(along.imag == 0) and np.all(along.real >= 0):
        return 0.0
    apart = np.abs(np.angle(along[:, None] * along.conj()[None, :]))
    return float(np.angle(along[np.argmin(apart @ np.abs(along))]))


def upright_order(lines: Sequence[Line]) -> list[int]:
    """The numbers of lines by rows, top to bottom, and from left to right within a row, on an upright page.

    Taken from the top (by vertical middle), a line joins the current row when it overlaps the row's first line
    by half of the lower height, else it opens the next row.
    """
    rows: list[list[int]] = []
    for i in sorted(range(len(lines)), key=lambda i: (lines[i].middle, lines[i].left)):
        if rows and _share_a_row(lines[rows[-1][0]], lines[i]):
            rows[-1].append(i)
        else:
            rows.append([i])
    return [i for row in rows for i in sorted(row, key=lambda i: lines[i].left)]


def reading_order(lines: Sequence[Line]) -> list[Line]:
    """Lines in `upright_order` on the page turned by its dominant angle."""
    angle = dominant_angle(lines)
    return [lines[i] for i in upright_order([line.turned(angle) if angle else line for line in lines])]


def normalise(text: str) -> str:
    """Text as it is compared: composed (NFC), every run of blanks one space, none at the ends of a line.

    Blanks are Unicode's, so no-break and ideographic spaces count as spaces. Case, line breaks, quotation marks, dashes
    and compatibility forms (ligatures, full-width letters) stay what they are.
    """
    text = unicodedata.normalize("NFC", text)
    lines = (re.sub(r"[^\S\n]+", " ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def page_text(lines: Sequence[Line]) -> str:
    """The text of a page: its lines in `reading_order`, normalised, joined by newlines."""
    return normalise("\n".join(line.text for line in reading_order(lines)))


def counted(found: Sequence[Line], ignored: Sequence[Quad]) -> list[Line]:
    """The found lines that count: not those of which at least half lies in regions that are not to be read."""
    regions = [np.asarray(quad, np.float32) for quad in ignored]

    def shared(line: Line) -> float:
        """Share of a line's area in the regions."""
        own = cv2.convexHull(np.asarray(line.quad, np.float32))
        area = float(cv2.contourArea(own))
        return sum(float(cv2.intersectConvexConvex(own, region)[0]) for region in regions) / max(area, 1e-6)

    return [line for line in found if not (regions and shared(line) >= 0.5)]


@dataclass(frozen=True, eq=False)
class Page:
    """An image of text and the truth about it."""

    name: str
    """File name, unique within its set."""
    image: np.ndarray
    """Pixels, (H, W, 3) uint8 RGB."""
    lines: tuple[Line, ...]
    """Every line of text on the page, in any order; empty when only the text as a whole is known."""
    stated_text: str | None = None
    """The page's text where its lines are not known; None where they are."""
    ignored: tuple[Quad, ...] = ()
    """Regions whose text counts neither for nor against a reader."""

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width of the image in pixels."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def text(self) -> str:
        """The page's text in reading order, normalised, lines joined by newlines."""
        return page_text(self.lines) if self.stated_text is None else normalise(self.stated_text)


class StoredPage(Page):
    """A page whose pixels are read when they are asked for, each time anew unless `read` remembers them."""

    _size_px: tuple[int, int]
    _read: Callable[[], np.ndarray]

    def __init__(
        self,
        name: str,
        size_px: tuple[int, int],
        read: Callable[[], np.ndarray],
        lines: tuple[Line, ...],
        stated_text: str | None = None,
        ignored: tuple[Quad, ...] = (),
    ) -> None:
        """Take the size, (height, width), and what returns the (H, W, 3) pixels; the rest as in a `Page`."""
        own = {"name": name, "lines": lines, "stated_text": stated_text, "ignored": ignored}
        for key, value in (own | {"_size_px": size_px, "_read": read}).items():
            object.__setattr__(self, key, value)  # as frozen as any page

    @property
    def image(self) -> np.ndarray:
        """Pixels, (H, W, 3) uint8 RGB, not to be written to."""
        return self._read()

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width of the image in pixels, known without reading it."""
        return self._size_px
