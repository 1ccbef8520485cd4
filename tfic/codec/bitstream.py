"""The `.tfic` file: its layout, and the checks before it is decoded.

| bytes | field                                                                         |
| ----- | ----------------------------------------------------------------------------- |
| 4     | magic, `TFIC`                                                                 |
| 1     | version of the format                                                         |
| 8     | fingerprint of the model that wrote it                                        |
| 2, 2  | height and width in pixels, 1 to 65535                                        |
| 1     | options: bit 0 is set for a grey image, bit 1 where a quality follows         |
| 2     | check of what decides how the stream is read (see `Coded`)                    |
| 0, 1  | quality in steps of 1/2, where the model has several                          |
| ...   | the coded latents                                                             |
| 4     | CRC-32 of all bytes before                                                    |

Numbers are little-endian. docs/format.md says the same for those who write a decoder of their own.
"""

import struct
import zlib
from dataclasses import dataclass

from tfic.errors import ImageUnsuitedError, TficError

MAGIC = b"TFIC"
VERSION = 2
_HEADER = struct.Struct("<4sB8sHHBH")
OVERHEAD_BYTES = _HEADER.size + 4
MAX_PIXELS = 1 << 26
"""Largest image that is coded (67 megapixels; A4 at 600 dpi has 35): it bounds the memory a file can ask for."""
OTHER_SCALES = (
    "this machine computes other scales than the one that encoded the file (its floats differ), "
    "so the file cannot be decoded here; decode it where it was encoded"
)
"""The message for a file whose check does not match."""
NOT_AT_ITS_END = "the file's stream does not end where its symbols do; it was not made by this codec"
"""The message for a stream with something left after the last symbol."""
LEVELS = 201
"""Qualities that a file can state: 0, 0.5, ... 100."""
_GREY, _QUALITY = 1, 2


class BitstreamError(TficError, ValueError):
    """A file that cannot be decoded: damaged, of another version, or of another model."""


@dataclass(frozen=True)
class Coded:
    """The coded latents of one image."""

    stream: bytes
    """z and y, range coded."""
    check: int
    """16 bits of CRC-32 over the indexes of y's densities. A machine that computes others would decode garbage."""


@dataclass(frozen=True)
class Header:
    """The header of a file."""

    fingerprint: bytes
    """8 bytes that name the model."""
    height_px: int
    """Height of the image."""
    width_px: int
    """Width of the image."""
    grey: bool
    """True for a grey image, which is decoded as a grey image."""
    level: int | None = None
    """Quality in steps of 1/2 (`quality_of_level`); None where the model has one quality only."""


def level_of(quality: float) -> int:
    """The nearest quality that a file can state, counted from 0.

    Raises:
        ValueError: when it is not between 0 and 100.
    """
    if not 0 <= quality <= 100:  # also refuses nan
        raise ValueError(f"quality is {quality}; it must be between 0 (fewest bits) and 100 (closest to the image)")
    return round(quality * (LEVELS - 1) / 100)


def quality_of_level(level: int) -> float:
    """The quality, 0 to 100, that a file states by a level."""
    return 100 * level / (LEVELS - 1)


def pack(coded: Coded, header: Header) -> bytes:
    """The bytes of a file.

    Raises:
        ValueError: when the image is too large for the format.
    """
    check_size(header.height_px, header.width_px)
    options = (_GREY if header.grey else 0) | (0 if header.level is None else _QUALITY)
    quality = b"" if header.level is None else bytes([header.level])
    size = header.height_px, header.width_px
    body = _HEADER.pack(MAGIC, VERSION, header.fingerprint, *size, options, coded.check) + quality + coded.stream
    return body + struct.pack("<I", zlib.crc32(body))


def unpack(data: bytes) -> tuple[Coded, Header]:
    """Coded latents and header of a file.

    Raises:
        BitstreamError: when it is no such file, or damaged.
    """
    if len(data) < OVERHEAD_BYTES or data[:4] != MAGIC:
        raise BitstreamError(f"not a TFIC file: {len(data)} bytes that begin with {data[:4]!r}, not {MAGIC!r}")
    _, version, fingerprint, height, width, options, check = _HEADER.unpack_from(data)
    if version != VERSION:
        raise BitstreamError(f"the file is of format version {version}; this program reads version {VERSION}")
    if zlib.crc32(data[:-4]) != struct.unpack("<I", data[-4:])[0]:
        raise BitstreamError("the file is damaged: its checksum does not match its bytes; get a fresh copy")
    if options & ~(_GREY | _QUALITY):
        known = f"{_GREY:#04x} and {_QUALITY:#04x}"
        raise BitstreamError(f"the file has options {options:#04x}, of which this program knows {known} alone")
    try:
        check_size(height, width)
    except ValueError as error:
        raise BitstreamError(f"the file's header is wrong: {error}") from error
    rest, level = data[_HEADER.size : -4], None
    if options & _QUALITY:
        if not rest or rest[0] >= LEVELS:
            stated = f"states quality {quality_of_level(rest[0]):g}" if rest else "ends before its quality"
            raise BitstreamError(f"the file {stated}; qualities are 0 to 100, so no encoder wrote it")
        rest, level = rest[1:], rest[0]
    return Coded(rest, check), Header(fingerprint, height, width, bool(options & _GREY), level)


def check_size(height: int, width: int) -> None:
    """Raise ImageUnsuitedError unless an image of this size fits into a file."""
    if not (1 <= height <= 65535 and 1 <= width <= 65535 and height * width <= MAX_PIXELS):
        raise ImageUnsuitedError(
            f"an image of {height} x {width} pixels cannot be coded; sides are 1 to 65535, {MAX_PIXELS} pixels in all"
        )
