"""The kinds of TIFF, BMP and TGA files that people have, for `made_kinds`."""

from collections.abc import Iterator

import numpy as np
from made_images import ALPHA, GREY, PALETTE, RGB, Kind, bgra, bmp, on_white, packed, picture, rows_up, shown, tga, tiff


def tiffs() -> Iterator[Kind]:
    whole = (1, 2, 4, 8)
    yield Kind(
        "TIFF, grey of 1, 2, 4, 8, 12 or 16 bits, white as the largest value or as zero (photometric 1, 0)",
        "grey, black on white as declared",
        {
            f"grey{b}-{p}-{'MM' if big else 'II'}.tif": tiff(
                picture(b) if p else (1 << b) - 1 - picture(b), b, p, big=big
            )
            for b, p, big in _greys()
        },
        tuple(shown(picture(b), b) for b, _, _ in _greys()),
    )
    yield Kind(
        "TIFF, one channel that is called a plane of its own (PlanarConfiguration 2)",
        "grey",
        {f"plane{b}.tif": tiff((1 << b) - 1 - picture(b), b, 0, planes=True) for b in (*whole, 16)},
        tuple(shown(picture(b), b) for b in (*whole, 16)),
    )
    colours = {bits: PALETTE[: 1 << bits].T.flatten() for bits in whole}
    yield Kind(
        "TIFF, palette of 1, 2, 4 or 8 bits, its colours of 16 bits or, against the rule, of 8",
        "colour",
        {f"palette{b}-{n}.tif": tiff(picture(b), b, 3, t320=colours[b] * n) for b in whole for n in (1, 257)},
        tuple(PALETTE[picture(b)[:, :, 0]] for b in whole for _ in (1, 257)),
    )
    yield Kind(
        "TIFF, colour of 8 or 16 bits, channels together, or of 8 bits in planes",
        "colour; of 16 bits the upper 8",
        {
            "rgb8.tif": tiff(RGB, 8, 2),
            "rgb8-planes.tif": tiff(RGB, 8, 2, planes=True),
            "rgb16.tif": tiff(RGB * 257, 16, 2),
            "rgb16-MM.tif": tiff(RGB * 257, 16, 2, big=True),
        },
        (RGB,),
    )
    four, padding = np.dstack([RGB, ALPHA]), np.dstack([RGB, 0 * ALPHA])
    multiplied = np.dstack([np.round(RGB * (ALPHA[..., None] / 255)).astype(int), ALPHA])
    yield Kind(
        "TIFF with a fourth channel: alpha (ExtraSamples 1, 2), something else (0), or undeclared",
        "alpha is laid on white; something else is left out, and so is what is undeclared and zero everywhere",
        {
            "alpha2.tif": tiff(four, 8, 2, t338=(2,)),
            "alpha2-planes.tif": tiff(four, 8, 2, planes=True, t338=(2,)),
            "alpha1.tif": tiff(multiplied, 8, 2, t338=(1,)),
            "extra0.tif": tiff(four, 8, 2, t338=(0,)),
            "undeclared.tif": tiff(padding, 8, 2),
        },
        (on_white(RGB, ALPHA), on_white(RGB, ALPHA), on_white(RGB, ALPHA), RGB, RGB),
        within=1,
    )
    cmyk = np.concatenate([255 - RGB, 0 * GREY], axis=2)
    yield Kind(
        "TIFF, CMYK of 8 bits (photometric 5)",
        "colour, as Pillow converts, without a profile",
        {"cmyk.tif": tiff(cmyk, 8, 5), "cmyk-planes.tif": tiff(cmyk, 8, 5, planes=True)},
        (RGB,),
        within=1,
    )
    yield Kind(
        "TIFF: floats, signed numbers, 16 bits in planes, inks other than CMYK, masks (photometric 4), "
        "grey of 6, 10, 14 or 32 bits that is not within 16, raw data of a camera",
        "refused",
        {
            "float.tif": tiff(picture(32), 32, 1, t339=(3,)),
            "signed8.tif": tiff(GREY, 8, 1, t339=(2,)),
            "signed16.tif": tiff(picture(16), 16, 1, t339=(2,)),
            "planes16.tif": tiff(RGB * 257, 16, 2, planes=True),
            "inks.tif": tiff(cmyk, 8, 5, t332=(2,)),
            "mask.tif": tiff(picture(1), 1, 4),
            "grey6.tif": tiff(picture(6), 6, 1),
            "grey10.tif": tiff(picture(10), 10, 1),
            "grey14.tif": tiff(picture(14), 14, 0),
            "grey32.tif": tiff(picture(32), 32, 1),
            "grey32-0.tif": tiff(picture(32), 32, 0),
            "raw.tif": tiff(picture(16), 16, 32803),
        },
        refused="cannot be read",
    )


def _greys() -> list[tuple[int, int, bool]]:
    return [(b, p, big) for b in (1, 2, 4, 8, 12, 16) for p in (0, 1) for big in (False, True) if not (b == 12 and big)]


def bitmaps() -> Iterator[Kind]:
    five = RGB >> 3
    r5, g5, b5 = (five[:, :, c].astype(np.uint16) for c in range(3))
    g6 = (RGB[:, :, 1] >> 2).astype(np.uint16)
    colours5 = np.dstack([(each * 255 + 15) // 31 for each in five.transpose(2, 0, 1)])
    colours6 = np.dstack([colours5[:, :, 0], (g6.astype(int) * 255 + 31) // 63, colours5[:, :, 2]])
    sixteen = [np.ascontiguousarray(each.astype("<u2")[..., None]).view(np.uint8) for each in (
        r5 << 10 | g5 << 5 | b5, r5 << 11 | g6 << 5 | b5)]  # fmt: skip
    quads = np.pad(PALETTE[:, ::-1], ((0, 0), (0, 1))).astype(np.uint8)
    few = (1, 4, 8)
    yield Kind(
        "BMP, palette of 1, 4 or 8 bits",
        "colour",
        {
            f"palette{b}.bmp": bmp(
                rows_up(np.frombuffer(packed(picture(b), b), np.uint8)), b, palette=quads[: 1 << b].tobytes()
            )
            for b in few
        },
        tuple(PALETTE[picture(b)[:, :, 0]] for b in few),
    )
    yield Kind(
        "BMP of 24 bits, from the bottom or the top; of 16 bits in 555 or 565",
        "colour",
        {
            "rgb.bmp": bmp(rows_up(RGB[:, :, ::-1]), 24),
            "down.bmp": bmp(rows_up(RGB[::-1, :, ::-1]), 24, down=True),
            "555.bmp": bmp(rows_up(sixteen[0]), 16),
            "565.bmp": bmp(rows_up(sixteen[1]), 16, masks=(0xF800, 0x7E0, 0x1F, 0)),
        },
        (RGB, RGB, colours5, colours6),
        within=1,
    )
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    yield Kind(
        "BMP of 32 bits without a mask of alpha, or with one and alpha zero everywhere",
        "colour; the fourth byte is padding",
        {
            "plain.bmp": bmp(rows_up(bgra(0)), 32),
            "any.bmp": bmp(rows_up(bgra(ALPHA)), 32),
            "nomask.bmp": bmp(rows_up(bgra(ALPHA)), 32, masks=(*masks[:3], 0)),
            "zero.bmp": bmp(rows_up(bgra(0)), 32, masks=masks),
        },
        (RGB,),
    )
    yield Kind(
        "BMP of 32 bits with a mask of alpha",
        "laid on white",
        {"alpha.bmp": bmp(rows_up(bgra(ALPHA)), 32, masks=masks)},
        (on_white(RGB, ALPHA),),
    )
    yield Kind(
        "TGA of 24 or 32 bits without attribute bits, with alpha zero everywhere, or called none or undefined by its "
        "extension area",
        "colour; the fourth byte is padding",
        {
            "rgb.tga": tga(RGB[:, :, ::-1], 24, 0),
            "none0.tga": tga(bgra(0), 32, 0),
            "none.tga": tga(bgra(ALPHA), 32, 0),
            "zero.tga": tga(bgra(0), 32, 8),
            **{f"type{kind}.tga": tga(bgra(ALPHA), 32, 8, extension=kind) for kind in (0, 1, 2)},
        },
        (RGB,),
    )
    rounded = np.dstack([np.round(RGB[:, :, ::-1] * (ALPHA[..., None] / 255)), ALPHA])
    yield Kind(
        "TGA with 8 attribute bits; with colours multiplied by alpha (type 4)",
        "laid on white",
        {
            "alpha.tga": tga(bgra(ALPHA), 32, 8),
            "type3.tga": tga(bgra(ALPHA), 32, 8, extension=3),
            "type4.tga": tga(rounded, 32, 8, extension=4),
        },
        (on_white(RGB, ALPHA),),
        within=1,
    )
    yield Kind(
        "TGA of 16 bits, without attribute bits or with one that is zero everywhere",
        "colour of 5 bits a channel",
        {"555.tga": tga(sixteen[0], 16, 0), "5551.tga": tga(sixteen[0], 16, 1)},
        (colours5,),
        within=1,
    )
