"""The commands `encode`, `decode`, `info`, `read` and `export`; each returns an exit code."""

import argparse
import math
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PIL import Image

from tfic import bulk, checkpoint, images, models
from tfic.bulk import Outcome
from tfic.codec import bitstream
from tfic.cores import usable_cores
from tfic.errors import ImageUnsuitedError
from tfic.file_plan import make_folder, plan
from tfic.lines import page_text

FILES_A_WORKER = 50
"""Files per process: to start another process for fewer takes longer than it saves."""
SUFFIX = ".tfic"
"""The ending of names of coded files."""


def encode(args: argparse.Namespace) -> int:
    """Images to .tfic files."""
    convert = bulk.encode_file if args.quality is None else partial(bulk.encode_file, quality=args.quality)
    return _convert(args, convert, images.SUFFIXES, (SUFFIX,), args.quality)


def decode(args: argparse.Namespace) -> int:
    """.tfic files to images."""
    return _convert(args, bulk.decode_file, (SUFFIX,), tuple(bulk.FORMATS))


def export(args: argparse.Namespace) -> int:
    """A codec's encoder as an ONNX graph."""
    from tfic.export import export as write_graph  # ONNX's exporter takes a second to import

    out = Path(args.output)
    if out.suffix != ".onnx" or not out.parent.is_dir():
        raise ValueError(f"{out} must end in .onnx and lie in a folder that exists")
    bitstream.check_size(args.height, args.width)
    codec = models.load(args.model, args.tracking_uri)
    write_graph(codec, args.height, args.width, out)
    print(f"{out}: encodes {args.width} x {args.height} pixels as model {codec.fingerprint.hex()}")
    return 0


def info(args: argparse.Namespace) -> int:
    """Print the header of a .tfic file, or the settings of a checkpoint."""
    path = Path(args.file)
    coded = path.is_file() and path.suffix != ".safetensors"
    for name, value in (_of_coded(path, args) if coded else _of_checkpoint(args)).items():
        print(f"{name:12} {value}")
    return 0


def read(args: argparse.Namespace) -> int:
    """Print the text that the reader, or the held-out reader, finds on an image."""
    from tfic.ocr.page import PPOCRPageReader
    from tfic.ocr.tesseract import TesseractPageReader

    reader = TesseractPageReader() if args.heldout else PPOCRPageReader()
    picture = images.pixels(_image_to_read(args))
    try:
        text = page_text(reader.read(picture))
    except ImageUnsuitedError as error:
        raise ValueError(f"{args.image}: {error}") from error
    if text:
        print(text)
    else:
        print(f"{reader.name} finds no text in {args.image}", file=sys.stderr)
    return 0


def _convert(
    args: argparse.Namespace,
    convert: bulk.Convert,
    reads: tuple[str, ...],
    writes: tuple[str, ...],
    quality: float | None = None,
) -> int:
    if args.workers is not None and args.workers < 1:
        raise ValueError(f"--workers is {args.workers}; it must be at least 1")
    files = plan(args.input, args.output, reads, writes)
    model = models.find(args.model, args.tracking_uri)
    codec = checkpoint.load(model)  # a model or quality that is none is told before processes start
    if quality is not None:
        codec.at(quality)
    if not files.several:
        (pair,) = files.pairs
        outcome = convert(codec, pair)
        print(f"{pair.target}: {outcome.pixels:,} pixels, {outcome.coded_bytes:,} bytes coded, {outcome.bpp:.3f} bpp")
        return 0
    make_folder(Path(args.output))
    started = time.perf_counter()
    workers = args.workers or min(usable_cores(), math.ceil(len(files.pairs) / FILES_A_WORKER))
    outcomes = bulk.convert_all(convert, files.pairs, model, workers)
    return _summary(outcomes, files.left_alone, time.perf_counter() - started)


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


def _of_coded(path: Path, args: argparse.Namespace) -> dict[str, str]:
    data = path.read_bytes()
    try:
        coded, header = bitstream.unpack(data)
    except bitstream.BitstreamError as error:
        raise bitstream.BitstreamError(f"{path}: {error}") from error
    found = {
        "format": f"TFIC version {bitstream.VERSION}",
        "model": header.fingerprint.hex(),
        "size": f"{header.width_px} x {header.height_px} pixels",
        "grey": "yes" if header.grey else "no",
        **({} if header.level is None else {"quality": f"{header.level / 2:g} of 100"}),
        "stream": f"{len(coded.stream):,} bytes",
        "file": f"{len(data):,} bytes",
        "bpp": f"{8 * len(data) / (header.width_px * header.height_px):.4f}",
    }
    if args.model:
        own = models.load(args.model, args.tracking_uri).fingerprint
        found["written by"] = args.model if own == header.fingerprint else f"another model than {args.model}"
    return found


def _of_checkpoint(args: argparse.Namespace) -> dict[str, str]:
    if args.model:
        raise ValueError(f"--model tells who wrote a {SUFFIX} file, and {args.file} is none; leave it out")
    path = models.find(args.file, args.tracking_uri)
    config, codec = checkpoint.config_of(path), checkpoint.load(path)
    steps = f"{config.train.pretrain_steps:,}"
    return {
        "codec": config.codec,
        "lambda": str(config.lmbda),
        "gamma": str(config.gamma),
        "steps": f"{steps} + {config.train.finetune_steps:,}" if config.gamma else steps,
        **({} if codec.level is None else {"quality": f"0 to 100; {codec.level / 2:g} where none is asked for"}),
        "fingerprint": codec.fingerprint.hex(),
        "parameters": f"{sum(each.numel() for each in codec.parameters()):,}",
        "file": f"{path.stat().st_size:,} bytes",
    }


def _image_to_read(args: argparse.Namespace) -> Image.Image:
    path = Path(args.image)
    if not path.is_file():
        raise ValueError(f"no file {path}; give an image, or a {SUFFIX} file with its --model")
    with path.open("rb") as file:
        coded = file.read(len(bitstream.MAGIC)) == bitstream.MAGIC
    if coded and not args.model:
        raise ValueError(f"{path} is coded; give the --model that wrote it")
    if args.model and not coded:
        raise ValueError(f"--model decodes {SUFFIX} files, and {path} is none; leave it out")
    return (
        bulk.decode_data(models.load(args.model, args.tracking_uri), path.read_bytes(), path)
        if coded
        else images.open_image(path)
    )
