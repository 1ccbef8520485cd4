"""Words of the scene-text world: an LMDB of images of single words (`tfic-sweep[import]`).

Its keys are `num-samples`, `image-000000001` and `label-000000001`, counted from 1, as the benchmarks of scene-text
recognition have them.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tfic.importing.candidate import Candidate, Skipped, rectangle
from tfic.pages import images
from tfic.pages.labels import DO_NOT_CARE
from tfic.pages.lines import Line, Page, normalise

FILE = "data.mdb"
"""Name of the file in the folder of an LMDB."""


def pages(folder: Path) -> Iterator[Candidate]:
    """Each word of the set as a page of one line.

    Raises:
        ValueError: for a folder that is no such set, or a broken one.
        ModuleNotFoundError: without lmdb.
    """
    import lmdb

    try:
        with lmdb.open(str(folder), readonly=True, lock=False, readahead=False) as opened, opened.begin() as reading:
            count = reading.get(b"num-samples")
            if count is None or not count.isdigit() or int(count) < 1:
                raise ValueError(f"{folder} has no num-samples of at least 1; it must be a set of scene text")
            for number in range(1, int(count) + 1):
                yield Candidate(f"{number:09d}.png", partial(_page, reading, folder, number))
    except lmdb.Error as error:
        raise ValueError(f"{folder} cannot be read as an LMDB ({error}); copy it anew") from error


def _page(reading: Any, folder: Path, number: int) -> Page | Skipped:
    key = f"{number:09d}"
    label, data = reading.get(f"label-{key}".encode()), reading.get(f"image-{key}".encode())
    if label is None or data is None:
        raise ValueError(f"{folder} has no {'label' if label is None else 'image'}-{key}, and counts that many")
    try:
        text = normalise(label.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"{folder}: label-{key} is not UTF-8 ({error}); make the set anew with UTF-8") from error
    if text in ("", DO_NOT_CARE):
        return Skipped("words that are not to be read")
    pixels = images.pixels(images.read_image(data, f"{folder}: image-{key}"))
    height, width = pixels.shape[:2]
    return Page(key, pixels, (Line(text, rectangle(0, 0, width, height)),))
