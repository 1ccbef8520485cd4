"""Which points no other point beats, and how much of the objective space they cover.

The mathematics works on plain arrays, any number of objectives, each with its direction: +1 is better high,
-1 is better low. `python -m analysis.pareto` prints the points of a sweep with their place on the front.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence

import moocore
import numpy as np
import numpy.typing as npt

from tfic import row
from tfic.row import MEASURES

OBJECTIVES: dict[str, int] = {name: MEASURES[name].sign for name in row.OBJECTIVES}
"""The three objectives of a sweep and their directions."""


def non_dominated(values: np.ndarray, directions: Sequence[int]) -> np.ndarray:
    """Mask of the points that no other point dominates.

    A point dominates another when it is at least as good in every objective and better in one; so equal points do
    not dominate each other, and all copies of a point on the front are on the front.

    Args:
        values: (points, objectives), finite.
        directions: +1 (more is better) or -1 (less is better) for each objective.

    Raises:
        ValueError: for values that are not finite, or directions that do not fit.
    """
    gains = _gains(values, directions)
    if len(gains) == 0:
        return np.zeros(0, dtype=bool)
    no_worse = (gains[:, None, :] >= gains[None, :, :]).all(axis=2)
    better = (gains[:, None, :] > gains[None, :, :]).any(axis=2)
    return ~(no_worse & better).any(axis=0)


def hypervolume(values: np.ndarray, directions: Sequence[int], reference: Sequence[float]) -> float:
    """Volume that the points dominate, measured from the `reference` point, in the product of the objectives' units.

    A point that is not better than the reference in every objective adds nothing. Only volumes from the same
    reference compare.

    Raises:
        ValueError: for values that are not finite, or a reference or directions that do not fit.
    """
    gains = _gains(values, directions)
    corner = _gains(np.asarray([reference], dtype=float), directions)[0]
    if corner.shape != (len(directions),):
        raise ValueError(f"the reference has {corner.size} values for {len(directions)} objectives; give one for each")
    inside = gains[(gains > corner).all(axis=1)]
    if len(inside) == 0:
        return 0.0
    return float(moocore.hypervolume(inside, ref=corner, maximise=True))


def _gains(values: np.ndarray, directions: Sequence[int]) -> np.ndarray:
    """Values turned so that more is better, (points, objectives)."""
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or values.shape[1] != len(directions):
        raise ValueError(
            f"values of shape {values.shape} for {len(directions)} directions; wanted (points, objectives)"
        )
    if not set(directions) <= {-1, 1}:
        raise ValueError(f"directions are {list(directions)}; each must be 1 (more is better) or -1 (less is better)")
    if not np.isfinite(values).all():
        raise ValueError("an objective is not finite; leave out the points that lack one before asking for a front")
    return values * np.asarray(directions, dtype=float)


def front_of(columns: Sequence[npt.ArrayLike], directions: Sequence[int]) -> np.ndarray:
    """`non_dominated` of columns, with False for each point that lacks an objective (nan or inf).

    So the uncompressed reference, which has no PSNR, is never on a front with PSNR.
    """
    values = np.column_stack([np.asarray(column, dtype=float) for column in columns])
    whole = np.isfinite(values).all(axis=1)
    mask = np.zeros(len(values), dtype=bool)
    mask[whole] = non_dominated(values[whole], directions)
    return mask


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the points of a sweep; returns the exit code, 2 for input that cannot be used."""
    from analysis import runs  # here, so that the mathematics above loads without MLflow

    parser = argparse.ArgumentParser(
        prog="python -m analysis.pareto", description="The points of a sweep and its front."
    )
    parser.add_argument("--json", action="store_true", help="print every point as JSON instead of a table")
    runs.add_options(parser)
    options = parser.parse_args(arguments)
    try:
        sweep = runs.load(options.tracking_uri, options.name)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    points = sweep.points.assign(
        on_front=front_of([sweep.points[name] for name in OBJECTIVES], list(OBJECTIVES.values()))
    )
    records = [_plain(record) for record in points.to_dict("records")]
    if options.json:
        print(json.dumps({"sweep": sweep.name, "chosen": sweep.chosen, "points": records}, indent=1, allow_nan=False))
    else:
        print(f"sweep {sweep.name} ({sweep.chosen}); * is on the front of bpp, accuracy and PSNR")
        print(table(records))
    return 0


def _plain(record: dict) -> dict:
    """A record without the values that JSON has no word for: nan and inf become None."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in record.items()
    }


def table(records: Sequence[dict]) -> str:
    """Points as text, by rate: the settings of each, its rate, reading and PSNR, and a star on the front."""
    measures = {name: MEASURES[name] for name in ("bpp", "accuracy", "accuracy_heldout", "psnr_db", "encode_ms")}
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


if __name__ == "__main__":
    sys.exit(main())
