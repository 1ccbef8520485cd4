"""Untrained codecs, their checkpoints and their files."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tfic.checkpoints import checkpoint
from tfic.codec import build
from tfic.codec.image_codec import ImageCodec
from tfic.config import Config


def ready_codec(name: str = "tic-tiny", seed: int = 0) -> ImageCodec:
    """A codec as chance made it, which can code."""
    torch.manual_seed(seed)
    codec = build(name).eval()
    codec.update()
    return codec


def saved_codec(path: Path, config: Config, seed: int = 0) -> Path:
    """The checkpoint of such a codec, with these settings."""
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.save(ready_codec(config.codec, seed), config, path)
    return path


def signed(body: bytes) -> bytes:
    """A file's bytes with the checksum that they want."""
    return body + struct.pack("<I", zlib.crc32(body))


def decoded_elsewhere(model: Path, data: bytes, folder: Path) -> np.ndarray:
    """The pixels, (H, W, 3) uint8, that another process with three threads decodes from a file."""
    (folder / "x.tfic").write_bytes(data)
    program = (
        "import sys, torch; from pathlib import Path; from tfic.checkpoints import checkpoint\n"
        "torch.set_num_threads(3)\n"
        "model, data, out = map(Path, sys.argv[1:])\n"
        "checkpoint.load(model).decode(data.read_bytes()).save(out)"
    )
    paths = [str(each) for each in (model, folder / "x.tfic", folder / "there.png")]
    subprocess.run([sys.executable, "-c", program, *paths], check=True)
    return np.asarray(Image.open(folder / "there.png"))
