"""The pipelines of `rapidocr`: how the detector and the reader of pages are set up, and the images that they take."""

from typing import Any

import cv2
import numpy as np
from rapidocr import RapidOCR
from rapidocr.ch_ppocr_det import utils as det_utils
from rapidocr.main import RapidOCRError
from rapidocr.utils import process_img

from tfic.errors import ImageUnsuitedError

UNSUITED = (process_img.ResizeImgError, det_utils.ResizeImgError, RapidOCRError, cv2.error, MemoryError)
"""The errors of rapidocr for a page that it cannot take."""
_REDUCED_PX = 2000
"""Long side to which rapidocr reduces a page, and in steps of `_STEP_PX` its short side with it."""
_STEP_PX = 32
_FLATTEST = 8
"""Sides of a page in proportion beyond which rapidocr pads one that is wide; one that is tall it would enlarge."""


class Pipeline:
    """Some of rapidocr's stages, on the CPU through onnxruntime."""

    def __init__(self, detect_side_px: int, threads: int, more: dict[str, Any]) -> None:
        """Load the networks.

        Args:
            detect_side_px: short side to which the detector enlarges a smaller page (736 is rapidocr's default).
            threads: CPU threads of onnxruntime; 0 leaves its default.
            more: further parameters of rapidocr.
        """
        own = {
            "Global.log_level": "error",
            "Global.use_cls": False,
            "Det.limit_side_len": detect_side_px,
            "EngineConfig.onnxruntime.intra_op_num_threads": threads or -1,
        }
        self._stages = RapidOCR(params=own | more)

    def run(self, image: np.ndarray, name: str) -> object:
        """The output for an (H, W, 3) uint8 RGB image; `name` opens an error's sentence.

        Raises:
            ImageUnsuitedError: when it cannot be taken.
        """
        try:
            return self._stages(np.ascontiguousarray(not_too_flat(image)[:, :, ::-1]))
        except UNSUITED as error:
            height, width = image.shape[:2]
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ImageUnsuitedError(f"{name} cannot read an image of {width} x {height} pixels: {reason}") from error


def not_too_flat(image: np.ndarray) -> np.ndarray:
    """The page, or one continued by its edge below or on the right where rapidocr would reduce it to nothing."""
    height, width = image.shape[:2]
    vanishes = _REDUCED_PX * min(height, width) // max(height, width, _REDUCED_PX) <= _STEP_PX // 2
    if not vanishes and height <= _FLATTEST * width:
        return image
    below, beside = max(0, width // _FLATTEST - height), max(0, height // _FLATTEST - width)
    return np.pad(image, ((0, below), (0, beside), (0, 0)), mode="edge")
