"""Codecs on pages that nobody drew here: rate, and what two readers make of them.

    python scripts/debian_pages.py pages
    python benchmarks/real_pages.py pages/110 measured --pages 20 --coders uncompressed zoo/lite-vbr@50 avif@25 jpeg@20

A coder is `uncompressed`, a model, a `lite-vbr` at a quality, or a classical codec at a quality. Pages are evenly
spread over the folder. The row of each page and coder is kept in `measured/CODER/PAGE.csv`, so that a call that was
stopped, or that has run for `--minutes`, goes on. Figures are means over the pages that all coders have by then, with
bootstrap intervals of 95 %.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from coders import coder_of

from analysis import stats
from tfic.data import read_folder
from tfic.measuring.evaluate import evaluate
from tfic.measuring.row import MEASURES, Row, picture_name, read_rows, write_rows
from tfic.ocr.page import PPOCRPageReader
from tfic.ocr.tesseract import TesseractPageReader

SHOWN = ("bpp", "bpp_payload", "accuracy", "accuracy_lines", "accuracy_heldout", "psnr_db", "encode_ms")


def main() -> None:
    """Measure what is not measured yet, and print a table."""
    described = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    described.add_argument("folder", type=Path)
    described.add_argument("out", type=Path)
    described.add_argument("--pages", type=int, default=20)
    described.add_argument("--coders", nargs="+", default=["uncompressed", "zoo/lite-vbr@50", "jpeg@20", "avif@25"])
    described.add_argument("--minutes", type=float, default=1e9)
    args = described.parse_args()
    every = read_folder(args.folder, lines_required=False)
    pages = [every[(2 * i + 1) * len(every) // (2 * args.pages)] for i in range(args.pages)]
    began, coders = time.monotonic(), {name: coder_of(name) for name in args.coders}
    reader, heldout = PPOCRPageReader(threads=1), TesseractPageReader()
    rows: dict[str, list[Row]] = {name: [] for name in coders}
    for page in pages:
        for name, coder in coders.items():
            file = args.out / name.replace("/", "-") / f"{picture_name(page.name)}.csv"
            if not file.is_file() and time.monotonic() - began < 60 * args.minutes:
                write_rows(evaluate(coder, [page], reader, heldout), file)
            rows[name] += read_rows(file) if file.is_file() else []
    print(table(rows, args.folder))


def table(rows: dict[str, list[Row]], folder: Path) -> str:
    """The means of each coder over the pages that all have."""
    shared = set.intersection(*({row.image for row in each} for each in rows.values()))
    if not shared:
        return "no page is measured with all coders yet; call again"
    lines = [
        f"{len(shared)} pages of {folder}",
        f"| coder | {' | '.join(MEASURES[name].label for name in SHOWN)} |",
        f"| --- |{' --- |' * len(SHOWN)}",
    ]
    for name, own in rows.items():
        values = [np.array([getattr(row, measure) for row in own if row.image in shared]) for measure in SHOWN]
        shown = [stats.show(stats.mean(each)) if np.isfinite(each).any() else "-" for each in values]
        lines.append(f"| {name} | {' | '.join(shown)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
