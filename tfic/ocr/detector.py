"""Where text stands on a page: the detector of the training reader alone, as it runs through `rapidocr`."""

import numpy as np
from rapidocr.ch_ppocr_det.utils import TextDetOutput
from rapidocr.utils.output import RapidOCROutput

from tfic.ocr.pipeline import Pipeline
from tfic.pages.lines import Quad, quad_of


class TextDetector:
    """PP-OCRv6 small's detector. It keeps what it found on the last image, for readers that share it."""

    def __init__(self, detect_side_px: int = 736, threads: int = 0) -> None:
        """Load the network; the arguments are those of `tfic.ocr.pipeline.Pipeline`."""
        self.side_px = detect_side_px
        self._pipeline = Pipeline(detect_side_px, threads, {"Global.use_rec": False})
        self._last: tuple[np.ndarray | None, list[Quad]] = (None, [])

    def find(self, image: np.ndarray) -> list[Quad]:
        """The quadrilaterals of the lines on an (H, W, 3) uint8 RGB image; none on an empty page.

        Raises:
            ImageUnsuitedError: when it cannot be taken.
        """
        if self._last[0] is not image:
            found = self._pipeline.run(image, "the detector")
            assert isinstance(found, TextDetOutput | RapidOCROutput)  # the latter where nothing is found
            self._last = (image, [] if found.boxes is None else [quad_of(box) for box in found.boxes])
        return self._last[1]
