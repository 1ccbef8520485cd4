"""What readers make of the foundation's fine-tunings, page by page, and the transfer matrix: trained against, read by.

    python scripts/transfer.py collect RUNS benchmarks/transfer.csv    # RUNS/WEIGHTS-STEPS of finetune_foundation.py
    python scripts/transfer.py report benchmarks/transfer.csv

The file has a row for each set, codec, quality and page, so that whoever doubts a difference can compute it again. A
cell of the matrix is the page accuracy of one reader, of a codec that was trained against some readers minus that of
the control at equal rate: the mean over the qualities that all of them have within the control's rates, then over pages
with a paired bootstrap. `*` marks readers that the codec was trained against.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from equal_rates import COMPARED, comparison, key, keys_of, measured
from finetune_foundation import AVIF, CONTROL, SETS, START

from analysis import readers, stats
from analysis.matched import differences
from analysis.transfer import Cell, cell_of

READ_BY = {
    name: column for name in (readers.TRAINING, *readers.HELDOUT) if (column := readers.column(name)) in COMPARED
}
"""The measure of each reader, by its name."""
COLUMNS = ("bpp", *COMPARED)
"""Measures that are kept of each page."""


def collect(runs: Path) -> pd.DataFrame:
    """The measurements in a folder of runs: set, codec, quality, page and `COLUMNS`."""
    tables = []
    for name in SETS:
        if any(runs.glob(f"*/measured/{name}-*")):
            rows = measured(runs, name)
            parts = rows["trial_key"].str.rpartition(", ")
            tables.append(rows.assign(set=name, codec=parts[0], quality=parts[2], page=rows["image"]))
    return pd.concat(tables)[["set", "codec", "quality", "page", *COLUMNS]]


def read(path: Path) -> dict[str, pd.DataFrame]:
    """The rows of a file for each set, as `equal_rates.measured` has them."""
    table = pd.read_csv(path, dtype={"quality": str})
    keys = [key(codec, quality) for codec, quality in zip(table["codec"], table["quality"], strict=True)]
    table = table.assign(trial_key=keys, image=table["page"])
    return {str(name): own for name, own in table.groupby("set", sort=False)}


def trained_against(codec: str) -> str:
    """The readers that a codec was trained against, from its name; "" where it was trained for pixels."""
    return "" if codec in (CONTROL, START, AVIF) else codec.partition("-")[2] or readers.FIRST


def cells(rows: pd.DataFrame) -> list[Cell]:
    """The transfer matrix of the codecs of a set, over the qualities that each has within the control's rates."""
    control, metrics = keys_of(rows, CONTROL), list(READ_BY.values())
    gains: dict[str, dict[str, pd.DataFrame]] = {}
    for codec in (name for name in rows["codec"].unique() if trained_against(name)):
        own = {each.rpartition(", ")[2]: differences(rows, each, control, metrics) for each in keys_of(rows, codec)}
        gains[codec] = {quality: table for quality, (matched, table) in own.items() if matched.bits == "equal"}
    common = set.intersection(*(set(own) for own in gains.values()))
    found = []
    for codec, own in gains.items():
        against = trained_against(codec)
        for name, column in READ_BY.items():
            pages = {quality: own[quality][column].to_numpy() for quality in common}
            if np.isfinite(list(pages.values())).all(axis=0).any():
                judge = readers.FIRST if name == readers.TRAINING else name
                title, mine = readers.title(judge), judge in readers.against(against)
                found.append(cell_of(readers.against_title(against, "reading"), title, mine, pages))
    return found


def matrix(found: Sequence[Cell]) -> str:
    """The transfer matrix as a table."""
    columns = list(dict.fromkeys(each.read_by for each in found))
    lines = [
        f"| trained against | qualities | {' | '.join(columns)} |",
        f"| --- | --- |{' --- |' * len(columns)}",
    ]
    for trained in dict.fromkeys(each.trained for each in found):
        own = {each.read_by: each for each in found if each.trained == trained}
        shown = [
            stats.show(own[name].gain, sign=True, digits=3) + "*" * own[name].own if name in own else "not measured"
            for name in columns
        ]
        lines.append(f"| {trained} | {max(each.codecs for each in own.values())} | {' | '.join(shown)} |")
    return "\n".join(lines)


def report(sets: dict[str, pd.DataFrame]) -> str:
    """The tables of all sets."""
    parts = []
    for name, rows in sets.items():
        tuned = [codec for codec in rows["codec"].unique() if trained_against(codec)]
        if not tuned:
            continue
        others = [codec for codec in (CONTROL, START, AVIF) if (rows["codec"] == codec).any()]
        pages = rows["page"].nunique()
        parts.append(f"Trained against, read by; {pages} pages of set {name}:\n\n{matrix(cells(rows))}")
        parts.append(comparison(rows, name, tuned, others))
    return "\n\n".join(parts)


def main() -> None:
    """Write the file, or print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    collecting = commands.add_parser("collect", help="write the file")
    collecting.add_argument("runs", type=Path, help="folder of runs")
    collecting.add_argument("table", type=Path, help="the file to write")
    reporting = commands.add_parser("report", help="print tables")
    reporting.add_argument("table", type=Path, help="the file")
    args = parser.parse_args()
    if args.command == "collect":
        collect(args.runs).to_csv(args.table, index=False, float_format="%.5g", lineterminator="\n")
    else:
        print(report(read(args.table)))


if __name__ == "__main__":
    main()
