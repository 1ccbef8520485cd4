"""Codecs at equal training: the same pages, steps and batches, on one thread; their rate, reading and PSNR.

    python benchmarks/equal_training.py RUNS --codecs lite tic-tiny --lmbdas 0.001 0.002 0.004 0.008

The training is stage 1 of the recipe `scratch` (700 steps of two pages from a KLT start), the test set its first 64
pages; each codec has the learning rate that suits it. An interrupted call goes on with the same command. What is
printed ends with each codec against the first at equal rate: the mean difference over the rates that both cover
(straight lines over log bpp between the points).
"""

import argparse
import csv
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from timing import table

from analysis.bd import NotComparable, average_gain
from tfic import recipes
from tfic.checkpoints import checkpoint
from tfic.measuring.in_processes import measure
from tfic.measuring.row import ROWS_FILE
from tfic.training.train import fit

LEARNING_RATES = {"lite": 6e-4, "tic-tiny": 1e-3, "tic-small": 1e-3}
"""Peak learning rates."""
MEASURES = ("bpp", "accuracy", "accuracy_heldout", "psnr_db")


def point(codec: str, lmbda: float, runs: Path) -> dict[str, float]:
    """Means of one trained codec over the test pages, trained and measured if that has not been done."""
    base = recipes.scratch()
    train = replace(base.train, learning_rate=LEARNING_RATES[codec], log_every=100)
    config = replace(base, codec=codec, lmbda=lmbda, train=train, data=replace(base.data, test_count=64))
    run = runs / f"{codec}-{lmbda:g}"
    path = fit(config, run, lambda p: print(f"{run.name} {p.step}/{p.steps} loss {p.loss:.3f}", flush=True))
    rows_file = run / "measured" / ROWS_FILE
    if not rows_file.exists():
        measure(checkpoint.load(path), config, run / "measured")
    with rows_file.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: float(np.mean([float(row[name]) for row in rows])) for name in MEASURES}


def at_equal_rate(points: list[dict[str, float]], others: list[dict[str, float]], name: str) -> str:
    """Mean of `points` less `others` over the log rates that both cover, or why there is none."""
    rates, values = ([[each[key] for each in curve] for curve in (others, points)] for key in ("bpp", name))
    gain = average_gain(rates[0], values[0], rates[1], values[1])
    return gain.why if isinstance(gain, NotComparable) else f"{gain.value:+.3f}"


def draw_curves(points: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Accuracy, held-out accuracy and PSNR over bpp, one panel each."""
    figure, panels = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    names = ("accuracy, PP-OCRv6", "accuracy, Tesseract", "PSNR, dB")
    for panel, measure_name, name in zip(panels, MEASURES[1:], names, strict=True):
        for codec, curve in points.items():
            panel.plot([p["bpp"] for p in curve], [p[measure_name] for p in curve], "o-", label=codec)
        panel.set(xlabel="bits per pixel", title=name, xscale="log")
        panel.xaxis.set_major_formatter("{x:g}")
        panel.xaxis.set_minor_formatter("{x:g}")
        panel.tick_params(axis="x", which="both", labelsize=8)
        panel.grid(alpha=0.3)
    panels[0].legend(frameon=False)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Train what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, metavar="RUNS", help="folder of run directories")
    parser.add_argument("--codecs", nargs="+", default=["lite", "tic-tiny"], choices=LEARNING_RATES, help="codecs")
    parser.add_argument("--lmbdas", nargs="+", type=float, default=[0.001, 0.002, 0.004, 0.008], help="weights")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="also draw the curves")
    args = parser.parse_args()
    points = {codec: [point(codec, lmbda, args.runs) for lmbda in args.lmbdas] for codec in args.codecs}
    if args.figure:
        draw_curves(points, args.figure)
    rows = [
        [codec, f"{lmbda:g}", *(f"{each[name]:.3f}" for name in MEASURES)]
        for codec in args.codecs
        for lmbda, each in zip(args.lmbdas, points[codec], strict=True)
    ]
    print(table(["codec", "lambda", *MEASURES], rows))
    first, *others = args.codecs
    rows = [
        [
            f"{first} less {other}",
            *(at_equal_rate(points[first], points[other], name) for name in MEASURES[1:]),
        ]
        for other in others
    ]
    print("\n" + table(["at equal rate", *MEASURES[1:]], rows))


if __name__ == "__main__":
    main()
