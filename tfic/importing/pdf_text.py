"""The text layer of a PDF page: words that can be seen, at their place in the image, and regions of unknown text."""

import contextlib
import ctypes
import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tfic.importing.candidate import rectangle
from tfic.importing.words import Word, lines_of
from tfic.pages.lines import Line, Quad

_STEPS = 64
"""Steps per pixel of places in the image: pdfium gives them as whole numbers."""
_INVISIBLE = (3, 7)
"""Text render modes that leave no ink: invisible, and clipping alone."""
_HYPHEN = "\x02"
"""pdfium's character for a hyphen at the end of a line."""
_LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "ſt", "ﬆ": "st"}
"""Ligatures of typefaces, which readers read as letters."""
_NAMELESS = "\ufffd"
"""Stands for a character that nothing names."""
_UPRIGHT = math.radians(1)
"""Largest angle of upright text."""


@dataclass(frozen=True)
class Glyph:
    """One character of the text layer."""

    text: str
    """Its characters; `_NAMELESS` where nothing says which they are."""
    box: tuple[float, float, float, float]
    """Left, top, right and bottom in pixels of the image."""
    plain: bool
    """True when it is upright and visible."""


@dataclass
class TextLayer:
    """What is known of the text on a page."""

    lines: list[Line] = field(default_factory=list)
    """Lines whose text is known."""
    unknown: list[Quad] = field(default_factory=list)
    """Regions with text that is turned, invisible, of characters that nothing names, or perhaps in a picture."""
    characters: int = 0
    """Characters of the layer, of whatever kind."""
    visible: int = 0
    """Those that leave ink; where there are none, a program may have read the others from a scan."""


def text_layer(page: Any, width_px: int, height_px: int) -> TextLayer:
    """The text of a `pypdfium2.PdfPage` that is drawn as an image of that size."""
    words: list[list[Glyph]] = []
    before: Glyph | None = None
    layer = TextLayer()
    with contextlib.closing(page.get_textpage()) as text:
        for glyph, visible in _glyphs(page, text, width_px, height_px):
            if glyph is None:
                before = None
                continue
            layer.characters, layer.visible = layer.characters + 1, layer.visible + visible
            if before is None or _apart(before, glyph):
                words.append([])
            words[-1].append(glyph)
            before = glyph
    placed = [(glyphs[0].plain, word) for glyphs in words if (word := _word(glyphs, width_px, height_px))]
    lines = lines_of(word for plain, word in placed if plain)
    layer.lines = [line for line in lines if _NAMELESS not in line.text]
    layer.unknown = [line.quad for line in lines if _NAMELESS in line.text]
    layer.unknown += [rectangle(each.left, each.top, each.right, each.bottom) for plain, each in placed if not plain]
    layer.unknown += _pictures(page, width_px, height_px, layer.lines)
    return layer


def _word(glyphs: list[Glyph], width_px: int, height_px: int) -> Word | None:
    """The word on the image; None where half of it or more is beyond the image's edges, or it has no area."""
    left, top = min(each.box[0] for each in glyphs), min(each.box[1] for each in glyphs)
    right, bottom = max(each.box[2] for each in glyphs), max(each.box[3] for each in glyphs)
    inside = max(0.0, left), max(0.0, top), min(float(width_px), right), min(float(height_px), bottom)
    area = max(0.0, inside[2] - inside[0]) * max(0.0, inside[3] - inside[1])
    if area < 1 or area < 0.5 * (right - left) * (bottom - top):
        return None
    return Word("".join(each.text for each in glyphs), *inside)


def _apart(before: Glyph, after: Glyph) -> bool:
    """True when two characters that follow each other in the file stand apart on the page, or differ in kind."""
    (left, top, right, bottom), (x, y, to_x, to_y) = before.box, after.box
    height = max(bottom - top, 1.0)
    if before.plain != after.plain:
        return True
    if not before.plain:  # in any direction
        return max(x - right, left - to_x, y - bottom, top - to_y) > height
    row = min(bottom, to_y) - max(top, y) >= 0.5 * min(height, to_y - y)
    return not row or x - right > height or x < left - 0.5 * height


def _glyphs(page: Any, text: Any, width_px: int, height_px: int) -> Iterator[tuple[Glyph | None, bool]]:
    """Each character and whether it leaves ink; None for a blank or the end of a line."""
    import pypdfium2.raw as pdfium

    objects: dict[Any, tuple[bool, bool]] = {}
    for index in range(text.count_chars()):
        character = chr(pdfium.FPDFText_GetUnicode(text.raw, index))
        if character.isspace() or (character != _HYPHEN and pdfium.FPDFText_IsGenerated(text.raw, index)):
            yield None, False
            continue
        owner = pdfium.FPDFText_GetTextObject(text.raw, index)
        address = ctypes.cast(owner, ctypes.c_void_p).value if owner else None
        if address not in objects:
            mode = pdfium.FPDFTextObj_GetTextRenderMode(owner) if owner else 0
            objects[address] = mode not in _INVISIBLE, _upright(page, text, index)
        visible, upright = objects[address]
        left, bottom, right, top = text.get_charbox(index, loose=True)
        a, b = (_on_image(page, x, y, width_px, height_px) for x, y in ((left, top), (right, bottom)))
        box = min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])
        broken = pdfium.FPDFText_HasUnicodeMapError(text.raw, index) == 1
        yield Glyph(_NAMELESS if broken else _letters(character), box, visible and upright), visible


def _letters(character: str) -> str:
    """A character as readers write it."""
    if character == _HYPHEN:
        return "-"
    named = unicodedata.category(character) not in ("Cc", "Co", "Cn", "Cs")
    return _LIGATURES.get(character, character) if named else _NAMELESS


def _upright(page: Any, text: Any, index: int) -> bool:
    """True when the text of a character runs from left to right on the page as it is shown."""
    import pypdfium2.raw as pdfium

    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFText_GetMatrix(text.raw, index, matrix):
        return True
    size = math.hypot(matrix.a, matrix.b) or 1.0
    sides = [round(side) for side in page.get_size()]  # equal scales both ways, for a direction
    (x, y), (to_x, to_y) = (
        _on_image(page, each * matrix.a / size, each * matrix.b / size, *sides) for each in (0, 1000)
    )
    return abs(math.atan2(to_y - y, to_x - x)) <= _UPRIGHT


def _on_image(page: Any, x: float, y: float, width_px: int, height_px: int) -> tuple[float, float]:
    """The place in an image of that size of a point of the page."""
    import pypdfium2.raw as pdfium

    to_x, to_y = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDF_PageToDevice(page, 0, 0, width_px * _STEPS, height_px * _STEPS, 0, x, y, to_x, to_y)
    return to_x.value / _STEPS, to_y.value / _STEPS


def _pictures(page: Any, width_px: int, height_px: int, lines: list[Line]) -> list[Quad]:
    """Pictures on which no known line stands: what can be read there is not in the text layer."""
    import pypdfium2.raw as pdfium

    found = []
    for picture in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE]):
        left, bottom, right, top = picture.get_bounds()
        a, b = (_on_image(page, x, y, width_px, height_px) for x, y in ((left, top), (right, bottom)))
        x, y = max(0.0, min(a[0], b[0])), max(0.0, min(a[1], b[1]))
        to_x, to_y = min(float(width_px), max(a[0], b[0])), min(float(height_px), max(a[1], b[1]))
        free = not any(
            line.left < to_x and line.quad[1][0] > x and line.top < to_y and line.bottom > y for line in lines
        )
        if to_x - x >= 1 and to_y - y >= 1 and free:
            found.append(rectangle(x, y, to_x, to_y))
    return found
