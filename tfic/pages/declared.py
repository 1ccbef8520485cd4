"""What a file declares about its own pixels: what decides them is kept for the decoder, everything else is left out.

A PNG is read without its texts and profiles, a JPEG without its application data, a TIFF without the tags that say
nothing about pixels: a megabyte of history or one malformed tag cannot refuse an image. Of EXIF the orientation counts.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping

NEGATIVE = "tfic: white is zero"
"""Key in an image's `info`: its values are to be inverted."""
NO_ALPHA = "tfic: no alpha declared"
"""Key in an image's `info`: its alpha channel is padding."""
UNDECLARED = "tfic: a fourth channel without a name"
"""Key in an image's `info`: its fourth channel is alpha if it is anything."""
PREMULTIPLIED = "tfic: premultiplied"
"""Key in an image's `info`: its colours are multiplied by alpha already."""

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_DECIDES = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf", b"acTL", b"fcTL", b"fdAT")
_JPEG_METADATA = frozenset((*range(0xE1, 0xEE), 0xEF, 0xFE))
"""Markers of application data and comments; not JFIF's (0xE0) and Adobe's (0xEE), which say what the colours are."""
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BITS, _PHOTOMETRIC, _SAMPLES, _PLANAR, _COLOURS, _INKS, _EXTRA, _FORMAT = (
    258, 262, 277, 284, 320, 332, 338, 339,
)  # fmt: skip
_TIFF_DECIDES = frozenset((
    254, 256, 257, _BITS, 259, _PHOTOMETRIC, 266, 273, 274, _SAMPLES, 278, 279, _PLANAR, 292, 293, 317, _COLOURS, 322,
    323, 324, 325, _INKS, _EXTRA, _FORMAT, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532,
))  # fmt: skip
"""Tags that say where pixels lie, how they are coded and which way is up."""
_ORIENTATION = 274


def deciding(data: bytes) -> tuple[bytes, dict[str, bool]]:
    """A file with what decides its pixels and nothing else, and notes for `info` of what Pillow does not look at.

    Raises:
        ValueError: when the file declares what is not honoured here.
    """
    if data.startswith(_PNG):
        return _PNG + b"".join(_png_chunks(data)), {}
    if data.startswith(b"\xff\xd8\xff"):
        return data[:2] + b"".join(_jpeg_segments(data)), {}
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _tiff(data)
    return data, {}


def tga_notes(data: bytes) -> dict[str, bool]:
    """Notes for `info` about the alpha channel that a TGA declares, in its header or its extension area."""
    kind = None
    if data[-18:] == b"TRUEVISION-XFILE.\0":
        (extension,) = struct.unpack_from("<I", data, len(data) - 26)
        kind = data[extension + 494] if extension > 0 and extension + 494 < len(data) else None
    declared = data[17] & 15 and kind not in (0, 1, 2)
    return {NO_ALPHA: not (declared or kind in (3, 4)), PREMULTIPLIED: kind == 4}


def orientation(exif: bytes) -> int:
    """The orientation in a block of EXIF, 1 to 8; 1 where there is none that can be read."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 8:
        return 1
    (at,) = struct.unpack_from(f"{order}I", exif, 4)
    count = struct.unpack_from(f"{order}H", exif, at)[0] if at + 2 <= len(exif) else 0
    for entry in range(at + 2, min(at + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind, number = struct.unpack_from(f"{order}HHI", exif, entry)
        form = {3: "H", 4: "I"}.get(kind)  # some writers take LONG for SHORT
        if tag == _ORIENTATION and number == 1 and form:
            (value,) = struct.unpack_from(order + form, exif, entry + 8)
            return int(value) if 1 <= value <= 8 else 1
    return 1


def _png_chunks(data: bytes) -> Iterator[bytes]:
    """The chunks that decide pixels; a transparent grey of few bits in the 8 bits that Pillow makes of it."""
    depth, colour, at = 8, 0, len(_PNG)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        chunk = data[at : at + 12 + length]
        at += len(chunk)
        if kind == b"IHDR" and length == 13:
            depth, colour = chunk[16], chunk[17]
        if kind == b"tRNS" and colour == 2 and depth == 16:
            raise ValueError("it declares a transparent colour of 16 bits a channel; save it with an alpha channel")
        if kind == b"tRNS" and colour == 0 and depth < 8 and length == 2:
            value = (struct.unpack_from(">H", chunk, 8)[0] & ((1 << depth) - 1)) * 255 // ((1 << depth) - 1)
            chunk = chunk[:8] + struct.pack(">H", value) + chunk[10:]
            chunk = chunk[:-4] + struct.pack(">I", zlib.crc32(chunk[4:-4]))
        if kind in _PNG_DECIDES:
            yield chunk
    yield data[at:]


def _jpeg_segments(data: bytes) -> Iterator[bytes]:
    """The segments that decide pixels, EXIF, and all from the first scan on."""
    at, adobe = 2, False
    while at + 4 <= len(data) and data[at] == 0xFF and 0xC0 <= data[at + 1] < 0xFF and data[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", data, at + 2)
        segment = data[at : at + 2 + length]
        adobe = adobe or segment[1] == 0xEE
        if segment[1] in _JPEG_FRAMES and segment[9:10] == b"\4" and not adobe:
            raise ValueError("it has four channels without Adobe's marker, which says what 0 means; save it as RGB")
        if segment[1] not in _JPEG_METADATA or (segment[1] == 0xE1 and segment[4:10] == b"Exif\0\0"):
            yield segment
        at += len(segment)
    yield data[at:]


def _tiff(data: bytes) -> tuple[bytes, dict[str, bool]]:
    """The first directory without tags that decide nothing, and with declarations that Pillow honours.

    One sample a pixel lies in one plane whatever is declared, white as zero in more than 8 bits becomes a note, and a
    table of colours of 8 bits one of 16.
    """
    order, big = "<" if data[:1] == b"I" else ">", 43 in data[2:4]
    count_form, word, size = (f"{order}Q", f"{order}Q", 20) if big else (f"{order}H", f"{order}I", 12)
    (first,) = struct.unpack_from(word, data.ljust(16, b"\0"), 8 if big else 4)
    start = first + struct.calcsize(count_form)
    if start > len(data):
        return data, {}  # cut short: Pillow says so
    (count,) = struct.unpack_from(count_form, data, first)
    end = start + count * size
    if end + struct.calcsize(word) > len(data):
        return data, {}
    entries: dict[int, bytes] = {}
    for at in range(start, end, size):
        (tag,) = struct.unpack_from(f"{order}H", data, at)
        if tag in _TIFF_DECIDES:
            entries.setdefault(tag, data[at : at + size])
    declared = {tag: _values(data, entry, order, big) for tag, entry in entries.items()}
    samples, bits = max(declared.get(_SAMPLES, (1,))), max(declared.get(_BITS, (1,)))
    _check_tiff(declared, samples, bits)
    result = bytearray(data)
    if samples == 1:
        entries.pop(_PLANAR, None)
    negative = declared.get(_PHOTOMETRIC) == (0,) and 8 < bits <= 16 and samples == 1
    if negative:
        room = 8 if big else 4
        entries[_PHOTOMETRIC] = entries[_PHOTOMETRIC][:-room] + struct.pack(f"{order}H", 1).ljust(room, b"\0")
    colours = declared.get(_COLOURS, ())
    if colours and max(colours) < 256:
        (at,) = struct.unpack_from(word, entries[_COLOURS], size - struct.calcsize(word))
        result[at : at + 2 * len(colours)] = struct.pack(f"{order}{len(colours)}H", *(257 * each for each in colours))
    kept = b"".join(entries[tag] for tag in sorted(entries))
    directory = struct.pack(count_form, len(entries)) + kept + data[end : end + struct.calcsize(word)]
    result[first : first + len(directory)] = directory
    undeclared = samples == 4 and declared.get(_PHOTOMETRIC) == (2,) and _EXTRA not in entries
    return bytes(result), {NEGATIVE: negative, UNDECLARED: undeclared}


def _values(data: bytes, entry: bytes, order: str, big: bool) -> tuple[int, ...]:
    """Values of a TIFF tag of type SHORT or LONG; none of another type or beyond the file's end."""
    kind, count = struct.unpack_from(f"{order}HQ" if big else f"{order}HI", entry, 2)
    form = {3: "H", 4: "I"}.get(kind)
    if form is None or count > 3 * 65536:
        return ()
    room, word = entry[12:] if big else entry[8:], f"{order}Q" if big else f"{order}I"
    values = f"{order}{count}{form}"
    if struct.calcsize(values) <= len(room):
        return struct.unpack_from(values, room)
    (at,) = struct.unpack(word, room)
    return struct.unpack_from(values, data, at) if at + struct.calcsize(values) <= len(data) else ()


def _check_tiff(declared: Mapping[int, tuple[int, ...]], samples: int, bits: int) -> None:
    """Raise ValueError for declarations that Pillow would pass over in silence."""
    if 2 in declared.get(_FORMAT, ()) and bits < 32:
        raise ValueError(f"it holds signed numbers of {bits} bits, which have no agreed black and white")
    if samples > 1 and declared.get(_PLANAR) == (2,) and bits != 8:
        raise ValueError(f"it holds its channels in planes of {bits} bits; save it with 8 bits, or as a PNG")
    if declared.get(_INKS, (1,)) == (2,):
        raise ValueError("it holds inks other than cyan, magenta, yellow and black; save it as RGB")
