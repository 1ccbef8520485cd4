"""The files rows.csv of many runs as one table."""

import csv
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from tfic.measuring.row import TEXTS


def read(files: Mapping[str, Path]) -> pd.DataFrame:
    """The rows of all files, each with the trial key that its file goes by; columns that a file lacks are nan.

    Files may be of this or an earlier version of the schema. TEXTS are as they stand (a page that reads "NA", or
    nothing, is no missing value), the rest is numbers.

    Raises:
        ValueError: for a file that is not of that form, or was cut short.
    """
    by_head: dict[tuple[str, ...], list[list[str]]] = {}
    for key, file in files.items():
        with file.open(encoding="utf-8", newline="") as lines:
            head, *rows = list(csv.reader(lines)) or [[]]
        if "image" not in head or any(len(row) != len(head) for row in rows):
            raise ValueError(f"{file}, of trial {key}, is no rows.csv or was cut short; measure that trial again")
        by_head.setdefault(("trial_key", *head), []).extend([key, *row] for row in rows)
    tables = [_table(head, values) for head, values in by_head.items()]
    return tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)


def _table(head: tuple[str, ...], rows: list[list[str]]) -> pd.DataFrame:
    columns = dict(zip(head, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(head, ())
    return pd.DataFrame(
        {
            name: list(values) if name in ("trial_key", *TEXTS) else [float(value or "nan") for value in values]
            for name, values in columns.items()
        }
    )
