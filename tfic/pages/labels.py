"""The truth about an image: one line of `metadata.jsonl`, checked, and what of it counts.

Texts are normalised (`lines.normalise`). A line without text, or with `###` (do not care, in the labels of ICDAR
and of many tools), marks a region whose text counts neither for nor against a reader.
"""

import codecs
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tfic.pages.lines import Line, Quad, normalise, quad_of

METADATA = "metadata.jsonl"
"""Name of the file with the truth."""
DO_NOT_CARE = "###"
"""Text of a region that is not to be read."""
_OUTSIDE_PX = 1.0
"""By how much a corner may lie outside the image: annotators round."""
_MOST = 1e9
"""Largest coordinate that is a number of pixels."""


@dataclass(frozen=True)
class Label:
    """One line of `metadata.jsonl`."""

    name: str
    """Path of the image inside the folder."""
    text: str
    """The page's text as it is stated."""
    lines: tuple[Line, ...] | None
    """Lines that are to be read; None where they are not known."""
    ignored: tuple[Quad, ...] = ()
    """Regions that are not to be read."""


def labels(
    folder: Path,
    limit: int | None = None,
    lines_required: bool = True,
    on_bad: Callable[[ValueError], None] | None = None,
) -> list[tuple[int, Label]]:
    """The labels of a folder of images with their line numbers, in the order of its `metadata.jsonl`.

    Args:
        folder: the folder.
        limit: the most labels to take, from the first; all by default.
        lines_required: True to refuse a record without `lines`.
        on_bad: takes the error of each line that is wrong, which is then left out; by default it is raised.

    Raises:
        ValueError: when there is no such folder or file, it lists nothing or an image twice, or a line is wrong.
    """
    if not folder.is_dir():
        raise ValueError(f"data folder {folder} does not exist; give one with images and {METADATA}")
    metadata = folder / METADATA
    if not metadata.is_file():
        raise ValueError(
            f"data folder {folder} has no {METADATA}; write one line per image, as `python -m tfic synth` does"
        )
    found: dict[PurePosixPath, tuple[int, Label]] = {}
    with metadata.open("rb") as file:
        for number, row in enumerate(file, start=1):
            row = row.removeprefix(codecs.BOM_UTF8) if number == 1 else row
            if len(found) == limit:
                break
            if not row.strip():
                continue
            try:
                label = _label(row, lines_required)
                place = PurePosixPath(label.name)  # ./a.png is a.png
                if place in found:
                    raise ValueError(f"file_name {label.name!r} is listed a second time")
            except ValueError as error:
                if on_bad is None:
                    raise ValueError(f"{metadata}:{number}: {error}") from error
                on_bad(error)
                continue
            found[place] = number, label
    if not found:
        raise ValueError(f"{metadata} lists no image; write one line per image, as `python -m tfic synth` does")
    return list(found.values())


def _label(row: bytes, lines_required: bool) -> Label:
    """The label of one line; ValueError says what is wrong with it."""
    try:
        record = json.loads(row)
    except (ValueError, RecursionError) as error:  # broken JSON, or bytes that are no UTF-8
        raise ValueError(f"no valid JSON ({error}); each line must be one JSON object") from error
    if not isinstance(record, dict):
        raise ValueError(f"a JSON {type(record).__name__}; each line must be one JSON object")
    name, text = _string(record, "file_name"), _string(record, "text")
    inside = PurePosixPath(name)
    if not inside.parts or inside.is_absolute() or ".." in inside.parts or "\0" in name:
        raise ValueError(f"file_name is {name!r}; it must be the path of an image inside the folder")
    if "lines" not in record:
        if lines_required:
            raise ValueError(f"{name} has no 'lines'; training needs the text and the quad of every line")
        if any(each.strip() == DO_NOT_CARE for each in text.split("\n")):
            raise ValueError(f"{name} has {DO_NOT_CARE!r} in its text and no 'lines' that say where; give their quads")
        return Label(name, text, None)
    listed = record["lines"]
    if not isinstance(listed, list) or (lines_required and not listed):
        raise ValueError(f"lines is {listed!r}; it must be a list of at least one {{'text', 'quad'}}")
    marked = [_line(each) for each in listed]
    cared = tuple(line for line in marked if line.text not in ("", DO_NOT_CARE))
    return Label(name, text, cared, tuple(line.quad for line in marked if line.text in ("", DO_NOT_CARE)))


def check_inside(label: Label, height_px: int, width_px: int) -> None:
    """Raise ValueError unless all quads of a label lie on an image of that size."""
    for quad in [line.quad for line in label.lines or ()] + list(label.ignored):
        for x, y in quad:
            if not (-_OUTSIDE_PX <= x <= width_px + _OUTSIDE_PX and -_OUTSIDE_PX <= y <= height_px + _OUTSIDE_PX):
                raise ValueError(f"corner [{x}, {y}] of a quad lies outside of the {width_px}x{height_px} image")


def _string(record: dict[str, Any], key: str) -> str:
    if key not in record:
        raise ValueError(f"key {key!r} is missing; each line needs 'file_name', 'text' and 'lines'")
    if not isinstance(record[key], str):
        raise ValueError(f"{key} is {record[key]!r}; it must be a string")
    return _whole(record[key], key)


def _whole(text: str, key: str) -> str:
    """A text of whole characters: half of one (a lone surrogate) cannot be compared, written or shown."""
    halves = sorted({f"\\u{ord(each):04x}" for each in text if "\ud800" <= each <= "\udfff"})
    if halves:
        raise ValueError(f"{key} has lone surrogates, {', '.join(halves)}; write the text anew as UTF-8")
    return text


def _line(listed: Any) -> Line:
    if not isinstance(listed, dict) or not isinstance(listed.get("text"), str) or "quad" not in listed:
        raise ValueError(f"{_short(listed)} in lines; it must be an object with 'text' and 'quad'")
    return Line(normalise(_whole(listed["text"], "text of a line")), checked_quad(listed["quad"]))


def checked_quad(listed: Any) -> Quad:
    """Four finite corners of a convex quadrilateral, clockwise as seen.

    Raises:
        ValueError: for anything else, such as a list of other numbers, corners that go anticlockwise, or no area.
    """
    pairs = listed if isinstance(listed, list) and len(listed) == 4 else []
    if not pairs or not all(isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair)) for pair in pairs):
        raise ValueError(f"quad is {_short(listed)}; it must be four [x, y] pairs of numbers")
    a, b, c, d = quad = quad_of(pairs)
    turns = [
        (qx - px) * (ry - qy) - (qy - py) * (rx - qx)
        for (px, py), (qx, qy), (rx, ry) in ((a, b, c), (b, c, d), (c, d, a), (d, a, b))
    ]
    if min(turns) <= 0:
        flaw = "anticlockwise" if max(turns) < 0 else "without an area" if not any(turns) else "bent inwards or crossed"
        raise ValueError(
            f"quad is {listed!r}, {flaw}; its corners must go clockwise around an area, from the text's top left"
        )
    return quad


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_MOST < value < _MOST


def _short(value: Any) -> str:
    """A value in a sentence: its beginning, if it is long."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
