"""Measuring a codec on real bytes: one row per image, the same for learned, classical and no compression."""

import io
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Protocol, TypeVar

import cv2
import numpy as np
from PIL import Image

from tfic import metrics
from tfic.config import Config, EvalConfig
from tfic.data import test_pages
from tfic.errors import ImageUnsuitedError
from tfic.files import write_whole
from tfic.lines import Page, counted, page_text
from tfic.ocr.page import PPOCRPageReader
from tfic.ocr.reader import LineRecogniser, PageReader
from tfic.ocr.tesseract import TesseractPageReader
from tfic.row import MEASURES, Row, means, picture_name, write_rows

T = TypeVar("T")


class Coder(Protocol):
    """A codec: images to bytes and back."""

    def encode(self, image: Image.Image) -> bytes:
        """An image of mode RGB as the bytes of a file."""

    def decode(self, data: bytes) -> Image.Image:
        """The image of a file, of mode RGB."""

    def estimated_bits(self, image: Image.Image) -> float:
        """Bits by the codec's own likelihoods; nan where it has none."""

    def overhead_bytes(self, image: Image.Image) -> int:
        """Bytes of the file that any image of this size costs."""


class TrainingReader(PageReader, LineRecogniser, Protocol):
    """The reader that codecs are trained against: reads pages, and lines whose place is known."""


def evaluate(
    coder: Coder,
    pages: Sequence[Page],
    reader: TrainingReader,
    heldout: PageReader | None = None,
    on_row: Callable[[Row, np.ndarray], None] | None = None,
) -> list[Row]:
    """Encode, decode and read every page; what an image does not allow is missing from its row, with the reason.

    Args:
        coder: the codec to measure.
        pages: the test set.
        reader: the reader that codecs are trained against.
        heldout: a reader that none is trained against.
        on_row: called with each row and its reconstruction as soon as they are known.

    Raises:
        ValueError: for an empty test set, a coder that changes the size of an image, or if no image can be measured.
    """
    if not pages:
        raise ValueError("there are no test images to measure on")
    rows = []
    for page in pages:
        row, x_hat = _measure_page(coder, page, reader, heldout)
        rows.append(row)
        if on_row and x_hat is not None:
            on_row(row, x_hat)
    if not any(math.isfinite(row.accuracy) for row in rows):
        raise ImageUnsuitedError(f"none of the {len(rows)} test images can be measured; {rows[0].missing}")
    return rows


def heldout_reader(config: EvalConfig) -> TesseractPageReader | None:
    """The held-out reader that these settings ask for; None for none.

    Raises:
        ReaderMissingError: when it is not installed.
    """
    return TesseractPageReader() if config.heldout else None


def measure(coder: Coder, config: Config, out: Path) -> dict[str, float]:
    """Measure a coder as `config.eval` says, on the test set of `config.data`, and write the results to `out`.

    Writes `rows.csv`, `pictures/NAME.png` (the first reconstructions) and `comparison.png` (originals above
    reconstructions); returns the means.
    """
    reader = PPOCRPageReader(config.eval.detect_side_px, config.train.threads)
    heldout = heldout_reader(config.eval)
    pages = test_pages(config.data)
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    by_name = {page.name: page for page in pages}
    kept: list[tuple[np.ndarray, np.ndarray]] = []

    def keep(row: Row, x_hat: np.ndarray) -> None:
        if len(kept) < config.eval.pictures:
            kept.append((by_name[row.image].image, x_hat))
            picture = io.BytesIO()
            Image.fromarray(x_hat).save(picture, "PNG")
            write_whole(out / "pictures" / picture_name(row.image), picture.getvalue())

    _warm_up(coder, pages)
    rows = evaluate(coder, pages, reader, heldout, keep)
    _comparison([x for x, _ in kept], [x_hat for _, x_hat in kept], out / "comparison.png")
    write_rows(rows, out / "rows.csv")  # last: where it is, everything else is too
    return means(rows)


def _warm_up(coder: Coder, pages: Sequence[Page]) -> None:
    """Encode one page: the first call pays for lazy tables and memory, which is not what a user waits for."""
    for page in pages:
        try:
            coder.encode(Image.fromarray(page.image))
            return
        except ImageUnsuitedError:
            continue


def _measure_page(
    coder: Coder, page: Page, reader: TrainingReader, heldout: PageReader | None
) -> tuple[Row, np.ndarray | None]:
    """The row of a page and its reconstruction, None where there is none."""
    x, image = page.image, Image.fromarray(page.image)
    height, width = x.shape[:2]
    nothing = {each.name: math.nan for each in fields(Row) if each.name in MEASURES and each.default is MISSING}
    row = Row(page.name, width, height, 0, truth=page.text, text="", **nothing)  # type: ignore[arg-type]
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
    row = replace(
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
    return _read_page(row, page, x_hat, reader, heldout), x_hat


def _read_page(row: Row, page: Page, x_hat: np.ndarray, reader: TrainingReader, heldout: PageReader | None) -> Row:
    """The row with the readers' results on a reconstruction."""
    read_lines = reader.read_lines(x_hat, [line.quad for line in page.lines])
    lines = [metrics.accuracy(line.text, read) for line, read in zip(page.lines, read_lines, strict=True)]
    row = replace(row, accuracy_lines=sum(lines) / len(lines) if lines else math.nan)
    try:
        found, read_ms = _timed(lambda: reader.read(x_hat))
        text = page_text(counted(found, page.ignored))
        accuracy, cer = metrics.accuracy(page.text, text), metrics.cer(page.text, text)
        row = replace(row, accuracy=accuracy, cer=cer, read_ms=read_ms, text=text)
        if heldout:
            text = page_text(counted(heldout.read(x_hat), page.ignored))
            row = replace(row, accuracy_heldout=metrics.accuracy(page.text, text))
    except ImageUnsuitedError as error:
        row = replace(row, missing=str(error))
    return row


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


def _comparison(originals: Sequence[np.ndarray], reconstructions: Sequence[np.ndarray], path: Path) -> None:
    """One picture: originals in the upper row, their reconstructions below."""
    gap = 4
    width = sum(image.shape[1] + gap for image in originals) - gap
    height = max(image.shape[0] for image in originals)
    sheet = np.full((2 * height + gap, width, 3), 255, dtype=np.uint8)
    left = 0
    for above, below in zip(originals, reconstructions, strict=True):
        sheet[: above.shape[0], left : left + above.shape[1]] = above
        sheet[height + gap : height + gap + below.shape[0], left : left + below.shape[1]] = below
        left += above.shape[1] + gap
    Image.fromarray(sheet).save(path)
