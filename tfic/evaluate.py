"""Measuring a codec on real bytes: one row per image, the same for learned, classical and no compression."""

import csv
import io
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Protocol, TypeVar, get_type_hints

import cv2
import numpy as np
from PIL import Image

from tfic import metrics
from tfic.config import Config
from tfic.data import test_pages
from tfic.lines import Page, page_text
from tfic.ocr.page import PPOCRPageReader
from tfic.ocr.reader import LineRecogniser, PageReader
from tfic.ocr.tesseract import TesseractPageReader, tesseract_is_installed

T = TypeVar("T")


class Coder(Protocol):
    """Anything that turns images into bytes and back."""

    def encode(self, image: Image.Image) -> bytes:
        """An image of mode RGB as the bytes of a file."""

    def decode(self, data: bytes) -> Image.Image:
        """The image of a file, of mode RGB."""

    def estimated_bits(self, image: Image.Image) -> float:
        """Bits that the codec's own likelihoods promise; nan where it has none."""

    def overhead_bytes(self, image: Image.Image) -> int:
        """Bytes of the file that any image of this size costs."""


class TrainingReader(PageReader, LineRecogniser, Protocol):
    """The reader that codecs are trained against: reads pages, and lines whose place is known."""


@dataclass(frozen=True)
class Row:
    """What one image cost and what was left of it."""

    image: str
    """Name of the test image."""
    width_px: int
    """Width of the image."""
    height_px: int
    """Height of the image."""
    file_bytes: int
    """Bytes of the whole file."""
    bpp: float
    """8 * file_bytes / pixels."""
    bpp_payload: float
    """8 * (file_bytes - overhead) / pixels: classical overhead is the same codec's blank image, ours the header."""
    bpp_estimated: float
    """What the likelihoods promise; nan for classical codecs. Never mixed with the others."""
    psnr_db: float
    """PSNR of the whole image; inf when nothing was lost."""
    psnr_text_db: float
    """PSNR inside the lines of text; nan without lines."""
    psnr_background_db: float
    """PSNR outside the lines of text."""
    ms_ssim: float
    """MS-SSIM; nan for a side below 161 pixels."""
    accuracy: float
    """Page accuracy of the training reader."""
    accuracy_lines: float
    """Mean accuracy over lines read at their true place; nan without lines."""
    cer: float
    """Character error rate of the page."""
    accuracy_heldout: float
    """Page accuracy of the held-out reader; nan without one."""
    encode_ms: float
    """Wall time from pixels to file bytes."""
    decode_ms: float
    """Wall time from file bytes to pixels."""
    read_ms: float
    """Wall time in which the training reader finds and reads the page."""
    truth: str
    """The page's text."""
    text: str
    """The text as the training reader read it."""


MEASURES = tuple(each.name for each in fields(Row) if each.type is float)
"""The columns of a row that are measures, and so the metrics of a codec."""


def evaluate(
    coder: Coder,
    pages: Sequence[Page],
    reader: TrainingReader,
    heldout: PageReader | None = None,
    on_row: Callable[[Row, np.ndarray], None] | None = None,
) -> list[Row]:
    """Encode, decode and read every page.

    Args:
        coder: what is measured.
        pages: the test set.
        reader: the reader that codecs are trained against.
        heldout: a reader that none is trained against.
        on_row: called with each row and its reconstruction as soon as they are known.

    Raises:
        ValueError: for an empty test set, or a coder that changes the size of an image.
    """
    if not pages:
        raise ValueError("there are no test images to measure on")
    rows = []
    for page in pages:
        row, x_hat = _measure_page(coder, page, reader, heldout)
        rows.append(row)
        if on_row:
            on_row(row, x_hat)
    return rows


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Mean of every measure over the images, where at least one value is finite and over those that are."""
    result = {}
    for name in MEASURES:
        finite = [value for row in rows if math.isfinite(value := getattr(row, name))]
        if finite:
            result[name] = sum(finite) / len(finite)
    return result


def measure(coder: Coder, config: Config, out: Path) -> dict[str, float]:
    """Measure a coder as `config.eval` says, on the test set of `config.data`, and leave the evidence in `out`.

    Writes `rows.csv`, `pictures/NAME.png` (the first reconstructions) and `comparison.png` (originals above
    reconstructions); returns the means.
    """
    reader = PPOCRPageReader(config.eval.detect_side_px, config.train.threads)
    heldout = TesseractPageReader() if config.eval.heldout and tesseract_is_installed() else None
    pages = test_pages(config.data)
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    reconstructions: list[np.ndarray] = []

    def keep(row: Row, x_hat: np.ndarray) -> None:
        if len(reconstructions) < config.eval.pictures:
            reconstructions.append(x_hat)
            Image.fromarray(x_hat).save(out / "pictures" / f"{Path(row.image).stem}.png")

    coder.encode(
        Image.fromarray(pages[0].image)
    )  # the first call pays for lazy tables and memory; it is not what a user waits for
    rows = evaluate(coder, pages, reader, heldout, keep)
    _comparison([page.image for page in pages[: len(reconstructions)]], reconstructions, out / "comparison.png")
    write_rows(rows, out / "rows.csv")  # last: who finds it finds everything
    return means(rows)


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Rows as CSV with a header line; the file appears whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [each.name for each in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    partial.replace(path)


def read_rows(path: Path) -> list[Row]:
    """The rows that `write_rows` wrote.

    Raises:
        ValueError: when the file is not of that form, or was cut short.
    """
    types = get_type_hints(Row)
    try:
        text = path.read_bytes().decode()
        lines = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        if not text.endswith("\n") or any(None in line.values() for line in lines):
            raise ValueError("it was cut short")
        return [Row(**{name: convert(line[name]) for name, convert in types.items()}) for line in lines]
    except (KeyError, ValueError, csv.Error) as error:
        reason = f"no column {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} is damaged or was written by another version: {reason}; measure again") from error


def _measure_page(
    coder: Coder, page: Page, reader: TrainingReader, heldout: PageReader | None
) -> tuple[Row, np.ndarray]:
    x, image = page.image, Image.fromarray(page.image)
    data, encode_ms = _timed(lambda: coder.encode(image))
    decoded, decode_ms = _timed(lambda: coder.decode(data))
    x_hat = np.asarray(decoded)
    if x_hat.shape != x.shape:
        raise ValueError(f"{page.name}: an image of shape {x.shape} came back as {x_hat.shape}")
    found, read_ms = _timed(lambda: reader.read(x_hat))
    text = page_text(found)
    read_lines = reader.read_lines(x_hat, [line.quad for line in page.lines])
    lines = [metrics.accuracy(line.text, read) for line, read in zip(page.lines, read_lines, strict=True)]
    inside = _text_mask(page)
    height, width = x.shape[:2]
    pixels = height * width
    row = Row(
        image=page.name,
        width_px=width,
        height_px=height,
        file_bytes=len(data),
        bpp=8 * len(data) / pixels,
        bpp_payload=8 * (len(data) - coder.overhead_bytes(image)) / pixels,
        bpp_estimated=coder.estimated_bits(image) / pixels,
        psnr_db=metrics.psnr_db(x, x_hat),
        psnr_text_db=metrics.psnr_db(x, x_hat, inside),
        psnr_background_db=metrics.psnr_db(x, x_hat, ~inside),
        ms_ssim=metrics.ms_ssim(x, x_hat),
        accuracy=metrics.accuracy(page.text, text),
        accuracy_lines=sum(lines) / len(lines) if lines else math.nan,
        cer=metrics.cer(page.text, text),
        accuracy_heldout=metrics.accuracy(page.text, page_text(heldout.read(x_hat))) if heldout else math.nan,
        encode_ms=encode_ms,
        decode_ms=decode_ms,
        read_ms=read_ms,
        truth=page.text,
        text=text,
    )
    return row, x_hat


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    """What a call returns, and its wall time in ms."""
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
    """One picture: originals in the upper row, what became of them below."""
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
