"""What measuring costs: page after page as it was, by one process and by two, on the test set of the demo.

    python benchmarks/measuring.py --codecs webp zoo/lite-vbr

Wall time, and CPU time where this process and its programs do all the work; all sides must find the same numbers, times
excepted. On cores that others use too, two processes get more of them than one: then only CPU times can be compared.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from timing import table

import tfic
from tfic.config import Config
from tfic.data import test_pages
from tfic.measuring.classical import QUALITIES, classical
from tfic.measuring.evaluate import Coder, heldout_reader, some_rows, warm_up
from tfic.measuring.in_processes import measure
from tfic.measuring.row import means
from tfic.ocr.page import PPOCRPageReader
from tfic.recipes import recipe


def page_after_page(coder: Coder, config: Config) -> dict[str, float]:
    """The means as they were measured: every page is coded and read before the next one."""
    pages, reader = test_pages(config.data), PPOCRPageReader(config.eval.detect_side_px, config.train.threads)
    heldout = heldout_reader(config.eval)
    warm_up(coder, pages)
    return means([row for page in pages for row in some_rows(coder, [page], reader, heldout, None)])


def timed(call: Callable[[], dict[str, float]]) -> tuple[dict[str, float], float, float]:
    """The means, wall time and CPU time in s."""
    wall, cpu = time.monotonic(), sum(os.times()[:4])
    found = call()
    return found, time.monotonic() - wall, sum(os.times()[:4]) - cpu


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codecs", nargs="+", default=["webp", "zoo/lite-vbr"], help="classical codecs and models")
    parser.add_argument("--pages", type=int, default=32, help="test pages (32)")
    args = parser.parse_args()
    config = recipe("demo")
    config = replace(config, data=replace(config.data, test_count=args.pages))
    rows = []
    for name in args.codecs:
        coder: Coder = classical(name, QUALITIES[name][2]) if name in QUALITIES else tfic.load(name)
        with tempfile.TemporaryDirectory() as folder:
            sides = {
                "page after page": lambda coder=coder: page_after_page(coder, config),
                "one process": lambda coder=coder, folder=folder: measure(coder, config, Path(folder, "1"), 1),
                "two processes": lambda coder=coder, folder=folder: measure(coder, config, Path(folder, "2"), 2),
            }
            results = {side: timed(call) for side, call in sides.items()}
        first, wall, cpu = results["page after page"]
        for side, (found, side_wall, side_cpu) in results.items():
            assert {k: v for k, v in found.items() if k[-3:] != "_ms"} == {
                k: v for k, v in first.items() if k[-3:] != "_ms"
            }, side
            own = ["", ""] if side == "two processes" else [f"{side_cpu:.1f}", f"{side_cpu / cpu:.2f}"]
            rows.append([name, side, f"{side_wall:.1f}", f"{side_wall / wall:.2f}", *own])
    print(table(["codec", "measured", "wall s", "ratio", "CPU s", "ratio"], rows))


if __name__ == "__main__":
    main()
