"""The `.tfic` file: what it holds, and how it is refused when it does not hold it.

| bytes | field                                                                         |
| ----- | ----------------------------------------------------------------------------- |
| 4     | magic, `TFIC`                                                                 |
| 1     | version of the format                                                         |
| 8     | fingerprint of the model that wrote it                                        |
| 2, 2  | height and width in pixels, 1 to 65535                                        |
| 2     | check of y's scale indexes (see `tfic.codec.entropy.Coded`)                   |
| ...   | rANS stream of z and y                                                        |
| 4     | CRC-32 of all bytes before                                                    |

Numbers are little-endian.
"""

import struct
import zlib

from tfic.codec.entropy import Coded

MAGIC = b"TFIC"
VERSION = 1
_HEADER = struct.Struct("<4sB8sHHH")
OVERHEAD_BYTES = _HEADER.size + 4
MAX_PIXELS = 1 << 27
"""Largest image that is coded (134 megapixels): what bounds the memory a file can ask for."""


class BitstreamError(ValueError):
    """A file that cannot be decoded: damaged, of another version, or of another model."""


def pack(coded: Coded, height: int, width: int, fingerprint: bytes) -> bytes:
    """The bytes of a file.

    Raises:
        ValueError: when the image is too large for the format.
    """
    _check_size(height, width, ValueError)
    body = _HEADER.pack(MAGIC, VERSION, fingerprint, height, width, coded.scales_check) + coded.stream
    return body + struct.pack("<I", zlib.crc32(body))


def unpack(data: bytes, fingerprint: bytes) -> tuple[Coded, int, int]:
    """Coded latents, height and width of a file that the model of `fingerprint` wrote.

    Raises:
        BitstreamError: when it is no such file, or damaged.
    """
    if len(data) < OVERHEAD_BYTES or data[:4] != MAGIC:
        raise BitstreamError(f"not a TFIC file: {len(data)} bytes that begin with {data[:4]!r}, not {MAGIC!r}")
    _, version, written_by, height, width, check = _HEADER.unpack_from(data)
    if version != VERSION:
        raise BitstreamError(f"the file is of format version {version}; this program reads version {VERSION}")
    if zlib.crc32(data[:-4]) != struct.unpack("<I", data[-4:])[0]:
        raise BitstreamError("the file is damaged: its checksum does not match its bytes; get a fresh copy")
    if written_by != fingerprint:
        raise BitstreamError(
            f"the file was written by model {written_by.hex()}, this is model {fingerprint.hex()}; "
            "decode it with the checkpoint that encoded it"
        )
    _check_size(height, width, BitstreamError)
    stream = data[_HEADER.size : -4]
    if len(stream) < 8 or len(stream) % 4:
        raise BitstreamError(f"the file's stream has {len(stream)} bytes; a stream has whole 4-byte words, 8 at least")
    return Coded(stream, check), height, width


def _check_size(height: int, width: int, error: type[ValueError]) -> None:
    if not (1 <= height <= 65535 and 1 <= width <= 65535 and height * width <= MAX_PIXELS):
        raise error(f"an image of {height} x {width} pixels cannot be coded; sides are 1 to 65535, {MAX_PIXELS} in all")
