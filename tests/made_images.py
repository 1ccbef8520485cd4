"""Image files written byte by byte, as their formats define them, of one known picture."""

import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 7, 13


@dataclass(frozen=True)
class Kind:
    """A kind of file."""

    comes: str
    """What comes, for people."""
    becomes: str
    """What becomes of it, for people."""
    files: dict[str, bytes]
    """Files of that kind by a name for each."""
    pictures: tuple[np.ndarray, ...] = ()
    """What each file shows, or one for all; none where it is refused."""
    refused: str = ""
    """Words of the refusal."""
    within: int = 0
    """By how much a value may be off, for codecs that lose something."""


def picture(bits: int = 8, channels: int = 1) -> np.ndarray:
    """(H, W, C) samples of so many bits: no two rows, columns or channels alike, first black and last white."""
    values = np.arange(HEIGHT * WIDTH * channels).reshape(HEIGHT, WIDTH, channels) * 7919 % ((1 << bits) - 1)
    values[0, 0], values[-1, -1] = 0, (1 << bits) - 1
    return values


def shown(samples: np.ndarray, bits: int) -> np.ndarray:
    """The picture in 8 bits: (H, W) for grey, (H, W, 3) for colour."""
    white = (1 << bits) - 1
    values = (2 * 255 * samples + white) // (2 * white)
    return values[:, :, 0] if values.shape[2] == 1 else values


def packed(samples: np.ndarray, bits: int, order: str = ">") -> bytes:
    """Rows of samples, each padded to whole bytes; of more than 8 bits a power of two in that byte order."""
    if bits in (8, 16, 32):
        return samples.astype(f"{order}u{bits // 8}").tobytes()
    rows = samples.reshape(samples.shape[0], -1)
    places = (rows[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(places.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def tiff(
    samples: np.ndarray, bits: int, photometric: int, *, big: bool = False, planes: bool = False, **more: Sequence[int]
) -> bytes:
    """An uncompressed TIFF; `more` are tags of type SHORT as `t338=(2,)`."""
    order, channels = (">" if big else "<"), samples.shape[2]
    parts = [samples[:, :, c : c + 1] for c in range(channels)] if planes else [samples]
    strips = [packed(each, bits, order) for each in parts]
    tags: dict[int, tuple[str, Sequence[int]]] = {
        256: ("I", [WIDTH]), 257: ("I", [HEIGHT]), 258: ("H", [bits] * channels), 259: ("H", [1]),
        262: ("H", [photometric]), 273: ("I", [0] * len(strips)), 277: ("H", [channels]), 278: ("I", [HEIGHT]),
        279: ("I", [len(each) for each in strips]), 284: ("H", [2 if planes else 1]),
    }  # fmt: skip
    tags |= {int(name[1:]): ("H", values) for name, values in more.items()}
    at = 8 + 2 + 12 * len(tags) + 4
    places = at + np.cumsum([0, *map(len, strips)])
    tags[273] = ("I", [int(each) for each in places[:-1]])
    at, entries, tail = int(places[-1]), b"", b""
    for tag, (form, values) in sorted(tags.items()):
        value = struct.pack(f"{order}{len(values)}{form}", *values)
        if len(value) > 4:
            place = struct.pack(f"{order}I", at + len(tail))
            value, tail = place, tail + value
        entries += struct.pack(f"{order}HHI", tag, 3 if form == "H" else 4, len(values)) + value.ljust(4, b"\0")
    head = (b"MM\0*" if big else b"II*\0") + struct.pack(f"{order}IH", 8, len(tags))
    return head + entries + bytes(4) + b"".join(strips) + tail


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(samples: np.ndarray, bits: int, colour: int, first: bytes = b"", last: bytes = b"") -> bytes:
    """A PNG of that colour type with chunks after its header and before its end."""
    rows = b"".join(b"\0" + packed(row[None], bits) for row in samples)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, colour, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(rows)) + last + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + first + pixels


def bmp(rows: bytes, bits: int, masks: Sequence[int] = (), palette: bytes = b"", down: bool = False) -> bytes:
    """A BMP with a header of 40 bytes, or with four masks one of 108."""
    size, compression = (108, 3) if masks else (40, 0)
    height = -HEIGHT if down else HEIGHT
    header = struct.pack(
        "<IiiHHIIiiII", size, WIDTH, height, 1, bits, compression, len(rows), 0, 0, len(palette) // 4, 0
    )
    header += (struct.pack("<4I", *masks) + bytes(52)) if masks else b""
    at = 14 + size + len(palette)
    return b"BM" + struct.pack("<IHHI", at + len(rows), 0, 0, at) + header + palette + rows


def rows_up(values: np.ndarray) -> bytes:
    """Rows of bytes from the bottom upwards, each padded to a multiple of four, as in a BMP."""
    width = values.reshape(HEIGHT, -1).shape[1]
    return np.pad(values.reshape(HEIGHT, -1)[::-1], ((0, 0), (0, -width % 4))).astype(np.uint8).tobytes()


def bgra(alpha: int | np.ndarray) -> np.ndarray:
    """The picture in colour with a fourth byte, as BMP and TGA have it."""
    colours = picture(8, 3)[:, :, ::-1]
    return np.concatenate([colours, np.broadcast_to(alpha, (HEIGHT, WIDTH))[:, :, None]], axis=2)


def tga(pixels: np.ndarray, bits: int, attributes: int, kind: int = 2, extension: int | None = None) -> bytes:
    """An uncompressed TGA, from the top downwards; `extension` is the attributes type of its extension area."""
    head = struct.pack("<BBBHHBHHHHBB", 0, 0, kind, 0, 0, 0, 0, 0, WIDTH, HEIGHT, bits, 0x20 | attributes)
    data = head + pixels.astype(np.uint8).tobytes()
    if extension is None:
        return data
    area = struct.pack("<H", 495) + bytes(492) + bytes([extension])
    return data + area + struct.pack("<II", len(data), 0) + b"TRUEVISION-XFILE.\0"


def saved(samples: np.ndarray, format: str, **options: Any) -> bytes:
    """What Pillow writes for grey or colour of 8 bits."""
    file = io.BytesIO()
    Image.fromarray(samples.squeeze().astype(np.uint8)).save(file, format, **options)
    return file.getvalue()


def cmyk_jpeg(*, adobe: bool) -> bytes:
    """A JPEG in CMYK of one colour, (200, 100, 50), its values inverted; with or without Adobe's marker."""
    file = io.BytesIO()
    Image.fromarray(np.full((16, 16, 4), (55, 155, 205, 0), np.uint8), "CMYK").save(file, "JPEG", quality=100)
    data = file.getvalue()
    at = data.index(b"\xff\xee")
    return data if adobe else data[:at] + data[at + 2 + struct.unpack_from(">H", data, at + 2)[0] :]


def exif(*entries: tuple[int, int, int, bytes]) -> bytes:
    """A block of EXIF with these tags: tag, type, count and four bytes."""
    listed = b"".join(struct.pack(">HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", len(entries)) + listed + bytes(4)


def on_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    alpha = alpha.astype(np.int64)[..., None] if colours.ndim == 3 else alpha.astype(np.int64)
    return np.round((colours * alpha + 255 * (255 - alpha)) / 255)


GREY, RGB = picture(8), picture(8, 3)
ALPHA = picture(8)[::-1, ::-1, 0]
PALETTE = np.random.default_rng(3).integers(0, 256, (256, 3))
