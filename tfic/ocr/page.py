"""Reading whole pages with PP-OCRv6 through `rapidocr`: detect, rectify, recognise, as its users run it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from rapidocr.utils.output import RapidOCROutput

from tfic.ocr.pipeline import Pipeline
from tfic.ocr.ppocr import HEIGHT_PX, MIN_WIDTH_PX, Alphabet, weights_path
from tfic.ocr.rectify import as_batch, rectify, width_at
from tfic.pages.lines import Line, Quad, quad_of


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
        own = {} if networks is None else {"Det.model_path": str(networks[0]), "Rec.model_path": str(networks[1])}
        self._pipeline = Pipeline(detect_side_px, threads, own)
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
        found = self._pipeline.run(image, self.name)
        assert isinstance(found, RapidOCROutput)
        if found.boxes is None or found.txts is None:
            return []
        return [Line(text, quad_of(box)) for text, box in zip(found.txts, found.boxes, strict=True)]

    def read_lines(self, image: np.ndarray, quads: Sequence[Quad]) -> list[str]:
        """The text inside each quadrilateral, read one at a time so that no line depends on its neighbours."""
        page = as_batch(image)
        texts = []
        for quad in quads:
            width = max(MIN_WIDTH_PX, width_at(quad, HEIGHT_PX))
            crop = rectify(page, [quad], [0], HEIGHT_PX, width)
            (probabilities,) = self._recogniser.run(None, {self._input: (crop.flip(1) * 2 - 1).numpy()})
            texts.extend(self._alphabet.decode(probabilities.argmax(-1)))
        return texts
