"""Pages of documents: lines of text close together, dark on paper, with headings, lists, code, tables and pictures.

They are drawn three times as large and averaged down, so that letters stand between pixels as in a rendered or scanned
page. Only whole numbers are averaged: a page is the same on every machine.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from faker import Faker

from tfic.synth import backgrounds, texts, typefaces
from tfic.synth.layouts import Placed
from tfic.synth.typefaces import SHIPPED, Face, Ink

SCALE = 3
"""Pixels of the drawing for each pixel of the image, in each direction."""
X_HEIGHT_PX = (4.5, 11.0)
"""Least and largest height of a lower-case x of running text, in pixels of the image; small ones are likelier."""
STYLES = ("sans", "serif", "slab", "mono")
"""Styles of the shipped typefaces that documents are set in."""
GAP_PX = 2
"""Least distance between the ink of two lines, and from ink to the edge, in pixels of the image."""


@dataclass
class Sheet:
    """A sheet of paper that is filled from its top; all measures are in pixels of the drawing."""

    paper: np.ndarray
    """(H, W, 3) uint8, with panels, rules and pictures."""
    ink: tuple[int, int, int]
    """Colour of running text."""
    left: int
    """Left edge of the column."""
    right: int
    """Right edge of the column."""
    top: int
    """Where the next element may begin."""
    bottom: int
    """Where the last element ends at the latest."""
    face: Face
    """Of running text."""
    size: int
    """Pixels per em of running text."""
    pitch: int
    """From one baseline to the next."""
    placed: list[tuple[Placed, tuple[int, int, int]]] = field(default_factory=list)
    """Lines that stand, each with its colour."""

    @property
    def width(self) -> int:
        """Width of the column."""
        return self.right - self.left

    def set(self, row: Sequence[tuple[Ink, int]], colour: tuple[int, int, int] | None = None) -> bool:
        """Set inks on the next baseline, each with its left edge; False, with nothing set, where there is no room."""
        rise = max(ink.rise for ink, _ in row)
        depth = max(ink.height - ink.rise for ink, _ in row)
        above = max((line.bottom for line, _ in self.placed), default=-SCALE * GAP_PX) + SCALE * GAP_PX
        baseline = max(self.top + self.pitch, above + rise)
        fits = all(self.left <= left and left + ink.width <= self.right for ink, left in row)
        if not fits or baseline + depth > self.bottom:
            return False
        self.placed += [(Placed(ink, left, baseline - ink.rise), colour or self.ink) for ink, left in row]
        self.top = baseline
        return True


Element = Callable[[np.random.Generator, Faker, Sheet], bool]
"""Adds itself to a sheet; False where there was no room for any of it."""


def paragraph(rng: np.random.Generator, fake: Faker, sheet: Sheet) -> bool:
    """Sentences, a number or a code among them, broken into lines."""
    words = " ".join(
        str(fake.sentence(nb_words=int(rng.integers(5, 14)))) for _ in range(int(rng.integers(1, 5)))
    ).split()
    for _ in range(len(words) // 8):
        kind = str(rng.choice(("price", "code", "date", "name")))
        words.insert(int(rng.integers(len(words))), texts.phrase(kind, rng, fake))
    return _broken(sheet, " ".join(words), 0, "")


def listing(rng: np.random.Generator, fake: Faker, sheet: Sheet) -> bool:
    """Items of a list, numbered or with a dash."""
    numbered, any_set = rng.random() < 0.5, False
    for number in range(1, int(rng.integers(3, 6))):
        mark = f"{number}. " if numbered else "- "
        any_set |= _broken(sheet, str(fake.sentence(nb_words=int(rng.integers(3, 10)))), sheet.size, mark)
    return any_set


def heading(rng: np.random.Generator, fake: Faker, sheet: Sheet) -> bool:
    """A larger line above running text, at times coloured or numbered."""
    number = f"{int(rng.integers(1, 10))}.{int(rng.integers(1, 10))} " if rng.random() < 0.5 else ""
    size = round(sheet.size * rng.uniform(1.15, 1.9))
    ink = typefaces.typeset(sheet.face, size, number + " ".join(fake.words(int(rng.integers(1, 5)))).title())
    colour = tuple(int(each) for each in rng.integers(0, 140, size=3)) if rng.random() < 0.25 else sheet.ink
    sheet.top += sheet.pitch // 2
    return sheet.set([(ink, sheet.left)], (colour[0], colour[1], colour[2]))


def code(rng: np.random.Generator, fake: Faker, sheet: Sheet) -> bool:
    """Lines of a program or a terminal, at times on a grey panel."""
    first, top = len(sheet.placed), sheet.top
    for _ in range(int(rng.integers(2, 7))):
        name, other = str(fake.word()), str(fake.word())
        value = texts.code(rng, int(rng.integers(3, 8)))
        line = (
            f"{name} = {other}({value})", f"$ {name} --{other} {value}", f"if ({name} < {int(rng.integers(100))})",
            f"#define {name.upper()} {value}", f"{name}/{other}.{value[:3].lower()}: {int(rng.integers(1, 999))}",
        )[int(rng.integers(5))]  # fmt: skip
        ink = typefaces.typeset(sheet.face, sheet.size, line)
        if not sheet.set([(ink, sheet.left + sheet.size * int(rng.integers(1, 4)))]):
            break
    if len(sheet.placed) == first:
        return False
    if rng.random() < 0.5:
        panel = sheet.paper[top + sheet.pitch // 4 : sheet.top + sheet.pitch // 2, sheet.left : sheet.right]
        panel[:] = panel // 16 * 15
    return True


def table(rng: np.random.Generator, fake: Faker, sheet: Sheet) -> bool:
    """Rows of a label and a value at the other side, at times between rules."""
    ruled, any_set = rng.random() < 0.6, False
    for _ in range(int(rng.integers(2, 6))):
        label = typefaces.typeset(sheet.face, sheet.size, texts.label(rng, fake))
        value = typefaces.typeset(sheet.face, sheet.size, texts.value(rng, fake))
        if label.width + value.width + 3 * sheet.size > sheet.width:
            continue
        if not sheet.set([(label, sheet.left), (value, sheet.right - value.width)]):
            break
        any_set = True
        if ruled:
            rule(rng, fake, sheet)
    return any_set


def rule(rng: np.random.Generator, fake: Faker, sheet: Sheet) -> bool:
    """A thin line across the column."""
    y, thick = sheet.top + sheet.pitch // 2, int(rng.integers(1, 2 * SCALE))
    if y + thick > sheet.bottom:
        return False
    sheet.paper[y : y + thick, sheet.left : sheet.right] = sheet.ink
    sheet.top = y + thick
    return True


def picture(rng: np.random.Generator, fake: Faker, sheet: Sheet) -> bool:
    """A picture as wide as a part of the column."""
    height, width = sheet.size * int(rng.integers(3, 9)), int(sheet.width * rng.uniform(0.4, 1.0))
    top = sheet.top + sheet.pitch
    if top + height > sheet.bottom:
        return False
    drawn = backgrounds.scene(rng, -(-height // SCALE), -(-width // SCALE))
    left = sheet.left + (sheet.width - width) // 2
    sheet.paper[top : top + height, left : left + width] = _enlarged(drawn)[:height, :width]
    sheet.top = top + height
    return True


ELEMENTS: dict[Element, float] = {
    paragraph: 0.55, heading: 0.12, listing: 0.1, code: 0.08, table: 0.08, rule: 0.04, picture: 0.03
}  # fmt: skip
"""What pages are made of, each with its probability."""


def sheet_of(
    rng: np.random.Generator, fake: Faker, faces: Sequence[Face], height_px: int, width_px: int
) -> Sheet | None:
    """A filled sheet, three times as large as the image; None where not even one line had room."""
    high, wide = SCALE * height_px, SCALE * width_px
    white = 255 if rng.random() < 0.6 else int(rng.integers(225, 256))
    paper = np.full((high, wide, 3), white, np.uint8)
    if white < 255:
        paper -= rng.integers(0, 12, size=3).astype(np.uint8)
    face = typefaces.pick(rng, _book_faces(faces))
    size = typefaces.em_for_x_height(
        face.path, round(SCALE * X_HEIGHT_PX[0] * (X_HEIGHT_PX[1] / X_HEIGHT_PX[0]) ** rng.random())
    )
    margin = SCALE * int(rng.integers(GAP_PX, max(GAP_PX, min(height_px, width_px) // 16) + 1))
    grey = int(rng.integers(0, 60)) if rng.random() < 0.5 else 0
    pitch = round(size * rng.uniform(1.1, 1.5))
    left, right, top, bottom = margin, wide - margin, margin - pitch // 2, high - margin
    sheet = Sheet(paper, (grey, grey, grey), left, right, top, bottom, face, size, pitch)
    names, shares = tuple(ELEMENTS), np.array(tuple(ELEMENTS.values()))
    missed = 0
    while missed < 3:  # an element that is too high may leave room for another
        element = names[int(rng.choice(len(names), p=shares / shares.sum()))]
        missed += not element(rng, fake, sheet)
        sheet.top += sheet.pitch // 3 * int(rng.integers(0, 3))
    return sheet if sheet.placed else None


def printed(sheet: Sheet) -> np.ndarray:
    """The image, (H, W, 3) uint8, a third of the sheet in each direction, its lines in their colours."""
    large = sheet.paper.copy()
    for line, colour in sheet.placed:
        cut = np.s_[line.top : line.bottom, line.left : line.right]
        alpha = line.ink.coverage.astype(np.uint16)[..., None]
        large[cut] = (large[cut] * (255 - alpha) + np.array(colour, np.uint16) * alpha + 127) // 255
    sums = np.full((large.shape[0] // SCALE, large.shape[1] // SCALE, 3), SCALE**2 // 2, np.uint16)
    for y in range(SCALE):
        for x in range(SCALE):
            sums += large[y::SCALE, x::SCALE]
    return (sums // SCALE**2).astype(np.uint8)


def _broken(sheet: Sheet, text: str, indent: int, mark: str) -> bool:
    """Set a text in lines from an indent on, the first one with a mark before it; False where none had room."""
    row, taken, any_set = list[str](), 0.0, False
    space = max(1.0, typefaces.width_px(sheet.face, sheet.size, " "))
    width = sheet.width - indent - typefaces.width_px(sheet.face, sheet.size, mark) - 2

    def end_row() -> bool:
        ink = typefaces.typeset(sheet.face, sheet.size, (mark if not any_set else "") + " ".join(row))
        return sheet.set([(ink, sheet.left + indent)])

    for word in text.split():
        advance = typefaces.width_px(sheet.face, sheet.size, word)
        if advance > width:
            continue
        if row and taken + space + advance > width:
            if not end_row():
                return any_set
            row, taken, any_set = [], 0.0, True
        taken += advance + (space if row else 0.0)
        row.append(word)
    return (bool(row) and end_row()) or any_set


def _book_faces(faces: Sequence[Face]) -> Sequence[Face]:
    """Those in the styles of documents; all where there is none of them, as in a user's own folder."""
    families = {family for style in STYLES for split in SHIPPED[style].values() for family in split}
    return [face for face in faces if face.family in families] or faces


def _enlarged(image: np.ndarray) -> np.ndarray:
    return image.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
