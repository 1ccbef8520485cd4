"""The images a codec is trained and tested on: drawn sets, and folders in the form of Hugging Face's ImageFolder.

A folder holds images and `metadata.jsonl`, one JSON object per image:
`{"file_name": "a.png", "text": "...", "lines": [{"text": "...", "quad": [[x, y], [x, y], [x, y], [x, y]]}]}`
with quads in pixels, clockwise from the top left of the text. For testing alone, `lines` may be missing.
"""

import functools
import io
import json
import os
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from tfic.config import DataConfig
from tfic.pages import images
from tfic.pages.contents import Contents
from tfic.pages.labels import DO_NOT_CARE, METADATA, Label, check_inside, labels
from tfic.pages.lines import Page, StoredPage
from tfic.synth import backgrounds, typefaces
from tfic.synth.drawn import SetSpec, drawn_set
from tfic.system.files import write_whole

PIXEL_CACHE_BYTES = 512 << 20
"""Memory for the images of a folder that were read last: twenty A4 pages at 300 dpi."""


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
    size_px = data.height_px, data.width_px
    return drawn_set(SetSpec(data.seed, split, count, *size_px, fonts, photographs, data.document_share))


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
        picture = io.BytesIO()
        Image.fromarray(page.image).save(picture, "PNG")
        write_whole(out / name, picture.getvalue())
        lines = [{"text": line.text, "quad": line.quad} for line in page.lines]
        lines += [{"text": DO_NOT_CARE, "quad": quad} for quad in page.ignored]
        record: dict[str, Any] = {"file_name": name, "text": page.text}
        records[name] = json.dumps(record if page.stated_text is not None else {**record, "lines": lines})
    write_whole(out / METADATA, "".join(record + "\n" for record in records.values()).encode())
    return len(records)


def read_folder(path: Path, limit: int | None = None, lines_required: bool = True) -> list[Page]:
    """The pages of a folder, in the order of its `metadata.jsonl`; their images are read when they are asked for.

    Every image is looked at once, and again when it has changed (`tfic.pages.contents`). The last few that were read,
    up to `PIXEL_CACHE_BYTES`, are kept in memory.

    Args:
        path: the folder.
        limit: the most pages to take, from the first; all by default.
        lines_required: True to refuse a record without `lines`; training needs them, testing does not.

    Raises:
        ValueError: for anything missing, broken or unreadable, naming `metadata.jsonl` and the line in it.
    """
    contents, pixels = Contents(path), _Pixels(path, PIXEL_CACHE_BYTES)

    def page(numbered: tuple[int, Label]) -> Page:
        number, label = numbered
        try:
            if not (path / label.name).is_file():
                raise ValueError(f"image {path / label.name} does not exist")
            size = contents.size_px(label.name)
            check_inside(label, *size)
        except (ValueError, OSError) as error:
            raise ValueError(f"{path / METADATA}:{number}: {error}") from error
        read = functools.partial(pixels.read, label.name, size)
        stated = label.text if label.lines is None else None
        return StoredPage(label.name, size, read, label.lines or (), stated, label.ignored)

    with ThreadPoolExecutor(min(8, len(os.sched_getaffinity(0)))) as threads:
        try:
            return list(threads.map(page, labels(path, limit, lines_required)))
        finally:
            threads.shutdown(cancel_futures=True)
            contents.keep()


class _Pixels:
    """The pixels of a folder's images, the last few of them in memory."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most_bytes = folder, most_bytes
        self._kept: OrderedDict[str, np.ndarray] = OrderedDict()

    def read(self, name: str, size_px: tuple[int, int]) -> np.ndarray:
        """(H, W, 3) uint8 RGB of an image of that size, not to be written to.

        Raises:
            ValueError: when it cannot be read any more, or has another size now.
        """
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        pixels = images.pixels(images.open_image(self._folder / name))
        if pixels.shape[:2] != size_px:
            raise ValueError(
                f"image {self._folder / name} was {size_px[1]} x {size_px[0]} pixels and has changed; run it again"
            )
        pixels.setflags(write=False)
        self._kept[name] = pixels
        while len(self._kept) > 1 and sum(each.nbytes for each in self._kept.values()) > self._most_bytes:
            self._kept.popitem(last=False)
        return pixels
