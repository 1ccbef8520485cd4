"""Layouts of lines on a flat page: paragraph, form, sign, or scattered labels.

Each layout takes a page size and returns blocks of inked lines that lie wholly on the page and do not touch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from faker import Faker

from tfic.synth import texts, typefaces
from tfic.synth.typefaces import Face, Ink

MAX_LINES = 8
"""Most lines on a page; a form's row counts as two."""

GAP_PX = 4
"""Least distance between the ink of two lines, and from ink to the edge of its panel, in pixels."""

X_HEIGHT_PX = 8
"""Least height of a lower-case x in pixels; only where nothing would fit is it less."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A line of text on the flat page."""

    ink: Ink
    """The coverage."""
    left: int
    """Its left edge in pixels."""
    top: int
    """Its upper edge in pixels."""

    @property
    def right(self) -> int:
        """Its right edge in pixels."""
        return self.left + self.ink.width

    @property
    def bottom(self) -> int:
        """Its lower edge in pixels."""
        return self.top + self.ink.height


@dataclass(frozen=True, eq=False)
class Block:
    """Lines that share a colour and, perhaps, a panel."""

    lines: tuple[Placed, ...]
    """One line at least."""
    boxed: bool
    """True to draw a panel behind it even on a plain background."""

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom around its lines, in pixels."""
        return (
            min(line.left for line in self.lines), min(line.top for line in self.lines),
            max(line.right for line in self.lines), max(line.bottom for line in self.lines),
        )  # fmt: skip


Layout = Callable[[np.random.Generator, Faker, Sequence[Face], int, int], list[Block]]


def paragraph(
    rng: np.random.Generator, fake: Faker, faces: Sequence[Face], width_px: int, height_px: int
) -> list[Block]:
    """Sentences broken into lines of one face and size, at times under a bigger heading."""
    face, size = _face_and_size(rng, faces, width_px, height_px, 1.5)
    lines: list[Ink] = []
    if rng.random() < 0.3:
        heading = typefaces.typeset(face, round(size * 1.3), str(fake.word()).title())
        lines += [heading] if heading.width <= width_px else []
    words = " ".join(fake.sentence(nb_words=int(rng.integers(5, 12))) for _ in range(6)).split()
    space = max(1.0, typefaces.width_px(face, size, " "))
    wanted, row, taken = int(rng.integers(2, MAX_LINES + 1)), list[str](), 0.0
    for word in words:
        advance = typefaces.width_px(face, size, word)
        if row and taken + space + advance > width_px - 2:
            lines.append(typefaces.typeset(face, size, " ".join(row)))
            row, taken = [], 0.0
        if len(lines) == wanted:
            break
        if advance <= width_px - 2:
            taken += advance + (space if row else 0.0)
            row.append(word)
    lines = [ink for ink in lines if ink.width <= width_px]
    pitch = round(size * rng.uniform(1.15, 1.6))
    return _stack(rng, lines, width_px, height_px, pitch, float(rng.choice((0.0, 0.0, 0.5))), rng.random() < 0.3)


def form(rng: np.random.Generator, fake: Faker, faces: Sequence[Face], width_px: int, height_px: int) -> list[Block]:
    """Rows of a form or receipt: a label at the left, its value at the right, at times under a heading."""
    face, size = _face_and_size(rng, faces, width_px, height_px, 1.25)
    placed: list[Placed] = []
    pitch, baseline = round(size * rng.uniform(1.2, 1.7)), size
    if rng.random() < 0.5:
        heading = typefaces.typeset(face, round(size * 1.15), texts.phrase("company", rng, fake))
        if heading.width <= width_px and heading.height <= height_px:
            placed.append(Placed(heading, (width_px - heading.width) // 2, 0))
            baseline = heading.height + GAP_PX + pitch
    rows = int(rng.integers(2, MAX_LINES // 2 + 1)) - (1 if placed else 0)
    for _ in range(rows):
        left = typefaces.typeset(face, size, texts.label(rng, fake))
        right = typefaces.typeset(face, size, texts.value(rng, fake))
        low = baseline + max(left.height - left.rise, right.height - right.rise)
        if low > height_px:
            break
        # Closer than this, a detector takes label and value for one line.
        if left.width + right.width + 2 * size <= width_px:
            placed += [
                Placed(left, 0, baseline - left.rise),
                Placed(right, width_px - right.width, baseline - right.rise),
            ]
            baseline += pitch
    return _slide(rng, placed, width_px, height_px, rng.random() < 0.5)


def sign(rng: np.random.Generator, fake: Faker, faces: Sequence[Face], width_px: int, height_px: int) -> list[Block]:
    """One to three large centred lines, at times on a panel."""
    face, size = _face_and_size(rng, faces, width_px, height_px, 3.0)
    lines: list[Ink] = []
    for _ in range(int(rng.integers(1, 4))):
        kind = str(rng.choice(("words", "words", "company", "price", "code", "code", "name", "phone")))
        ink = _fitting(face, size, texts.phrase(kind, rng, fake), width_px)
        if ink is not None:
            lines.append(ink)
    return _stack(rng, lines, width_px, height_px, round(size * 1.3), 0.5, rng.random() < 0.5)


def scattered(
    rng: np.random.Generator, fake: Faker, faces: Sequence[Face], width_px: int, height_px: int
) -> list[Block]:
    """Labels here and there, each with its own face, size and colour, some on a small panel."""
    blocks: list[Block] = []
    taken: list[Placed] = []
    wanted = int(rng.integers(2, 8))
    for _ in range(3 * wanted):
        face, size = _face_and_size(rng, faces, width_px, height_px, 2.0)
        kind = str(
            rng.choice(("name", "street", "city", "date", "price", "phone", "email", "words", "code", "code", "code"))
        )
        ink = typefaces.typeset(face, size, texts.phrase(kind, rng, fake))
        room_x, room_y = width_px - ink.width, height_px - ink.height
        if room_x < 0 or room_y < 0:
            continue
        line = Placed(ink, int(rng.integers(room_x + 1)), int(rng.integers(room_y + 1)))
        if any(_near(line, other) for other in taken):
            continue
        taken.append(line)
        blocks.append(Block((line,), rng.random() < 0.4))
        if len(blocks) == wanted:
            break
    return blocks


def last_resort(
    rng: np.random.Generator, fake: Faker, faces: Sequence[Face], width_px: int, height_px: int
) -> list[Block]:
    """One short code in a size that fits: for pages too small for anything else."""
    text, face = texts.code(rng, 3), typefaces.pick(rng, faces)
    size = typefaces.em_for_x_height(face.path, X_HEIGHT_PX)
    while True:
        ink = typefaces.typeset(face, size, text)
        if ink.width <= width_px and ink.height <= height_px:
            return _slide(rng, [Placed(ink, 0, 0)], width_px, height_px, False)
        assert size > 1, f"no room for a line on {width_px}x{height_px}"
        size -= 1


LAYOUTS: dict[str, Layout] = {"paragraph": paragraph, "form": form, "sign": sign, "scattered": scattered}
"""Every layout by name, each as likely as the others."""


def _face_and_size(
    rng: np.random.Generator, faces: Sequence[Face], width_px: int, height_px: int, spread: float
) -> tuple[Face, int]:
    """A face and a size in pixels per em, with an x-height from `X_HEIGHT_PX` to `spread` times as much.

    Larger images get somewhat larger text, by the square root of their size over 256.
    """
    face = typefaces.pick(rng, faces)
    largest = spread * max(1.0, (min(width_px, height_px) / 256) ** 0.5)
    return face, typefaces.em_for_x_height(face.path, round(X_HEIGHT_PX * rng.uniform(1.0, largest)))


def _fitting(face: Face, size_px: int, text: str, width_px: int) -> Ink | None:
    """The text, made smaller down to the least x-height where it is too wide; None when that is not enough."""
    least = typefaces.em_for_x_height(face.path, X_HEIGHT_PX)
    fit = min(size_px, int(size_px * width_px / max(1.0, typefaces.width_px(face, size_px, text) + 2)))
    if fit < least:
        return None
    ink = typefaces.typeset(face, fit, text)
    return ink if ink.width <= width_px else None


def _near(a: Placed, b: Placed) -> bool:
    """Return True when panels around the two lines would touch."""
    space = 2 * GAP_PX + 3
    across = a.left - space < b.right and b.left - space < a.right
    return across and a.top - space < b.bottom and b.top - space < a.bottom


def _stack(
    rng: np.random.Generator, inks: list[Ink], width_px: int, height_px: int, pitch_px: int, align: float, boxed: bool
) -> list[Block]:
    """As many of the lines as fit, one below the other, `align` from left (0) over centred (0.5) to right (1)."""
    placed: list[Placed] = []
    widest = max((ink.width for ink in inks), default=0)
    for ink in inks:
        baseline = placed[-1].top + placed[-1].ink.rise + pitch_px if placed else ink.rise
        top = max(baseline - ink.rise, placed[-1].bottom + GAP_PX if placed else 0)
        if top + ink.height > height_px:
            break
        placed.append(Placed(ink, round(align * (widest - ink.width)), top))
    return _slide(rng, placed, width_px, height_px, boxed)


def _slide(rng: np.random.Generator, placed: list[Placed], width_px: int, height_px: int, boxed: bool) -> list[Block]:
    """The lines as one block, moved to a random place on the page."""
    if not placed:
        return []
    left, top, right, bottom = Block(tuple(placed), boxed).box
    dx = int(rng.integers(width_px - (right - left) + 1)) - left
    dy = int(rng.integers(height_px - (bottom - top) + 1)) - top
    return [Block(tuple(Placed(line.ink, line.left + dx, line.top + dy) for line in placed), boxed)]
