"""The images a codec is trained and tested on: drawn sets, and folders in the form of Hugging Face's ImageFolder.

A folder holds images and `metadata.jsonl`, one JSON object per image:
`{"file_name": "a.png", "text": "...", "lines": [{"text": "...", "quad": [[x, y], [x, y], [x, y], [x, y]]}]}`
with quads in pixels, clockwise from the top left of the text. For testing alone, `lines` may be missing.
"""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from tfic import images
from tfic.config import DataConfig
from tfic.files import write_whole
from tfic.lines import Line, Page, Quad, quad_of
from tfic.synth import backgrounds, typefaces
from tfic.synth.drawn import SetSpec, drawn_set

METADATA = "metadata.jsonl"
"""Name of the file with the truth."""

_OUTSIDE_PX = 1.0
"""By how much a corner may lie outside the image: annotators round."""


def train_pages(data: DataConfig) -> Sequence[Page]:
    """The pages to train on: those of `train_dir`, or `train_count` drawn ones.

    Raises:
        ValueError: as `read_folder` and `draw_set` do.
    """
    return read_folder(Path(data.train_dir)) if data.train_dir else draw_set("train", data.train_count, data)


def test_pages(data: DataConfig) -> Sequence[Page]:
    """The pages to test on: the first `test_count` of `test_dir`, or as many drawn ones.

    Raises:
        ValueError: as `read_folder` and `draw_set` do.
    """
    if data.test_dir:
        return read_folder(Path(data.test_dir), limit=data.test_count, lines_required=False)
    return draw_set("test", data.test_count, data)


def draw_set(split: str, count: int, data: DataConfig) -> Sequence[Page]:
    """`count` drawn pages of a split, drawn on all cores the first time and then read from the cache on disk.

    Raises:
        ValueError: for an unknown split, numbers out of range, or an unusable font, background or cache folder.
    """
    typefaces.check_split(split)
    fonts = typefaces.folder(Path(data.font_dir).resolve(), split) if data.font_dir else None
    photographs = backgrounds.photographs(Path(data.background_dir).resolve()) if data.background_dir else None
    return drawn_set(SetSpec(data.seed, split, count, data.height_px, data.width_px, fonts, photographs))


def write_folder(pages: Iterable[Page], out: Path) -> int:
    """Write pages as PNG files with their `metadata.jsonl`, which comes last, and return how many there are.

    Raises:
        ValueError: when the folder has a `metadata.jsonl` already, or two pages share a name.
    """
    if (out / METADATA).exists():
        raise ValueError(f"{out / METADATA} exists already; choose another folder or delete this one")
    out.mkdir(parents=True, exist_ok=True)
    records: dict[str, str] = {}
    for page in pages:
        name = str(PurePosixPath(page.name).with_suffix(".png"))
        if name in records:
            raise ValueError(f"two pages are named {name!r}; names must be unique in a folder")
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(page.image).save(out / name)
        lines = [{"text": line.text, "quad": line.quad} for line in page.lines]
        record: dict[str, Any] = {"file_name": name, "text": page.text}
        records[name] = json.dumps(record if page.stated_text is not None else {**record, "lines": lines})
    write_whole(out / METADATA, "".join(record + "\n" for record in records.values()).encode())
    return len(records)


def read_folder(path: Path, limit: int | None = None, lines_required: bool = True) -> list[Page]:
    """The pages of a folder, in the order of its `metadata.jsonl`.

    Args:
        path: the folder.
        limit: the most pages to take, from the first; all by default.
        lines_required: whether a record without `lines` is an error; training needs them, testing does not.

    Raises:
        ValueError: for anything missing, broken or unreadable, naming `metadata.jsonl` and the line in it.
    """
    if not path.is_dir():
        raise ValueError(f"data folder {path} does not exist; give one with images and {METADATA}")
    metadata = path / METADATA
    if not metadata.is_file():
        raise ValueError(
            f"data folder {path} has no {METADATA}; write one line per image, as `python -m tfic synth` does"
        )
    pages: list[Page] = []
    names: set[str] = set()
    with metadata.open("rb") as file:
        for number, row in enumerate(file, start=1):
            if limit is not None and len(pages) == limit:
                break
            if not row.strip():
                continue
            try:
                page = _page(path, row, lines_required)
                if page.name in names:
                    raise ValueError(f"file_name {page.name!r} is listed a second time")
            except ValueError as error:
                raise ValueError(f"{metadata}:{number}: {error}") from error
            names.add(page.name)
            pages.append(page)
    if not pages:
        raise ValueError(f"{metadata} lists no image; write one line per image, as `python -m tfic synth` does")
    return pages


def _page(folder: Path, row: bytes, lines_required: bool) -> Page:
    """The page of one line of `metadata.jsonl`; ValueError says what is wrong with it."""
    try:
        record = json.loads(row)
    except ValueError as error:  # broken JSON, or bytes that are no UTF-8
        raise ValueError(f"no valid JSON ({error}); each line must be one JSON object") from error
    if not isinstance(record, dict):
        raise ValueError(f"a JSON {type(record).__name__}; each line must be one JSON object")
    name, text = _string(record, "file_name"), _string(record, "text")
    inside = PurePosixPath(name)
    if not inside.parts or inside.is_absolute() or ".." in inside.parts:
        raise ValueError(f"file_name is {name!r}; it must be the path of an image inside the folder")
    image = _image(folder / name)
    if "lines" not in record:
        if lines_required:
            raise ValueError(f"{name} has no 'lines'; training needs the text and the quad of every line")
        return Page(name, image, (), stated_text=text)
    listed = record["lines"]
    if not isinstance(listed, list) or (lines_required and not listed):
        raise ValueError(f"lines is {listed!r}; it must be a list of at least one {{'text', 'quad'}}")
    return Page(name, image, tuple(_line(each, image.shape[1], image.shape[0]) for each in listed))


def _string(record: dict[str, Any], key: str) -> str:
    if key not in record:
        raise ValueError(f"key {key!r} is missing; each line needs 'file_name', 'text' and 'lines'")
    if not isinstance(record[key], str):
        raise ValueError(f"{key} is {record[key]!r}; it must be a string")
    return str(record[key])


def _image(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB of an image of any kind (`tfic.images`)."""
    if not path.is_file():
        raise ValueError(f"image {path} does not exist")
    return images.pixels(images.open_image(path))


def _line(listed: Any, width_px: int, height_px: int) -> Line:
    if not isinstance(listed, dict) or not isinstance(listed.get("text"), str) or "quad" not in listed:
        raise ValueError(f"{listed!r} in lines; it must be an object with 'text' and 'quad'")
    if not listed["text"].strip():
        raise ValueError("a line with an empty text; leave it out")
    return Line(listed["text"], _quad(listed["quad"], width_px, height_px))


def _quad(listed: Any, width_px: int, height_px: int) -> Quad:
    """Four finite corners of a convex quadrilateral inside the image, clockwise as seen."""
    pairs = listed if isinstance(listed, list) and len(listed) == 4 else []
    if not pairs or not all(isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair)) for pair in pairs):
        raise ValueError(f"quad is {listed!r}; it must be four [x, y] pairs of numbers")
    a, b, c, d = quad = quad_of(pairs)
    for x, y in quad:
        if not (-_OUTSIDE_PX <= x <= width_px + _OUTSIDE_PX and -_OUTSIDE_PX <= y <= height_px + _OUTSIDE_PX):
            raise ValueError(f"corner [{x}, {y}] of a quad lies outside of the {width_px}x{height_px} image")
    for (px, py), (qx, qy), (rx, ry) in ((a, b, c), (b, c, d), (c, d, a), (d, a, b)):
        if (qx - px) * (ry - qy) - (qy - py) * (rx - qx) <= 0:
            raise ValueError(
                f"quad is {listed!r}; its corners must go clockwise around an area, from the text's top left"
            )
    return quad


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
