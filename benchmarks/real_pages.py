"""Codecs on pages that nobody drew here: rate, and what two readers make of them.

    python scripts/debian_pages.py pages
    python benchmarks/real_pages.py pages/110 measured --pages 20 --coders uncompressed zoo/lite-vbr@50 avif@25 jpeg@20

A coder is `uncompressed`, a model, a `lite-vbr` at a quality, or a classical codec at a quality. The rows of each are
written to `measured/NAME.csv` when they are measured; a coder that has them is not measured again. Pages are evenly
spread over the folder. Figures are means over the pages with bootstrap intervals of 95 %.
"""

import argparse
from pathlib import Path

import numpy as np

import tfic
from analysis import stats
from tfic.classical import QUALITIES, classical, uncompressed
from tfic.data import read_folder
from tfic.evaluate import Coder, evaluate
from tfic.ocr.page import PPOCRPageReader
from tfic.ocr.tesseract import TesseractPageReader
from tfic.row import MEASURES, read_rows, write_rows

SHOWN = ("bpp", "bpp_payload", "accuracy", "accuracy_lines", "accuracy_heldout", "psnr_db", "encode_ms")


def coder_of(name: str) -> Coder:
    """A coder by its name on the command line."""
    codec, _, quality = name.partition("@")
    if name == "uncompressed":
        return uncompressed()
    if codec in QUALITIES:
        return classical(codec, int(quality))
    found = tfic.load(codec)
    return found.at(float(quality)) if quality else found


def main() -> None:
    """Measure what is not measured yet, and print a table."""
    described = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    described.add_argument("folder", type=Path)
    described.add_argument("out", type=Path)
    described.add_argument("--pages", type=int, default=20)
    described.add_argument("--coders", nargs="+", default=["uncompressed", "zoo/lite-vbr@50", "jpeg@20", "avif@25"])
    args = described.parse_args()
    every = read_folder(args.folder, lines_required=False)
    pages = [every[(2 * i + 1) * len(every) // (2 * args.pages)] for i in range(args.pages)]
    reader, heldout = PPOCRPageReader(), TesseractPageReader()
    print(f"{len(pages)} of {len(every)} pages of {args.folder}")
    print(
        f"| coder | {' | '.join(MEASURES[name].label for name in SHOWN)} |\n| --- |{' --- |' * len(SHOWN)}", flush=True
    )
    for name in args.coders:
        file = args.out / f"{name.replace('/', '-')}.csv"
        if not file.is_file():
            write_rows(evaluate(coder_of(name), pages, reader, heldout), file)
        rows = read_rows(file)
        assert [row.image for row in rows] == [page.name for page in pages], f"{file} is of other pages; remove it"
        values = [np.array([getattr(row, measure) for row in rows]) for measure in SHOWN]
        shown = [stats.show(stats.mean(each)) if np.isfinite(each).any() else "-" for each in values]
        print(f"| {name} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
