"""What a trace that is of several codecs tells the page, so that it follows the brush (`templates/linked.js`).

Marks of codecs need nothing of this: they carry their trial keys as `customdata`.
"""

from collections.abc import Sequence

FADED = 0.06
"""Opacity of the marks of codecs that are brushed away."""


def needs(codecs: Sequence[Sequence[str]], points: int = 1) -> dict[str, object]:
    """The `meta` of a trace of which each run of points is there while all codecs of that run are chosen.

    Args:
        codecs: trial keys of the codecs of each run.
        points: points of a run.
    """
    return {"needs": codecs, "points": points}


def best(x: int, y: int, family: str = "", flat: bool = False) -> dict[str, object]:
    """The `meta` of a line that is drawn anew through the marks that no other chosen one beats.

    Args:
        x: 1 where more is better along the horizontal axis, -1 where less is.
        y: the same of the vertical one.
        family: name of the marks that take part; "" for all of the figure.
        flat: the line goes on to the greatest x of the marks.
    """
    return {"best": {"x": x, "y": y, "family": family, "flat": flat}}
