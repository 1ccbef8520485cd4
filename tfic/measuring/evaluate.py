"""Measuring a codec on real bytes: one row per image, the same for learned, classical and no compression."""

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, fields, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import cv2
import numpy as np
from PIL import Image

from tfic.config import EvalConfig
from tfic.errors import ImageUnsuitedError
from tfic.measuring import metrics
from tfic.measuring.row import BANDS_PX, MEASURES, Row
from tfic.measuring.scoring import score
from tfic.measuring.tasks import Metric
from tfic.ocr.reader import BatchReader, LineRecogniser, PageReader
from tfic.ocr.tesseract import TesseractPageReader
from tfic.pages.lines import Line, Page

T = TypeVar("T")
OnRow = Callable[[Row, np.ndarray, Mapping[str, str]], None]
"""Takes a row, its reconstruction, and the texts that the readers beside the training reader read, by their names."""
NONE_FURTHER: Mapping[str, PageReader] = MappingProxyType({})
"""No further readers."""
NO_TASKS: Mapping[str, Metric] = MappingProxyType({})
"""No machine tasks beside reading."""
BATCH_PX = 2_000_000
"""Pixels of the pages that are held, coded and not yet read, for a reader that takes several at once."""


class Coder(Protocol):
    """A codec: images to bytes and back."""

    def encode(self, image: Image.Image) -> bytes:
        """An image of mode RGB as the bytes of a file."""

    def decode(self, data: bytes) -> Image.Image:
        """The image of a file, of mode RGB."""

    def estimated_bits(self, image: Image.Image) -> float:
        """Bits by the codec's own likelihoods; nan where it has none."""

    def bits_by_block(self, image: Image.Image) -> np.ndarray | None:
        """Those bits by place, (rows, columns) of equal blocks; None where it has none."""

    def overhead_bytes(self, image: Image.Image) -> int:
        """Bytes of the file that any image of this size costs."""


class TrainingReader(PageReader, LineRecogniser, Protocol):
    """The reader that codecs are trained against: reads pages, and lines whose place is known."""


def evaluate(
    coder: Coder,
    pages: Sequence[Page],
    reader: TrainingReader,
    heldout: PageReader | None = None,
    on_row: OnRow | None = None,
    further: Mapping[str, PageReader] = NONE_FURTHER,
    tasks: Mapping[str, Metric] = NO_TASKS,
) -> list[Row]:
    """Encode, decode and read every page; what an image does not allow is missing from its row, with the reason.

    Args:
        coder: the codec to measure.
        pages: the test set.
        reader: the reader that codecs are trained against.
        heldout: a reader that none is trained against.
        on_row: called with each row, its reconstruction and the texts of other readers as soon as they are known.
        further: other readers by name.
        tasks: the metrics of other machine tasks, by the field of `Row`.

    Raises:
        ValueError: for an empty test set, a coder that changes the size of an image, or if no image can be measured.
    """
    if not pages:
        raise ValueError("there are no test images to measure on")
    rows = some_rows(coder, pages, reader, heldout, on_row, further, tasks)
    check_measured(rows)
    return rows


def some_rows(
    coder: Coder,
    pages: Sequence[Page],
    reader: TrainingReader,
    heldout: PageReader | None,
    on_row: OnRow | None,
    further: Mapping[str, PageReader] = NONE_FURTHER,
    tasks: Mapping[str, Metric] = NO_TASKS,
) -> list[Row]:
    """The rows of a part of a test set, as `evaluate` makes them; maybe none of its images can be measured."""
    rows = []
    for batch in _batches(pages):
        coded = [_code_page(coder, page) for page in batch]
        found = _read_ahead(heldout, [x_hat for _, x_hat in coded if x_hat is not None])
        for page, (row, x_hat) in zip(batch, coded, strict=True):
            if x_hat is not None:
                row, texts = _read_page(row, page, x_hat, reader, next(found), further, tasks)
                if on_row:
                    on_row(row, x_hat, texts)
            rows.append(row)
    return rows


def check_measured(rows: Sequence[Row]) -> None:
    """Raise ImageUnsuitedError when no image of a test set could be measured."""
    if not any(math.isfinite(row.accuracy) for row in rows):
        raise ImageUnsuitedError(f"none of the {len(rows)} test images can be measured; {rows[0].missing}")


def heldout_reader(config: EvalConfig) -> TesseractPageReader | None:
    """The held-out reader that these settings ask for; None for none.

    Raises:
        ReaderMissingError: when it is not installed.
    """
    return TesseractPageReader() if config.heldout else None


def warm_up(coder: Coder, pages: Sequence[Page]) -> None:
    """Encode one page: the first call pays for lazy tables and memory, which is not what a user waits for."""
    for page in pages:
        try:
            coder.encode(Image.fromarray(page.image))
            return
        except ImageUnsuitedError:
            continue


def _batches(pages: Sequence[Page]) -> Iterator[list[Page]]:
    """The pages in order, as many at a time as `BATCH_PX` allows, one at least."""
    batch: list[Page] = []
    for page in pages:
        if batch and sum(math.prod(each.size_px) for each in [*batch, page]) > BATCH_PX:
            yield batch
            batch = []
        batch.append(page)
    yield batch


class _ReadAlready:
    """A reader of one image that was read before."""

    def __init__(self, name: str, found: list[Line] | ImageUnsuitedError) -> None:
        self.name, self._found = name, found

    def read(self, image: np.ndarray) -> list[Line]:
        if isinstance(self._found, ImageUnsuitedError):
            raise self._found
        return self._found


def _read_ahead(reader: PageReader | None, images: Sequence[np.ndarray]) -> Iterator[PageReader | None]:
    """For each image a reader of it: itself, or one that has read all of them at once where that is faster."""
    if isinstance(reader, BatchReader) and len(images) > 1:
        return iter([_ReadAlready(reader.name, found) for found in reader.read_several(images)])
    return itertools.repeat(reader, len(images))


def _code_page(coder: Coder, page: Page) -> tuple[Row, np.ndarray | None]:
    """The row of a page before it is read, and its reconstruction, None where there is none."""
    x, image = page.image, Image.fromarray(page.image)
    height, width = x.shape[:2]
    nothing: dict[str, Any] = {
        each.name: math.nan for each in fields(Row) if each.name in MEASURES and each.default is MISSING
    }
    row = Row(page.name, width, height, 0, truth=page.text, text="", **nothing)
    try:
        data, encode_ms = _timed(lambda: coder.encode(image))
    except ImageUnsuitedError as error:
        return replace(row, missing=str(error)), None
    decoded, decode_ms = _timed(lambda: coder.decode(data))
    x_hat = np.asarray(decoded)
    if x_hat.shape != x.shape:
        raise ValueError(f"{page.name}: an image of shape {x.shape} came back as {x_hat.shape}")
    inside = _text_mask(page)
    pixels = height * width
    coded = replace(
        row,
        file_bytes=len(data),
        bpp=8 * len(data) / pixels,
        bpp_payload=8 * (len(data) - coder.overhead_bytes(image)) / pixels,
        bpp_estimated=coder.estimated_bits(image) / pixels,
        psnr_db=metrics.psnr_db(x, x_hat),
        psnr_text_db=metrics.psnr_db(x, x_hat, inside),
        psnr_background_db=metrics.psnr_db(x, x_hat, ~inside),
        ms_ssim=metrics.ms_ssim(x, x_hat),
        encode_ms=encode_ms,
        decode_ms=decode_ms,
    )
    return coded, x_hat


def _read_page(
    row: Row,
    page: Page,
    x_hat: np.ndarray,
    reader: TrainingReader,
    heldout: PageReader | None,
    further: Mapping[str, PageReader],
    tasks: Mapping[str, Metric],
) -> tuple[Row, dict[str, str]]:
    """The row with what models make of a reconstruction, and what the readers beside the training reader read.

    A model that cannot take the image is named in `missing`, and costs no other its result.
    """
    texts: dict[str, str] = {}

    def judged(name: str, field: str, other: PageReader) -> dict[str, Any]:
        found = score(page, other.read(x_hat))
        texts[name] = found.text
        return {field: found.accuracy}

    takes: list[tuple[str, Callable[[], dict[str, Any]]]] = [("", lambda: _page_measures(page, x_hat, reader))]
    if heldout:
        takes.append((heldout.name, partial(judged, "tesseract", "accuracy_heldout", heldout)))
    takes += [(other.name, partial(judged, name, f"accuracy_{name}", other)) for name, other in further.items()]
    takes += [(field, partial(_measured, field, metric, page, x_hat)) for field, metric in tasks.items()]
    row = replace(row, **_line_measures(page, x_hat, reader))
    reasons = []
    for name, take in takes:
        try:
            row = replace(row, **take())
        except ImageUnsuitedError as error:
            reasons.append(f"{name}: {error}" if name else str(error))
    return replace(row, missing="; ".join(reasons)), texts


def _measured(field: str, metric: Metric, page: Page, x_hat: np.ndarray) -> dict[str, Any]:
    return {field: metric(page, x_hat)}


def _page_measures(page: Page, x_hat: np.ndarray, reader: TrainingReader) -> dict[str, Any]:
    """What the training reader finds and reads on a reconstruction, by field of `Row`."""
    found, read_ms = _timed(lambda: reader.read(x_hat))
    return {**asdict(score(page, found)), "read_ms": read_ms}


def _line_measures(page: Page, x_hat: np.ndarray, reader: TrainingReader) -> dict[str, Any]:
    """What the training reader reads in lines at their true place, by field of `Row`."""
    read_lines = reader.read_lines(x_hat, [line.quad for line in page.lines])
    lines = [
        (line.height_px, metrics.accuracy(line.text, read)) for line, read in zip(page.lines, read_lines, strict=True)
    ]
    bands = {
        name: _mean(value for height, value in lines if least <= height < below)
        for name, (least, below) in BANDS_PX.items()
    }
    return {"accuracy_lines": _mean(value for _, value in lines), **bands}


def _mean(values: Iterable[float]) -> float:
    """The mean; nan of none."""
    some = list(values)
    return sum(some) / len(some) if some else math.nan


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    """The result of a call and its wall time in ms."""
    started = time.perf_counter()
    result = call()
    return result, 1000 * (time.perf_counter() - started)


def _text_mask(page: Page) -> np.ndarray:
    """(H, W) bool, true inside the quadrilaterals of the lines."""
    mask = np.zeros(page.image.shape[:2], dtype=np.uint8)
    for line in page.lines:
        cv2.fillConvexPoly(mask, np.round(np.asarray(line.quad)).astype(np.int32), (1,))
    return mask.astype(bool)
