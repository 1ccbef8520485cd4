"""Where text stands on a page: the detector of the training reader alone."""

import cv2
import numpy as np
from rapidocr import RapidOCR
from rapidocr.ch_ppocr_det import utils as det_utils
from rapidocr.ch_ppocr_det.utils import TextDetOutput
from rapidocr.main import RapidOCRError
from rapidocr.utils import process_img
from rapidocr.utils.output import RapidOCROutput

from tfic.errors import ImageUnsuitedError
from tfic.pages.lines import Quad, quad_of

UNSUITED = (process_img.ResizeImgError, det_utils.ResizeImgError, RapidOCRError, cv2.error, MemoryError)
"""The errors of rapidocr for a page that it cannot take."""


class TextDetector:
    """PP-OCRv6 small's detector, on the CPU through onnxruntime."""

    def __init__(self, detect_side_px: int = 736, threads: int = 1) -> None:
        """Load it.

        Args:
            detect_side_px: short side to which a smaller page is enlarged (736 is rapidocr's default).
            threads: CPU threads of onnxruntime.
        """
        self._pipeline = RapidOCR(
            params={
                "Global.log_level": "error",
                "Global.use_cls": False,
                "Global.use_rec": False,
                "Det.limit_side_len": detect_side_px,
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            }
        )

    def find(self, image: np.ndarray) -> list[Quad]:
        """The boxes of text on an (H, W, 3) uint8 RGB image; none on an empty page.

        Raises:
            ImageUnsuitedError: when it cannot be taken.
        """
        try:
            found = self._pipeline(np.ascontiguousarray(image[:, :, ::-1]))
        except UNSUITED as error:
            raise ImageUnsuitedError(f"the detector cannot take the image: {error}") from error
        assert isinstance(found, TextDetOutput | RapidOCROutput)  # the latter where nothing is found
        return [] if found.boxes is None else [quad_of(box) for box in found.boxes]
