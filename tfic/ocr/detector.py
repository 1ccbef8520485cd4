"""Where text stands on a page: a reader's detector alone, as it runs through `rapidocr`."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from rapidocr.ch_ppocr_det.utils import TextDetOutput
from rapidocr.utils.output import RapidOCROutput

from tfic.ocr.pipeline import Pipeline
from tfic.pages.lines import Quad, quad_of


class TextDetector:
    """PP-OCRv6 small's detector, or another of its family. It keeps what it found on the last image, for readers that
    share it.
    """

    def __init__(
        self, detect_side_px: int = 736, threads: int = 0, network: Path | None = None, name: str = "the detector"
    ) -> None:
        """Take the arguments of `tfic.ocr.pipeline.Pipeline`; the network is loaded for the first image.

        Args:
            detect_side_px: short side to which a smaller page is enlarged.
            threads: CPU threads of onnxruntime; 0 leaves its default.
            network: the detector; by default the one that `rapidocr` brings.
            name: its name in errors.
        """
        self.side_px, self.threads, self.name = detect_side_px, threads, name
        self._own: dict[str, Any] = {} if network is None else {"Det.model_path": str(network)}
        self._last: tuple[np.ndarray | None, list[Quad]] = (None, [])

    @cached_property
    def _pipeline(self) -> Pipeline:
        return Pipeline(self.side_px, self.threads, {"Global.use_rec": False} | self._own)

    def find(self, image: np.ndarray) -> list[Quad]:
        """The quadrilaterals of the lines on an (H, W, 3) uint8 RGB image; none on an empty page.

        Raises:
            ImageUnsuitedError: when it cannot be taken.
        """
        if self._last[0] is not image:
            found = self._pipeline.run(image, self.name)
            assert isinstance(found, TextDetOutput | RapidOCROutput)  # the latter where nothing is found
            self._last = (image, [] if found.boxes is None else [quad_of(box) for box in found.boxes])
        return self._last[1]
