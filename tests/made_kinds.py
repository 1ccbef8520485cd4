"""Every kind of image file that people have, with what becomes of it: the table of docs/files.md and of its tests."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from made_bitmaps import bitmaps, tiffs
from made_images import (
    ALPHA,
    GREY,
    HEIGHT,
    PALETTE,
    RGB,
    WIDTH,
    Kind,
    chunk,
    cmyk_jpeg,
    exif,
    on_white,
    packed,
    picture,
    png,
    saved,
    shown,
    tiff,
)  # fmt: skip

RIGHT = "as it is declared"


def kinds() -> Iterator[Kind]:
    """The table."""
    yield from _pngs()
    yield from tiffs()
    yield from bitmaps()
    yield from _others()


def _pngs() -> Iterator[Kind]:
    few = (1, 2, 4, 8, 16)
    yield Kind(
        "PNG, grey of 1, 2, 4, 8 or 16 bits",
        "grey; 16 bits are rounded to 8",
        {f"grey{bits}.png": png(picture(bits), bits, 0) for bits in few},
        tuple(shown(picture(bits), bits) for bits in few),
    )
    yield Kind(
        "PNG, colour of 8 or 16 bits",
        "colour; of 16 bits the upper 8",
        {f"rgb{bits}.png": png(picture(bits, 3), bits, 2) for bits in (8, 16)},
        tuple(picture(bits, 3) >> bits - 8 for bits in (8, 16)),
    )
    yield Kind(
        "PNG, palette of 1, 2, 4 or 8 bits",
        "colour",
        {f"palette{bits}.png": png(picture(bits), bits, 3, _palette(bits)) for bits in (1, 2, 4, 8)},
        tuple(PALETTE[picture(bits)[:, :, 0]] for bits in (1, 2, 4, 8)),
    )
    yield Kind(
        "PNG with an alpha channel, 8 or 16 bits, grey or colour",
        "laid on white",
        {
            "rgba8.png": png(np.dstack([RGB, ALPHA]), 8, 6),
            "rgba16.png": png(np.dstack([RGB, ALPHA]) * 257, 16, 6),
            "la8.png": png(np.dstack([GREY, ALPHA]), 8, 4),
            "la16.png": png(np.dstack([GREY, ALPHA]) * 257, 16, 4),
        },
        (on_white(RGB, ALPHA), on_white(RGB, ALPHA), on_white(GREY[:, :, 0], ALPHA), on_white(GREY[:, :, 0], ALPHA)),
    )
    clear = {bits: int(picture(bits)[3, 5, 0]) for bits in few}
    yield Kind(
        "PNG, one value of grey or one colour of 8 bits declared transparent",
        "white there",
        {
            **{
                f"clear{bits}.png": png(picture(bits), bits, 0, chunk(b"tRNS", struct.pack(">H", clear[bits])))
                for bits in few
            },
            "clear-rgb.png": png(RGB, 8, 2, chunk(b"tRNS", struct.pack(">3H", *RGB[3, 5]))),
        },
        (
            *(np.where(picture(b)[:, :, 0] == clear[b], 255, shown(picture(b), b)) for b in few),
            np.where((RGB[3, 5] == RGB).all(2)[..., None], 255, RGB),
        ),
    )
    yield Kind(
        "PNG, one colour of 16 bits a channel declared transparent",
        "refused",
        {"clear-rgb16.png": png(picture(16, 3), 16, 2, chunk(b"tRNS", bytes(6)))},
        refused="a transparent colour of 16 bits",
    )
    plain = png(GREY, 8, 0)
    many = zlib.compress(b"one more step of the history\n" * 150_000)
    extra = {
        "itxt": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + many),
        "ztxt": chunk(b"zTXt", b"parameters\0\0" + many),
        "iccp": chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(3_000_000))),
        "crc": chunk(b"tEXt", b"a\0b")[:-4] + bytes(4),
    }
    ends = {f"{name}-end": plain[:-12] + data + plain[-12:] for name, data in extra.items()}
    yield Kind(
        "PNG with texts, XMP or a profile, of any size or damaged",
        "its pixels; no text and no profile is read",
        {name: plain[:33] + data + plain[33:] for name, data in extra.items()} | ends,
        (GREY[:, :, 0],),
    )


def _palette(bits: int) -> bytes:
    return chunk(b"PLTE", PALETTE[: 1 << bits].astype(np.uint8).tobytes())


def _others() -> Iterator[Kind]:
    smooth = np.linspace(0, 255, 256).reshape(16, 16, 1)
    colour = np.tile([200, 100, 50], (16, 16, 1))
    yield Kind(
        "JPEG, grey or colour",
        RIGHT,
        {"grey.jpg": saved(smooth, "JPEG", quality=100), "rgb.jpg": saved(colour, "JPEG", quality=100)},
        (smooth[:, :, 0], colour),
        within=3,
    )
    yield Kind(
        "JPEG in CMYK with Adobe's marker",
        "colour, as Pillow converts, without a profile",
        {"adobe.jpg": cmyk_jpeg(adobe=True)},
        (colour,),
        within=3,
    )
    yield Kind(
        "JPEG in CMYK without it: nothing says whether 0 is ink or paper",
        "refused",
        {"plain.jpg": cmyk_jpeg(adobe=False)},
        refused="four channels without Adobe's marker",
    )
    as_long = exif((0x0112, 4, 1, b"\0\0\0\6"))
    turned = exif((0x0112, 3, 1, b"\0\6\0\0"), (0x8769, 4, 1, b"\xff\xff\xff\xf0"), (0x010F, 99, 7, b"bad!"))
    comment = b"\xff\xfe\xff\xff" + bytes(65533)
    jpeg = saved(smooth, "JPEG", quality=100)
    yield Kind(
        "EXIF orientation in JPEG, PNG, WebP or TIFF, other tags malformed, comments of megabytes",
        "turned upright; nothing else of EXIF is read",
        {
            "turned.jpg": saved(smooth, "JPEG", quality=100, exif=turned),
            "turned.png": saved(smooth, "PNG", exif=turned),
            "long.png": saved(smooth, "PNG", exif=as_long),
            "turned.webp": saved(np.repeat(smooth, 3, 2), "WEBP", lossless=True, exif=turned),
            "turned.tif": tiff(GREY, 8, 1, t274=(3,)),
            "comments.jpg": jpeg[:2] + comment * 40 + jpeg[2:],
        },
        (
            *(np.rot90(smooth[:, :, 0], -1),) * 3,
            np.repeat(np.rot90(smooth, -1), 3, 2),
            GREY[::-1, ::-1, 0],
            smooth[:, :, 0],
        ),
        within=3,
    )
    yield Kind(
        "WebP and JPEG 2000 without loss, PPM, QOI, PCX",
        RIGHT,
        {
            "x.webp": saved(RGB, "WEBP", lossless=True),
            "x.ppm": saved(RGB, "PPM"),
            "x.qoi": saved(RGB, "QOI"),
            "x.jp2": saved(RGB, "JPEG2000"),
            "x.pcx": saved(RGB, "PCX"),
        },
        (RGB,),
    )
    wide = f"P5 {WIDTH} {HEIGHT} ".encode()
    yield Kind(
        "PGM of any largest value",
        "grey, the largest value is white",
        {
            "pgm4.pgm": wide + b"15\n" + packed(picture(4), 8),
            "pgm12.pgm": wide + b"4095\n" + packed(picture(12), 16),
            "pgm16.pgm": wide + b"65535\n" + packed(picture(16), 16),
        },
        tuple(shown(picture(b), b) for b in (4, 12, 16)),
        within=1,
    )
    yield Kind(
        "formats whose declarations are not all known here (PSD, DDS, FITS, SGI, EPS, ...), and what is no image",
        "refused; save it as a PNG",
        {"x.dds": saved(RGB, "DDS"), "x.sgi": saved(RGB, "SGI"), "x.png": b"text"},
        refused="cannot identify it",
    )
