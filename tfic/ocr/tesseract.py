"""Tesseract, the held-out reader: never trained against, so what it gains is text and no pattern for one network."""

import csv
import io
import os
import shutil
import subprocess
from collections import defaultdict

import cv2
import numpy as np
from PIL import Image

from tfic.errors import ImageUnsuitedError
from tfic.lines import Line

ENLARGE = 3
"""Tesseract wants capitals of 20 to 30 pixels; text on our pages is a third of that."""
LARGEST_PX = 32767
"""Longest side of an image that Tesseract reads."""


def tesseract_is_installed() -> bool:
    """Whether the `tesseract` program can be found."""
    return shutil.which("tesseract") is not None


class TesseractPageReader:
    """The `tesseract` program (Debian package tesseract-ocr), English, looking for sparse text."""

    name = "Tesseract"

    def read(self, image: np.ndarray) -> list[Line]:
        """The lines found on an (H, W, 3) uint8 RGB image.

        Raises:
            ImageUnsuitedError: when the program cannot take it, with what it printed.
        """
        scale = min(ENLARGE, LARGEST_PX / max(image.shape[:2]))
        large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        picture = io.BytesIO()
        Image.fromarray(large).save(picture, "ppm")
        ran = subprocess.run(
            ["tesseract", "-", "-", "--psm", "11", "--dpi", "300", "tsv"],
            input=picture.getvalue(),
            capture_output=True,
            env={"OMP_THREAD_LIMIT": "1", "PATH": os.environ.get("PATH", os.defpath)},
            check=False,
        )
        if ran.returncode:
            size = f"{image.shape[1]} x {image.shape[0]} pixels"
            raise ImageUnsuitedError(
                f"tesseract failed with code {ran.returncode} on an image of {size}: "
                + " ".join(ran.stderr.decode(errors="replace").split())
            )
        return _lines(ran.stdout.decode(), scale)


def _lines(tsv: str, scale: float) -> list[Line]:
    """Words of tesseract's table joined to lines, with boxes in pixels of the page as it was before enlarging."""
    words = defaultdict(list)
    for row in csv.DictReader(io.StringIO(tsv), delimiter="\t", quoting=csv.QUOTE_NONE):
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
