"""The command `python -m analysis.pareto`: the points of a sweep and its front, as a table, JSON or CSV."""

import sys

from tfic.system import extras

if __name__ == "__main__":  # before the imports that need the extra
    sys.exit(extras.run("analysis.pareto", None, "report"))

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path

from analysis import compressai_json, readers, runs
from analysis.front import OBJECTIVES, front_of
from tfic.measuring.row import MEASURES
from tfic.system import cli

FIRST, LAST = ("bpp", "accuracy"), ("psnr_db", "encode_ms")
"""The measures in the table, those of held-out readers and of other machine tasks between them; the JSON has all."""


@cli.piped
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the points of a sweep; returns the exit code, 2 for input that cannot be used."""
    parser = cli.parser("python -m analysis.pareto", "The points of a sweep and its front.")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print every point as JSON instead of a table")
    how.add_argument("--csv", action="store_true", help="print every point as CSV instead of a table")
    words = "write the results in CompressAI's form instead, a JSON file for each family, into this folder"
    how.add_argument("--compressai", type=Path, metavar="FOLDER", help=words)
    words = "also show the codecs of these results files of CompressAI"
    parser.add_argument("--compare", type=Path, nargs="+", metavar="FILE", default=[], help=words)
    runs.add_options(parser)
    options = parser.parse_args(arguments)
    try:
        sweep = runs.load(options.tracking_uri, options.name, options.test_set)
        needed = readers.heldout(sweep.points, sweep.metadata, options.heldout)
        points = compressai_json.with_published(sweep.points, options.compare)
        if options.compressai:
            for file in compressai_json.write(points, sweep.name, options.compressai):
                print(file)
            return 0
    except (ValueError, OSError) as error:
        return cli.bad_input(error)
    on_front = front_of([points[name] for name in OBJECTIVES], list(OBJECTIVES.values()))
    records = [_plain(record) for record in points.assign(on_front=on_front).to_dict("records")]
    if options.csv:
        writer = csv.DictWriter(sys.stdout, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    elif options.json:
        found: dict[str, object] = {"sweep": sweep.name, "chosen": sweep.chosen, "test_set": sweep.test_set}
        found |= {"other_test_sets": list(sweep.others), "heldout": list(needed)}
        print(json.dumps({**found, "points": records}, indent=1, allow_nan=False))
    else:
        print(f"sweep {sweep.name} ({sweep.chosen}); * is on the front of bpp, accuracy and PSNR")
        if sweep.on:
            print(sweep.on)
        tasks = [readers.column(name) for name in readers.tasks(points)]
        print(table(records, [*FIRST, *needed.values(), *tasks, *LAST]))
    return 0


def table(records: Sequence[dict], columns: Sequence[str]) -> str:
    """Points as text, by rate: the settings of each, some measures, and a star on the front."""
    measures = {name: MEASURES[name] for name in columns}
    head = ("", "kind", "codec", "lambda", "gamma", "quality", *(measure.head for measure in measures.values()))
    keys = ("kind", "codec", "lmbda", "gamma", "quality", *measures)
    formats = ("", "", "g", "g", "g", *(f".{measure.digits}f" for measure in measures.values()))
    rows: list[tuple[str, ...]] = [head]
    for record in sorted(records, key=lambda each: each["bpp"]):
        cells = [
            "-" if record.get(key) is None else format(record[key], how) for key, how in zip(keys, formats, strict=True)
        ]
        rows.append(("*" if record["on_front"] else "", *cells))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    aligned = (
        [
            cell.ljust(width) if column < 3 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in rows
    )
    return "\n".join("  ".join(cells).rstrip() for cells in aligned)


def _plain(record: dict) -> dict:
    """A record without the values that JSON has no word for: nan and inf become None."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in record.items()
    }
