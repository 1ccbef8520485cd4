"""Metrics of machine tasks: what a frozen model makes of the pixels of a decoded file, against the truth of the page.

To add one: its name in `tfic.task_names`, a field of `tfic.measuring.row.Row`, a branch here; to train for it, a branch
in `tfic.training.tasks`.
"""

from collections.abc import Callable, Sequence

import numpy as np

from tfic.measuring.detection import detection_f1
from tfic.ocr.choice import own_detector
from tfic.ocr.detector import TextDetector
from tfic.ocr.reader import Detector
from tfic.pages.lines import Page
from tfic.task_names import TASKS

Metric = Callable[[Page, np.ndarray], float]
"""A number for a page and its reconstruction, (H, W, 3) uint8 RGB; nan where the page's truth does not allow it. It
raises ImageUnsuitedError for an image that the model cannot take."""


def metrics_of(names: Sequence[str], detector: TextDetector, readers: Sequence[str] = ()) -> dict[str, Metric]:
    """The metrics of tasks beside reading, by the field of `tfic.measuring.row.Row`.

    Args:
        names: of `tfic.task_names.FURTHER_TASKS`.
        detector: finds lines of text.
        readers: further readers that read; the models that some of them have for the task measure it too.

    Raises:
        ReaderMissingError: when one of these readers is not installed.
    """
    found: dict[str, Metric] = {}
    if "detection" in names:
        task = TASKS["detection"]
        found[task.metric] = finding(detector)
        found |= {task.heldout[name]: finding(own_detector(name, detector)) for name in readers if name in task.heldout}
    return found


def finding(detector: Detector) -> Metric:
    """`detection_f1` of a detector."""
    return lambda page, x_hat: detection_f1(page, detector.find(x_hat))
