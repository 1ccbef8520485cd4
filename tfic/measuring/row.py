"""The schema of a measurement: one row per test image, its file rows.csv, and the means that become MLflow's metrics.

A number of `Row` that is declared with a `Measure` is a column of rows.csv, a metric of the run in MLflow, and a column
of the report's table of points. Nothing else lists the measures. Needs neither torch nor an image library.
"""

import csv
import hashlib
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, get_type_hints

from tfic.config import MEASURING_VERSION
from tfic.system.files import write_whole

Direction = Literal["minimize", "maximize"]
ROWS_FILE = "rows.csv"
"""Name of the file of a measurement with a row for each image."""
PICTURES = "pictures"
"""Name of the folder of a measurement with reconstructions."""
COMPARISON_FILE = "comparison.png"
"""Name of the picture of a measurement with originals above reconstructions."""


@dataclass(frozen=True)
class Measure:
    """A measured number as people see it."""

    label: str
    """Short name, for the head of a column."""
    direction: Direction
    """The better side: fewer bits, more accuracy."""
    digits: int = 3
    """Digits shown after the point."""
    unit: str = ""
    """Unit of the number; "" for none."""
    name: str = ""
    """Full name, for the axis of a figure; "" where the label is the full name."""
    short: str = ""
    """Head of a column in a table of several readers; "" where that is the label."""

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is better."""
        return 1 if self.direction == "maximize" else -1

    @property
    def head(self) -> str:
        """Label and unit, as the head of a column."""
        return f"{self.label} {self.unit}".strip()

    @property
    def short_head(self) -> str:
        """Head of a column in a table of several readers."""
        return self.short or self.label

    @property
    def axis(self) -> str:
        """Full name and unit, as the title of an axis."""
        return (self.name or self.label) + (f" in {self.unit}" if self.unit else "")

    def show(self, value: float) -> str:
        """A value as text, with its unit."""
        return f"{value:.{self.digits}f} {self.unit}".strip()


@dataclass(frozen=True)
class Row:
    """One test image through one codec: its bits, its quality and its times."""

    image: str
    """Name of the test image."""
    width_px: int
    """Width of the image."""
    height_px: int
    """Height of the image."""
    file_bytes: int
    """Bytes of the whole file."""
    bpp: Annotated[float, Measure("bpp", "minimize", name="bits per pixel, whole file")]
    """8 * file_bytes / pixels."""
    bpp_payload: Annotated[float, Measure("payload bpp", "minimize", name="bits per pixel without container")]
    """8 * (file_bytes - overhead) / pixels: classical overhead is the same codec's blank image, ours the header."""
    bpp_estimated: Annotated[float, Measure("estim. bpp", "minimize", name="estimated bits per pixel")]
    """Bits per pixel by the codec's likelihoods; nan for classical codecs. Never mixed with the others."""
    psnr_db: Annotated[float, Measure("PSNR", "maximize", 2, "dB", short="PSNR, dB")]
    """PSNR of the whole image; inf when nothing was lost."""
    psnr_text_db: Annotated[float, Measure("text PSNR", "maximize", 2, "dB", name="PSNR inside text")]
    """PSNR inside the lines of text; nan without lines."""
    psnr_background_db: Annotated[float, Measure("backgr. PSNR", "maximize", 2, "dB", name="PSNR outside text")]
    """PSNR outside the lines of text."""
    ms_ssim: Annotated[float, Measure("MS-SSIM", "maximize")]
    """MS-SSIM; nan for a side below 161 pixels."""
    accuracy: Annotated[float, Measure("accuracy", "maximize", name="reading accuracy", short="page")]
    """Page accuracy of the training reader."""
    accuracy_words: Annotated[float, Measure("accuracy, words", "maximize", name="accuracy in whole words")] = field(
        default=math.nan, kw_only=True
    )
    """Page accuracy of the training reader with the distance in whole words."""
    accuracy_lines: Annotated[
        float, Measure("accuracy, lines", "maximize", name="accuracy of single lines", short="lines")
    ]
    """Mean accuracy over lines read at their true place; nan without lines."""
    accuracy_below_14px: Annotated[
        float, Measure("lines < 14 px", "maximize", name="accuracy of lines below 14 px in height")
    ] = field(default=math.nan, kw_only=True)
    """`accuracy_lines` of the lines whose height is below 14 pixels; nan without such lines, as in the next two."""
    accuracy_14_to_20px: Annotated[
        float, Measure("lines 14-20 px", "maximize", name="accuracy of lines of 14 to 20 px in height")
    ] = field(default=math.nan, kw_only=True)
    """`accuracy_lines` of the lines of 14 pixels and more, but less than 20."""
    accuracy_from_20px: Annotated[
        float, Measure("lines >= 20 px", "maximize", name="accuracy of lines of 20 px in height and more")
    ] = field(default=math.nan, kw_only=True)
    """`accuracy_lines` of the lines of 20 pixels and more."""
    cer: Annotated[float, Measure("CER", "minimize", name="character error rate")]
    """Character error rate of the page."""
    accuracy_heldout: Annotated[
        float, Measure("accuracy, held-out", "maximize", name="accuracy, held-out reader", short="Tesseract")
    ]
    """Page accuracy of the held-out reader; nan without one."""
    accuracy_easyocr: Annotated[float, Measure("EasyOCR", "maximize", name="accuracy, EasyOCR")] = field(
        default=math.nan, kw_only=True
    )
    """Page accuracy of EasyOCR; nan where it does not read, as in the next four."""
    accuracy_ppocrv4: Annotated[float, Measure("PP-OCRv4", "maximize", name="accuracy, PP-OCRv4")] = field(
        default=math.nan, kw_only=True
    )
    """Page accuracy of PP-OCRv4."""
    accuracy_ppocrv3: Annotated[float, Measure("PP-OCRv3", "maximize", name="accuracy, PP-OCRv3")] = field(
        default=math.nan, kw_only=True
    )
    """Page accuracy of PP-OCRv3."""
    accuracy_legere: Annotated[float, Measure("legere", "maximize", name="accuracy, legere")] = field(
        default=math.nan, kw_only=True
    )
    """Page accuracy of legere."""
    accuracy_gocr: Annotated[float, Measure("GOCR", "maximize", name="accuracy, GOCR")] = field(
        default=math.nan, kw_only=True
    )
    """Page accuracy of GOCR."""
    detection_f1: Annotated[float, Measure("detection F1", "maximize", name="F1 score of detection")] = field(
        default=math.nan, kw_only=True
    )
    """F1 score of the lines that the detector finds (`tfic.measuring.detection`); nan where it is not asked for."""
    detection_f1_ppocrv4: Annotated[
        float, Measure("detection F1, PP-OCRv4", "maximize", name="F1 score of detection, PP-OCRv4")
    ] = field(default=math.nan, kw_only=True)
    """The same of PP-OCRv4's detector, which nothing is trained against; nan where that reader does not read."""
    encode_ms: Annotated[float, Measure("encode", "minimize", 0, "ms", name="encoding time")]
    """Wall time from pixels to file bytes."""
    decode_ms: Annotated[float, Measure("decode", "minimize", 0, "ms", name="decoding time")]
    """Wall time from file bytes to pixels."""
    read_ms: Annotated[float, Measure("read", "minimize", 0, "ms", name="reading time")]
    """Wall time in which the training reader finds and reads the page."""
    truth: str
    """The page's text."""
    text: str
    """The text as the training reader read it."""
    missing: str = ""
    """Why measures are missing, where this image is one that the coder or a reader cannot take."""
    order: str = field(default="", kw_only=True)
    """The way in which the lines of `text` were put in order (`tfic.measuring.scoring`); "" where none were read."""
    measuring_version: int = field(default=MEASURING_VERSION, kw_only=True)
    """`tfic.config.MEASURING_VERSION` of the program that measured."""


MEASURES: Mapping[str, Measure] = {
    name: each.__metadata__[0]
    for name, each in get_type_hints(Row, include_extras=True).items()
    if hasattr(each, "__metadata__")
}
"""The measures of a row by name, in the order in which they are shown."""
TEXTS: tuple[str, ...] = tuple(each.name for each in fields(Row) if each.type is str)
"""The columns of a row that are text; all others are numbers."""
BANDS_PX: Mapping[str, tuple[float, float]] = {
    "accuracy_below_14px": (0, 14),
    "accuracy_14_to_20px": (14, 20),
    "accuracy_from_20px": (20, math.inf),
}
"""Least height of the lines of a measure, and the height that they stay below, in pixels."""
OBJECTIVES = ("bpp", "accuracy", "psnr_db")
"""The measures that codecs trade off against each other."""


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Mean of every measure over the images, where at least one value is finite and over those that are."""
    result = {}
    for name in MEASURES:
        finite = [value for row in rows if math.isfinite(value := getattr(row, name))]
        if finite:
            result[name] = sum(finite) / len(finite)
    return result


def picture_name(image: str) -> str:
    """Name of the picture of a test image: short, safe in any file system, and another one for each image."""
    path = PurePosixPath(image)
    if path.suffix == ".png" and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", image):
        return image
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", path.stem).lstrip(".")[:60]
    return f"{stem}-{hashlib.sha256(image.encode()).hexdigest()[:10]}.png"


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Rows as CSV with a header line; the file appears whole or not at all."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [each.name for each in fields(Row)])
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    write_whole(path, text.getvalue().encode())


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
        for line in lines:
            line.setdefault("measuring_version", "1")
        optional = {each.name for each in fields(Row) if each.default is not MISSING}
        return [
            Row(**{name: of(line[name]) for name, of in types.items() if name in line or name not in optional})
            for line in lines
        ]
    except (KeyError, ValueError, csv.Error) as error:
        reason = f"no column {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} is damaged or was written by another version: {reason}; measure again") from error
