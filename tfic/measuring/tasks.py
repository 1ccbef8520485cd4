"""Metrics of machine tasks: what a frozen model makes of the pixels of a decoded file, against the truth of the page.

To add one: its name in `tfic.task_names`, a field of `tfic.measuring.row.Row`, a branch here; to train for it, a branch
in `tfic.training.tasks`.
"""

from collections.abc import Callable, Sequence

import numpy as np

from tfic.measuring.detection import detection_f1
from tfic.ocr.reader import Detector
from tfic.pages.lines import Page

Metric = Callable[[Page, np.ndarray], float]
"""A number for a page and its reconstruction, (H, W, 3) uint8 RGB; nan where the page's truth does not allow it. It
raises ImageUnsuitedError for an image that the model cannot take."""


def metrics_of(names: Sequence[str], detector: Detector) -> dict[str, Metric]:
    """The metrics of tasks beside reading, by the names of the tasks.

    Args:
        names: of `tfic.task_names.FURTHER_TASKS`.
        detector: finds lines of text.
    """
    kinds = {"detection": lambda: finding(detector)}
    return {name: kinds[name]() for name in names}


def finding(detector: Detector) -> Metric:
    """`detection_f1` of a detector."""
    return lambda page, x_hat: detection_f1(page, detector.find(x_hat))
