"""The points that no other point dominates, and the volume of the objective space that they cover.

Mathematics on plain arrays, any number of objectives, each with its direction: 1 is better high, -1 is better low.
"""

from collections.abc import Sequence

import moocore
import numpy as np
import numpy.typing as npt

from tfic.measuring import row

OBJECTIVES: dict[str, int] = {name: row.MEASURES[name].sign for name in row.OBJECTIVES}
"""The three objectives of a sweep and their directions."""


def non_dominated(values: np.ndarray, directions: Sequence[int]) -> np.ndarray:
    """Mask of the points that no other point dominates.

    A point dominates another when it is at least as good in every objective and better in one. So equal points do not
    dominate each other: all copies of a point on the front are on the front.

    Args:
        values: (points, objectives), finite.
        directions: 1 (more is better) or -1 (less is better) for each objective.

    Raises:
        ValueError: for values that are not finite, or directions that do not fit.
    """
    return moocore.is_nondominated(_gains(values, directions), maximise=True, keep_weakly=True)


def front_of(columns: Sequence[npt.ArrayLike], directions: Sequence[int]) -> np.ndarray:
    """`non_dominated` of columns, with False for each point that lacks an objective (nan or inf).

    So the uncompressed reference, which has no PSNR, is never on a front with PSNR.
    """
    values = np.column_stack([np.asarray(column, dtype=float) for column in columns])
    whole = np.isfinite(values).all(axis=1)
    mask = np.zeros(len(values), dtype=bool)
    mask[whole] = non_dominated(values[whole], directions)
    return mask


def hypervolume(values: np.ndarray, directions: Sequence[int], reference: Sequence[float]) -> float:
    """Volume that the points dominate, measured from the `reference` point, in the product of the objectives' units.

    A point that is not better than the reference in every objective adds nothing. Only volumes from the same
    reference compare.

    Raises:
        ValueError: for values that are not finite, or a reference or directions that do not fit.
    """
    if len(reference) != len(directions):
        raise ValueError(
            f"the reference has {len(reference)} values for {len(directions)} objectives; give one for each"
        )
    corner = _gains(np.asarray([reference], dtype=float), directions)[0]
    return float(moocore.hypervolume(_gains(values, directions), ref=corner, maximise=True))


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
