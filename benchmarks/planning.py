"""The host's work in a step of stage 2 besides the networks, on the training's thread: planned ahead, and as before.

    python benchmarks/planning.py --steps 10

Settings of `base` (12 crops, 16,000 pixels of text). CPU time of the thread, so that other jobs do not count; before
and after take turns, step by step, and must read as many lines. Before is the order of the work as it was, with
today's widths and margins of lines, which are faster (LOG.md has the figures of then). While a device computes, the
thread sleeps.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from timing import table

from tfic.config import Config
from tfic.data import train_pages
from tfic.ocr.ppocr import HEIGHT_PX, STRIDE_PX
from tfic.ocr.rectify import places, width_at
from tfic.pages.lines import Line, Page
from tfic.recipes import recipe
from tfic.training.ahead import Ahead
from tfic.training.crops import draw_crops
from tfic.training.plans import generator, reading_planner
from tfic.training.reading import SQUEEZE, KnownFormat, legible, line_formats, steps_of

DEVICE_S = 0.15
"""Time of a step on a device."""


def before(
    config: Config, pages: Sequence[Page], reader: KnownFormat, step: int
) -> tuple[dict[str, float], list[tuple[int, Line]]]:
    """Milliseconds of each part of a step's host work as it was, and the lines that were read."""
    width_at.cache_clear()
    train, clock = config.train, [time.thread_time()]
    rng, _ = generator(config, "finetune", step)
    crops = draw_crops(pages, rng, train.finetune_batch, train.crop_height_px, train.crop_width_px, True)
    crops.cut()
    clock.append(time.thread_time())
    candidates = [(b, line) for b, line in crops.lines if legible(reader, line)]
    chosen: list[tuple[int, Line]] = []
    for i in rng.permutation(len(candidates)):
        widest = max(_width(line) for _, line in [*chosen, candidates[i]])
        if chosen and widest * (len(chosen) + 1) > train.read_width_px:
            break
        chosen.append(candidates[i])
    clock.append(time.thread_time())
    width = max(_width(line) for _, line in chosen)
    where = places([line.quad for _, line in chosen], HEIGHT_PX, width, SQUEEZE)
    torch.as_tensor(where.grid(train.crop_height_px, train.crop_width_px), dtype=torch.float32)
    clock.append(time.thread_time())
    parts = [1000 * float(each) for each in np.diff(clock)]
    return dict(zip(("crops", "lines", "grids"), parts, strict=True)), chosen


def _width(line: Line) -> int:
    return steps_of(line, HEIGHT_PX, STRIDE_PX) * STRIDE_PX


def thread_ms(call: Callable[[], object]) -> float:
    """CPU time of this thread in a call."""
    started = time.thread_time()
    call()
    return 1000 * (time.thread_time() - started)


def _start(ahead: Ahead, step: int, device: torch.device) -> None:
    """What is left of a planned step for the training's thread."""
    ahead(step).start(device)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10, help="steps of which medians are taken (10)")
    parser.add_argument("--pages", type=int, default=200, help="training pages (200)")
    args = parser.parse_args()
    config = recipe("base")
    config = replace(config, gamma=1.0, data=replace(config.data, train_count=args.pages))
    pages, (reader,) = train_pages(config.data), line_formats(["ppocrv6-small"])
    plan = reading_planner(config, pages, [reader], on_host=False)
    ahead, device = Ahead(plan, args.steps), torch.device("cpu")
    ahead(0)
    was: list[dict[str, float]] = []
    background, after = [], []
    for step in range(args.steps):
        parts, chosen = before(config, pages, reader, step)
        was.append(parts)
        width_at.cache_clear()  # `before` has asked for the widths of the same lines
        background.append(thread_ms(partial(plan, step)))
        time.sleep(DEVICE_S)
        after.append(thread_ms(partial(_start, ahead, step, device)))
        reading = plan(step).readings[0]
        assert reading is not None
        assert len(reading.targets) == len(chosen)
    rows = [[name, f"{statistics.median(each[name] for each in was):.1f}"] for name in was[0]]
    rows += [
        ["before, on the training's thread", f"{statistics.median(sum(each.values()) for each in was):.1f}"],
        ["after, on the training's thread", f"{statistics.median(after):.1f}"],
        ["after, on the thread that plans", f"{statistics.median(background):.1f}"],
    ]
    print(table(["work of a step", "ms"], rows))


if __name__ == "__main__":
    main()
