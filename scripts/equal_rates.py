"""Codecs of several qualities compared at equal rate, page by page."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from analysis import stats
from analysis.matched import differences
from tfic.measuring.row import MEASURES, ROWS_FILE, read_rows
from tfic.reader_names import FURTHER_READERS

WORDS = {"accuracy": "page", "accuracy_lines": "lines", "accuracy_heldout": "Tesseract", "psnr_db": "PSNR, dB"}
WORDS |= {name: MEASURES[name].label for name in map("accuracy_{}".format, FURTHER_READERS)}
"""Heads of columns."""


def comparison(runs: Path, name_of_set: str, tuned: Sequence[str], others: Sequence[str]) -> str:
    """A table: each measured quality of the tuned codecs against others at its rate.

    The other codec is interpolated for each page over the log of its mean rates (`analysis.matched`); where its
    measured rates do not reach, the line says so.

    Args:
        runs: Folder with RUN/measured/SET-QUALITY/rows.csv.
        name_of_set: Name of the set of test pages.
        tuned: Names of runs.
        others: Names of runs to compare with.
    """
    tables = {
        path.parent: pd.DataFrame(map(asdict, read_rows(path)))
        for path in sorted(runs.glob(f"*/measured/{name_of_set}-*/{ROWS_FILE}"))
    }
    rows = pd.concat([table.assign(trial_key=_key(folder)) for folder, table in tables.items()], ignore_index=True)
    rates = rows.groupby("trial_key")["bpp"].mean().sort_values()
    points = {name: [key for key in rates.index if _run(key) == name] for name in (*tuned, *others)}
    metrics = [name for name in WORDS if rows[name].notna().any()]
    pages = rows["image"].nunique()
    lines = [
        f"At equal rate on {pages} test pages of set {name_of_set}, difference and its 95 % interval:",
        "",
        f"| codec, quality | bpp | against | {' | '.join(WORDS[name] for name in metrics)} |",
        f"| --- | --- | --- |{' --- |' * len(metrics)}",
    ]
    for key in (key for name in tuned for key in points[name]):
        for other in others:
            matched, gains = differences(rows, key, points[other], metrics)
            cells = " | ".join(
                stats.show(stats.mean(gains[metric].to_numpy()), sign=True, digits=3) for metric in metrics
            )
            against = other if matched.bits == "equal" else f"{other}, which has {matched.bits} bits"
            lines.append(f"| {key} | {rates[key]:.4f} | {against} | {cells} |")
    return "\n".join(lines)


def _key(folder: Path) -> str:
    """`gamma0.5, 25` for gamma0.5/measured/0-25."""
    return f"{folder.parent.parent.name}, {folder.name.partition('-')[2]}"


def _run(key: str) -> str:
    return key.rpartition(", ")[0]
