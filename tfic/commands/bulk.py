"""Encoding and decoding many files on many processes: a file that fails is reported and does not stop the others.

Each process loads the codec once and computes on one thread (`tfic.codec.exact` says why), so files come out alike with
any number of processes.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from tfic.checkpoints import checkpoint
from tfic.codec.bitstream import BitstreamError
from tfic.codec.image_codec import ImageCodec
from tfic.commands.file_plan import Pair
from tfic.pages.images import open_image
from tfic.system.files import leftovers, write_whole
from tfic.system.pool import pool

FORMATS = {".png": "PNG", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF", ".ppm": "PPM"}
"""Endings of decoded images with Pillow's names: formats that lose nothing more."""


@dataclass(frozen=True)
class Outcome:
    """The result for one file."""

    source: Path
    """The file that was read."""
    failure: str = ""
    """The reason for a failure, with the name of the file; "" for none."""
    pixels: int = 0
    """Pixels of the image."""
    coded_bytes: int = 0
    """Bytes of the whole .tfic file."""

    @property
    def bpp(self) -> float:
        """8 * coded_bytes / pixels."""
        return 8 * self.coded_bytes / self.pixels


Convert = Callable[[ImageCodec, Pair], Outcome]
"""Reads a pair's source, writes its target."""


def encode_file(codec: ImageCodec, pair: Pair, quality: float | None = None) -> Outcome:
    """An image to a .tfic file; for `quality` see `ImageCodec.encode`.

    Raises:
        ValueError: when there is no image to encode, or the codec cannot.
    """
    image = open_image(pair.source)
    try:
        data = codec.encode(image, quality)
    except ValueError as error:
        raise ValueError(f"{pair.source}: {error}") from error
    write_whole(pair.target, data)
    return Outcome(pair.source, "", image.width * image.height, len(data))


def decode_file(codec: ImageCodec, pair: Pair) -> Outcome:
    """A .tfic file to an image.

    Raises:
        ValueError: when the file cannot be decoded.
    """
    data = pair.source.read_bytes()
    image = decode_data(codec, data, pair.source)
    picture = io.BytesIO()
    image.save(picture, FORMATS[pair.target.suffix.lower()])
    write_whole(pair.target, picture.getvalue())
    return Outcome(pair.source, "", image.width * image.height, len(data))


def decode_data(codec: ImageCodec, data: bytes, path: Path) -> Image.Image:
    """The image that a file at `path` holds.

    Raises:
        BitstreamError: when it cannot be decoded; names the file.
    """
    try:
        return codec.decode(data)
    except BitstreamError as error:
        raise BitstreamError(f"{path}: {error}") from error


def convert_all(convert: Convert, pairs: Sequence[Pair], model: Path, workers: int) -> list[Outcome]:
    """Convert files on `workers` processes, with a progress bar on a terminal; outcomes come in any order.

    Raises:
        KeyboardInterrupt: when stopped; files that were finished are whole, no others are left.
    """
    with tqdm(total=len(pairs), unit="file", disable=None, leave=False) as bar:
        outcomes = []
        for outcome in _outcomes(convert, pairs, model, min(workers, len(pairs))):
            outcomes.append(outcome)
            bar.update()
    return outcomes


def _outcomes(convert: Convert, pairs: Sequence[Pair], model: Path, workers: int) -> Iterator[Outcome]:
    if workers == 1:
        for pair in pairs:
            yield _outcome(convert, pair, model)
        return
    done = False
    try:
        with pool(workers) as submit:
            futures = {submit(_outcome, convert, pair, model): pair for pair in pairs}
            for future in as_completed(futures):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    source = futures[future].source
                    yield Outcome(source, f"{source}: a process died, perhaps for want of memory; try fewer --workers")
        done = True
    finally:
        for each in () if done else leftovers(pair.target for pair in pairs):
            each.unlink(missing_ok=True)


def _outcome(convert: Convert, pair: Pair, model: Path) -> Outcome:
    try:
        return convert(_codec(model), pair)
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        return Outcome(pair.source, reason if str(pair.source) in reason else f"{pair.source}: {reason}")
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):
            raise
        return Outcome(pair.source, f"{pair.source}: not enough memory for an image of this size")


@cache
def _codec(model: Path) -> ImageCodec:
    """The codec, loaded once in each process."""
    return checkpoint.load(model)
