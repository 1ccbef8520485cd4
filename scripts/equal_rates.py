"""Codecs of several qualities compared at equal rate, page by page."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from analysis import stats
from analysis.matched import differences
from tfic.measuring.row import MEASURES, ROWS_FILE, read_rows
from tfic.reader_names import FURTHER_READERS

COMPARED = ("accuracy", "accuracy_lines", "accuracy_heldout", "psnr_db", *map("accuracy_{}".format, FURTHER_READERS))
"""Measures that are compared, where they are there."""


def measured(runs: Path, name_of_set: str) -> pd.DataFrame:
    """The rows of RUN/measured/SET-QUALITY/rows.csv in all runs of a folder, with `trial_key` (`key`)."""
    tables = [
        pd.DataFrame(map(asdict, read_rows(path))).assign(
            trial_key=key(path.parent.parent.parent.name, path.parent.name.rpartition("-")[2])
        )
        for path in sorted(runs.glob(f"*/measured/{name_of_set}-*/{ROWS_FILE}"))
    ]
    return pd.concat(tables, ignore_index=True)


def comparison(rows: pd.DataFrame, name_of_set: str, tuned: Sequence[str], others: Sequence[str]) -> str:
    """A table: each measured quality of the tuned codecs against others at its rate.

    The other codec is interpolated for each page over the log of its mean rates (`analysis.matched`); where its
    measured rates do not reach, the line says so.

    Args:
        rows: as `measured` has them.
        name_of_set: name of the set of test pages.
        tuned: names of codecs.
        others: names of codecs to compare with.
    """
    rates = rows.groupby("trial_key")["bpp"].mean().sort_values()
    points = {name: keys_of(rows, name) for name in (*tuned, *others)}
    metrics = [name for name in COMPARED if rows[name].notna().any()]
    pages = rows["image"].nunique()
    lines = [
        f"At equal rate on {pages} test pages of set {name_of_set}, difference and its 95 % interval:",
        "",
        f"| codec, quality | bpp | against | {' | '.join(MEASURES[name].short_head for name in metrics)} |",
        f"| --- | --- | --- |{' --- |' * len(metrics)}",
    ]
    for own in (each for name in tuned for each in points[name]):
        for other in others:
            matched, gains = differences(rows, own, points[other], metrics)
            cells = " | ".join(
                stats.show(stats.mean(gains[metric].to_numpy()), sign=True, digits=3) for metric in metrics
            )
            against = other if matched.bits == "equal" else f"{other}, which has {matched.bits} bits"
            lines.append(f"| {own} | {rates[own]:.4f} | {against} | {cells} |")
    return "\n".join(lines)


def key(name: str, quality: str) -> str:
    """`gamma2, 25` for codec gamma2 at quality 25."""
    return f"{name}, {quality}"


def keys_of(rows: pd.DataFrame, name: str) -> list[str]:
    """The keys of a codec's qualities by rising rate."""
    rates = rows.groupby("trial_key")["bpp"].mean().sort_values()
    return [each for each in rates.index if each.rpartition(", ")[0] == name]
