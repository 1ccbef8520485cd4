"""Encoding with ONNX Runtime: the graph that `tfic.checkpoints.export` wrote, and the bytes of a `.tfic` file."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from tfic.codec.ans import Tables
from tfic.codec.bitstream import Header, pack
from tfic.codec.latent_stream import write_latents
from tfic.pages import images


class OnnxEncoder:
    """An encoder of images of one size; the PyTorch codec from which the graph was exported decodes its files."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load a graph.

        Raises:
            ValueError: when the file is missing, or no encoder of ours.
        """
        if not path.is_file():
            raise ValueError(f"no encoder at {path}; write one with `tfic export`")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        metadata = self._session.get_modelmeta().custom_metadata_map
        if not {"fingerprint", "tables"} <= metadata.keys():
            raise ValueError(f"{path} is an ONNX graph, but no encoder of a TFIC codec; write one with `tfic export`")
        self.fingerprint = bytes.fromhex(metadata["fingerprint"])
        self.height_px, self.width_px = self._session.get_inputs()[0].shape[2:]
        self._tables = {
            name: Tables([np.array(row) for row in table["frequencies"]], np.array(table["offsets"]))
            for name, table in json.loads(metadata["tables"]).items()
        }

    def encode(self, image: Image.Image) -> bytes:
        """An image as the bytes of a `.tfic` file.

        Raises:
            ValueError: when the image is of another size than the graph was exported for.
        """
        image = images.plain(image)
        if image.size != (self.width_px, self.height_px):
            raise ValueError(
                f"an image of {image.width} x {image.height} pixels; this encoder was exported for "
                f"{self.width_px} x {self.height_px}"
            )
        x = images.pixels(image).transpose(2, 0, 1)[None].astype(np.float32) / 255
        z_symbols, y_symbols, indexes = self._session.run(None, {"x": x})
        coded = write_latents(z_symbols, y_symbols, indexes, self._tables["z"], self._tables["y"])
        return pack(coded, Header(self.fingerprint, image.height, image.width, image.mode == "L"))
