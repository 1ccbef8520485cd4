"""Detection of text as a machine task: the lines that a detector finds against those that are there.

A line is found when one found quadrilateral covers it and little else: intersection over union of at least `LEAST_IOU`
with the line's own, grown by the margin with which lines are read, which detectors leave as well. Each counts once.
"""

from collections.abc import Sequence

import numpy as np

from tfic.measuring.scoring import overlaps
from tfic.ocr.rectify import with_margin
from tfic.pages.lines import Line, Page, Quad, counted, quad_of

LEAST_IOU = 0.5
"""Intersection over union from which a line counts as found, as in ICDAR's contests and PASCAL VOC."""


def detection_f1(page: Page, found: Sequence[Quad]) -> float:
    """F1 score of found quadrilaterals, 0 to 1: the harmonic mean of precision and recall.

    What lies in regions that are not to be read counts neither for nor against. 1 on an empty page where nothing is
    found; nan where the truth is a text without places.
    """
    if page.stated_text is not None:
        return float("nan")
    lines = counted([Line("", quad) for quad in found], page.ignored)
    true = [Line("", quad_of(with_margin(line.quad))) for line in page.lines]
    both = len(lines) + len(true)
    return 2 * _matched(overlaps(lines, true)) / both if both else 1.0


def _matched(iou: np.ndarray) -> int:
    """The number of pairs, those that overlap most first."""
    pairs = np.argwhere(iou >= LEAST_IOU)
    found, true = set[int](), set[int]()
    for f, t in pairs[np.argsort(-iou[tuple(pairs.T)], kind="stable")].tolist():
        if f not in found and t not in true:
            found.add(f)
            true.add(t)
    return len(true)
