"""A process that draws its share of a set: `python -m tfic.synth.worker`, a job on stdin, a row per image on stdout.

A process of its own rather than `multiprocessing`: a fork of a program that has torch's threads can hang, a spawn
imports that program's main module with torch again, and daemonic workers may do neither.
"""

import json
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2

from tfic.pages.lines import Page
from tfic.synth.page import draw
from tfic.synth.typefaces import Face


def main() -> int:
    """Draw the images of the job on stdin; a user's mistake comes back as {"error": sentence} and exit code 2."""
    job = json.load(sys.stdin)
    cv2.setNumThreads(1)  # there is a process per core
    try:
        for row in rows(job):
            print(json.dumps(row), flush=True)
    except ValueError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 2
    return 0


def rows(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Draw images `start`, `start + step`, ... below `count` into the file `array`, and yield a row for each.

    A row is {"index", "crc": CRC-32 of the pixels, "lines": [{"text", "quad"}]}.
    """
    with Path(job["array"]).open("r+b") as file:
        for index in range(job["start"], job["count"], job["step"]):
            page = page_of(job, index)
            pixels = page.image.tobytes()
            file.seek(job["offset"] + index * len(pixels))
            file.write(pixels)
            lines = [{"text": line.text, "quad": line.quad} for line in page.lines]
            yield {"index": index, "crc": zlib.crc32(pixels), "lines": lines}


def page_of(job: dict[str, Any], index: int) -> Page:
    """Image `index` of the job's set."""
    fonts = job["fonts"] and [Face(family, Path(path)) for family, path in job["fonts"]]
    photographs = job["photographs"] and [Path(path) for path in job["photographs"]]
    size_px = job["height_px"], job["width_px"]
    return draw(job["seed"], job["split"], index, *size_px, fonts, photographs, job["document_share"])


if __name__ == "__main__":
    sys.exit(main())
