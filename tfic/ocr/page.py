"""Reading whole pages with PP-OCRv6 through `rapidocr`: detect, rectify, recognise, as its users run it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from rapidocr import RapidOCR
from rapidocr.utils.output import RapidOCROutput

from tfic.errors import ImageUnsuitedError
from tfic.ocr.detector import UNSUITED, TextDetector
from tfic.ocr.ppocr import HEIGHT_PX, MIN_WIDTH_PX, Alphabet, weights_path
from tfic.ocr.rectify import rectify, width_at
from tfic.pages.lines import Line, Quad, quad_of

_REDUCED_PX = 2000
"""Long side to which rapidocr reduces a page, and in steps of `_STEP_PX` its short side with it."""
_STEP_PX = 32
_FLATTEST = 8
"""Sides of a page in proportion beyond which rapidocr pads one that is wide; one that is tall it would enlarge."""


class PPOCRDetector:
    """PP-OCRv6 small's detector alone. It keeps what it found on the last image, for readers that share it."""

    def __init__(self, detect_side_px: int = 736, threads: int = 0) -> None:
        """Load the network; the arguments are those of `PPOCRPageReader`."""
        self.side_px = detect_side_px
        self._detector = TextDetector(detect_side_px, threads or -1)
        self._last: tuple[np.ndarray | None, list[Quad]] = (None, [])

    def find(self, image: np.ndarray) -> list[Quad]:
        """The quadrilaterals of the lines on an (H, W, 3) uint8 RGB image.

        Raises:
            ImageUnsuitedError: when the detector cannot take it.
        """
        if self._last[0] is not image:
            self._last = (image, self._detector.find(_not_too_flat(image)))
        return self._last[1]


class PPOCRPageReader:
    """PP-OCRv6 small, detector and recogniser, on the CPU through onnxruntime; or others of its family."""

    def __init__(
        self,
        detect_side_px: int = 736,
        threads: int = 0,
        networks: tuple[Path, Path] | None = None,
        name: str = "PP-OCRv6 small",
    ) -> None:
        """Load both networks.

        Args:
            detect_side_px: short side to which the detector enlarges a smaller page (736 is rapidocr's default).
            threads: CPU threads of onnxruntime; 0 leaves its default.
            networks: detector and recogniser; by default those that `rapidocr` brings.
            name: its name in tables.
        """
        self.name = name
        params = _params(detect_side_px, threads)
        if networks is not None:
            params |= {"Det.model_path": str(networks[0]), "Rec.model_path": str(networks[1])}
        self._pipeline = RapidOCR(params=params)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        file = weights_path() if networks is None else networks[1]
        self._recogniser = onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])
        self._input = self._recogniser.get_inputs()[0].name
        metadata = self._recogniser.get_modelmeta().custom_metadata_map
        self._alphabet = Alphabet(metadata["character"])

    def read(self, image: np.ndarray) -> list[Line]:
        """The lines that detector and recogniser find on an (H, W, 3) uint8 RGB image; none on an empty page.

        Raises:
            ImageUnsuitedError: when the detector cannot take it.
        """
        found = _run(self._pipeline, self.name, image)
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


def _params(detect_side_px: int, threads: int) -> dict[str, Any]:
    return {
        "Global.log_level": "error",
        "Global.use_cls": False,
        "Det.limit_side_len": detect_side_px,
        "EngineConfig.onnxruntime.intra_op_num_threads": threads or -1,
    }


def _run(pipeline: RapidOCR, name: str, image: np.ndarray) -> object:
    """The pipeline's output for an RGB image; ImageUnsuitedError for one that it cannot take."""
    try:
        return pipeline(np.ascontiguousarray(_not_too_flat(image)[:, :, ::-1]))
    except UNSUITED as error:
        height, width = image.shape[:2]
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageUnsuitedError(f"{name} cannot read an image of {width} x {height} pixels: {reason}") from error


def _not_too_flat(image: np.ndarray) -> np.ndarray:
    """The page, or one continued by its edge below or on the right where rapidocr would reduce it to nothing."""
    height, width = image.shape[:2]
    vanishes = _REDUCED_PX * min(height, width) // max(height, width, _REDUCED_PX) <= _STEP_PX // 2
    if not vanishes and height <= _FLATTEST * width:
        return image
    below, beside = max(0, width // _FLATTEST - height), max(0, height // _FLATTEST - width)
    return np.pad(image, ((0, below), (0, beside), (0, 0)), mode="edge")
