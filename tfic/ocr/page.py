"""Reading whole pages with PP-OCRv6 through `rapidocr`: detect, rectify, recognise, as its users run it."""

from collections.abc import Sequence

import numpy as np
import onnxruntime
import torch
from rapidocr import RapidOCR
from rapidocr.utils.output import RapidOCROutput

from tfic.errors import ImageUnsuitedError
from tfic.lines import Line, Quad, quad_of
from tfic.ocr.detector import UNSUITED
from tfic.ocr.ppocr import HEIGHT_PX, MIN_WIDTH_PX, Alphabet, weights_path
from tfic.ocr.rectify import rectify, width_at

_REDUCED_PX = 2000
"""Long side to which rapidocr reduces a page, and in steps of `_STEP_PX` its short side with it."""
_STEP_PX = 32
_FLATTEST = 8
"""Sides of a page in proportion beyond which rapidocr pads one that is wide; one that is tall it would enlarge."""


class PPOCRPageReader:
    """PP-OCRv6 small, detector and recogniser, on the CPU through onnxruntime."""

    name = "PP-OCRv6 small"

    def __init__(self, detect_side_px: int = 736, threads: int = 0) -> None:
        """Load both networks.

        Args:
            detect_side_px: short side to which the detector enlarges a smaller page (736 is rapidocr's default).
            threads: CPU threads of onnxruntime; 0 leaves its default.
        """
        self._pipeline = RapidOCR(
            params={
                "Global.log_level": "error",
                "Global.use_cls": False,
                "Det.limit_side_len": detect_side_px,
                "EngineConfig.onnxruntime.intra_op_num_threads": threads or -1,
            }
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._recogniser = onnxruntime.InferenceSession(str(weights_path()), options, ["CPUExecutionProvider"])
        self._input = self._recogniser.get_inputs()[0].name
        metadata = self._recogniser.get_modelmeta().custom_metadata_map
        self._alphabet = Alphabet(metadata["character"])

    def read(self, image: np.ndarray) -> list[Line]:
        """The lines that detector and recogniser find on an (H, W, 3) uint8 RGB image; none on an empty page.

        Raises:
            ImageUnsuitedError: when the detector cannot take it.
        """
        try:
            found = self._pipeline(np.ascontiguousarray(_not_too_flat(image)[:, :, ::-1]))
        except UNSUITED as error:
            height, width = image.shape[:2]
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ImageUnsuitedError(
                f"{self.name} cannot read an image of {width} x {height} pixels: {reason}"
            ) from error
        assert isinstance(found, RapidOCROutput)
        if found.boxes is None or found.txts is None:
            return []
        return [Line(text, quad_of(box)) for text, box in zip(found.txts, found.boxes, strict=True)]

    def read_lines(self, image: np.ndarray, quads: Sequence[Quad]) -> list[str]:
        """The text inside each quadrilateral, read one at a time so that no line depends on its neighbours."""
        page = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
        texts = []
        for quad in quads:
            width = max(MIN_WIDTH_PX, width_at(quad, HEIGHT_PX))
            crop = rectify(page, [quad], [0], HEIGHT_PX, width)
            (probabilities,) = self._recogniser.run(None, {self._input: (crop.flip(1) * 2 - 1).numpy()})
            texts.extend(self._alphabet.decode(probabilities.argmax(-1)))
        return texts


def _not_too_flat(image: np.ndarray) -> np.ndarray:
    """The page, or one continued by its edge below or on the right where rapidocr would reduce it to nothing."""
    height, width = image.shape[:2]
    vanishes = _REDUCED_PX * min(height, width) // max(height, width, _REDUCED_PX) <= _STEP_PX // 2
    if not vanishes and height <= _FLATTEST * width:
        return image
    below, beside = max(0, width // _FLATTEST - height), max(0, height // _FLATTEST - width)
    return np.pad(image, ((0, below), (0, beside), (0, 0)), mode="edge")
