"""Metrics of machine tasks: what a frozen model makes of the pixels of a decoded file, against the truth of the page.

To add one: its name in `tfic.task_names`, a field of `tfic.measuring.row.Row`, a branch here; to train for it, a branch
in `tfic.training.tasks`.
"""

from collections.abc import Callable

import numpy as np

from tfic.config import EvalConfig
from tfic.measuring.detection import detection_f1
from tfic.ocr.detector import TextDetector
from tfic.ocr.reader import Detector
from tfic.pages.lines import Page
from tfic.task_names import further_tasks

Metric = Callable[[Page, np.ndarray], float]
"""A number for a page and its reconstruction, (H, W, 3) uint8 RGB; nan where the page's truth does not allow it. It
raises ImageUnsuitedError for an image that the model cannot take."""


def metrics_of(settings: EvalConfig, threads: int = 0) -> dict[str, Metric]:
    """The metrics of the tasks that are asked for beside reading, by the names of the tasks.

    Args:
        settings: the measurement.
        threads: CPU threads of each model; 0 leaves its default.
    """
    kinds = {"detection": lambda: finding(TextDetector(settings.detect_side_px, threads))}
    return {name: kinds[name]() for name in further_tasks(settings.tasks)}


def finding(detector: Detector) -> Metric:
    """`detection_f1` of a detector."""
    return lambda page, x_hat: detection_f1(page, detector.find(x_hat))
