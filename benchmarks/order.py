"""The accuracy of codecs by version 1 of measuring, in which the order of lines cost something, and by today's.

python benchmarks/order.py --pages 32 --codecs jpeg@10 webp@10 avif@30 zoo/lite-cpu-0.003
"""

import argparse

import numpy as np
from coders import coder_of
from PIL import Image

from tfic.measuring import metrics
from tfic.measuring.scoring import score
from tfic.ocr.page import PPOCRPageReader
from tfic.ocr.tesseract import TesseractPageReader
from tfic.pages.lines import Line, counted, normalise
from tfic.synth import draw


def first_order(lines: list[Line]) -> str:
    """The text of lines in the order of version 1: rows of upright boxes, whatever the angle of the text."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda each: (each.middle, each.left)):
        first = rows[-1][0] if rows else line
        shared = min(first.bottom, line.bottom) - max(first.top, line.top)
        if rows and shared >= 0.5 * min(first.bottom - first.top, line.bottom - line.top):
            rows[-1].append(line)
        else:
            rows.append([line])
    return normalise("\n".join(line.text for row in rows for line in sorted(row, key=lambda each: each.left)))


def main() -> None:
    """Print mean accuracy before and after, and the pages that changed, of each codec and reader."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=32)
    parser.add_argument("--codecs", nargs="+", default=["jpeg@10", "webp@10", "avif@30", "zoo/lite-cpu-0.003"])
    args = parser.parse_args()
    readers = (PPOCRPageReader(256), TesseractPageReader())
    pages = [draw(0, "test", i) for i in range(args.pages)]
    print("| codec | reader | version 1 | now | pages that changed | largest change |")
    print("| --- " * 6 + "|")
    for name in args.codecs:
        codec = coder_of(name)
        images = [np.asarray(codec.decode(codec.encode(Image.fromarray(page.image)))) for page in pages]
        for reader in readers:
            values = []
            for page, image in zip(pages, images, strict=True):
                found = reader.read(image)
                before = metrics.accuracy(first_order(list(page.lines)), first_order(counted(found, page.ignored)))
                values.append((before, score(page, found).accuracy))
            before, after = np.array(values).T
            change = after - before
            print(
                f"| {name} | {reader.name} | {before.mean():.3f} | {after.mean():.3f} | "
                f"{np.count_nonzero(np.abs(change) > 1e-9)} | {change[np.abs(change).argmax()]:+.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
