"""The commands `encode`, `decode`, `read` and `export`; each returns an exit code."""

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from tfic.checkpoints import checkpoint, models
from tfic.codec import bitstream
from tfic.commands import bulk
from tfic.commands.bulk import Outcome
from tfic.commands.file_plan import make_folder, plan
from tfic.errors import ImageUnsuitedError
from tfic.pages import images
from tfic.pages.lines import page_text
from tfic.system.cores import usable_cores

FILES_A_WORKER = 50
"""Files per process: to start another process for fewer takes longer than it saves."""
SUFFIX = ".tfic"
"""The ending of names of coded files."""


@dataclass(frozen=True)
class Files:
    """Files to convert, and the codec that does."""

    input: str
    """A file, a folder or a glob."""
    output: str
    """A file, or a folder for several files."""
    model: str
    """A model in any of its forms."""
    tracking_uri: str
    """The MLflow store of models; "" for the default."""


def encode(files: Files, workers: int | None, quality: float | None = None) -> int:
    """Images to .tfic files."""
    convert = bulk.encode_file if quality is None else partial(bulk.encode_file, quality=quality)
    return _convert(files, workers, convert, (images.SUFFIXES, (SUFFIX,)), quality)


def decode(files: Files, workers: int | None) -> int:
    """.tfic files to images."""
    return _convert(files, workers, bulk.decode_file, ((SUFFIX,), tuple(bulk.FORMATS)))


def export(output: str, height: int, width: int, model: str, tracking_uri: str) -> int:
    """A codec's encoder as an ONNX graph for images of `height` x `width` pixels."""
    from tfic.checkpoints.export import export as write_graph  # ONNX's exporter takes a second to import

    out = Path(output)
    if out.suffix != ".onnx" or not out.parent.is_dir():
        raise ValueError(f"{out} must end in .onnx and lie in a folder that exists")
    bitstream.check_size(height, width)
    codec = models.load(model, tracking_uri)
    write_graph(codec, height, width, out)
    print(f"{out}: encodes {width} x {height} pixels as model {codec.fingerprint.hex()}")
    return 0


def read(image: str, model: str, tracking_uri: str, heldout: bool) -> int:
    """Print the text that the reader, or the held-out reader, finds on an image."""
    from tfic.ocr.page import PPOCRPageReader
    from tfic.ocr.tesseract import TesseractPageReader

    reader = TesseractPageReader() if heldout else PPOCRPageReader()
    picture = images.pixels(_image_to_read(Path(image), model, tracking_uri))
    try:
        text = page_text(reader.read(picture))
    except ImageUnsuitedError as error:
        raise ValueError(f"{image}: {error}") from error
    if text:
        print(text)
    else:
        print(f"{reader.name} finds no text in {image}", file=sys.stderr)
    return 0


def _convert(
    files: Files,
    workers: int | None,
    convert: bulk.Convert,
    suffixes: tuple[tuple[str, ...], tuple[str, ...]],
    quality: float | None = None,
) -> int:
    if workers is not None and workers < 1:
        raise ValueError(f"--workers is {workers}; it must be at least 1")
    found = plan(files.input, files.output, *suffixes)
    model = models.find(files.model, files.tracking_uri)
    codec = checkpoint.load(model)  # a model or quality that is none is told before processes start
    if quality is not None:
        codec.at(quality)
    if not found.several:
        (pair,) = found.pairs
        outcome = convert(codec, pair)
        print(f"{pair.target}: {outcome.pixels:,} pixels, {outcome.coded_bytes:,} bytes coded, {outcome.bpp:.3f} bpp")
        return 0
    make_folder(Path(files.output))
    started = time.perf_counter()
    several = workers or min(usable_cores(), math.ceil(len(found.pairs) / FILES_A_WORKER))
    outcomes = bulk.convert_all(convert, found.pairs, model, several)
    return _summary(outcomes, found.left_alone, time.perf_counter() - started)


def _summary(outcomes: Sequence[Outcome], left_alone: int, seconds: float) -> int:
    done = [each for each in outcomes if not each.failure]
    failed = sorted((each for each in outcomes if each.failure), key=lambda each: each.source)
    mean = sum(each.bpp for each in done) / len(done) if done else 0.0
    print(
        f"{len(done)} files, {sum(each.pixels for each in done):,} pixels, "
        f"{sum(each.coded_bytes for each in done):,} bytes coded, mean bpp {mean:.3f}, {seconds:.1f} s"
    )
    if left_alone:
        print(f"{left_alone} files with other names were left alone")
    for each in failed:
        print(f"failed: {each.failure}", file=sys.stderr)
    if failed:
        print(f"{len(failed)} of {len(outcomes)} files failed", file=sys.stderr)
    return 1 if failed else 0


def _image_to_read(path: Path, model: str, tracking_uri: str) -> Image.Image:
    if not path.is_file():
        raise ValueError(f"no file {path}; give an image, or a {SUFFIX} file with its --model")
    with path.open("rb") as file:
        coded = file.read(len(bitstream.MAGIC)) == bitstream.MAGIC
    if coded and not model:
        raise ValueError(f"{path} is coded; give the --model that wrote it")
    if model and not coded:
        raise ValueError(f"--model decodes {SUFFIX} files, and {path} is none; leave it out")
    if not coded:
        return images.open_image(path)
    return bulk.decode_data(models.load(model, tracking_uri), path.read_bytes(), path)
