"""Every kind of image becomes 8 bits, RGB or grey, upright, or is refused with its name."""

import contextlib
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from made_files import ready_codec
from PIL import Image
from PIL.MpoImagePlugin import MpoImageFile

from tfic.pages.images import SUFFIXES, open_image, pixels, plain

RNG = np.random.default_rng(0)
RGB = Image.fromarray(RNG.integers(0, 256, (21, 34, 3), dtype=np.uint8))
GREY = Image.fromarray(RNG.integers(0, 256, (21, 34), dtype=np.uint8))
ALPHA = Image.fromarray(RNG.integers(0, 256, (21, 34), dtype=np.uint8))
GREY_16 = RNG.integers(0, 65536, (21, 34)).astype(np.uint16)


def saved(path: Path, image: Image.Image, **options: Any) -> Image.Image:
    image.save(path, **options)
    return open_image(path)


def same(a: Image.Image, b: Image.Image | np.ndarray) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b))


def with_alpha(image: Image.Image, alpha: Image.Image) -> Image.Image:
    image = image.copy()
    image.putalpha(alpha)
    return image


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "webp", "tga"])
def test_rgb_stays_what_it_is(tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    image = saved(tmp_path / f"x.{suffix}", RGB, **options)
    assert image.mode == "RGB"
    assert same(image, RGB)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_grey_stays_grey(tmp_path: Path, suffix: str) -> None:
    image = saved(tmp_path / f"x.{suffix}", GREY)
    assert image.mode == "L"
    assert same(image, GREY)


def test_a_grey_jpeg_stays_grey(tmp_path: Path) -> None:
    assert saved(tmp_path / "x.jpg", GREY).mode == "L"


@pytest.mark.parametrize("suffix", ["png", "tif", "pbm"])
def test_one_bit_becomes_grey(tmp_path: Path, suffix: str) -> None:
    image = saved(tmp_path / f"x.{suffix}", GREY.convert("1"))
    assert image.mode == "L"
    assert same(image, GREY.convert("1").convert("L"))


def test_a_palette_becomes_rgb(tmp_path: Path) -> None:
    image = saved(tmp_path / "x.png", RGB.quantize(16))
    assert image.mode == "RGB"
    assert same(image, RGB.quantize(16).convert("RGB"))
    assert saved(tmp_path / "grey.png", GREY.quantize(16)).mode == "RGB"


def on_white(values: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    alpha = alpha.astype(np.int64)
    return np.round((values * alpha + 255 * (255 - alpha)) / 255)


def test_transparency_lies_on_white_paper(tmp_path: Path) -> None:
    alpha = np.asarray(ALPHA)
    image = saved(tmp_path / "rgba.png", with_alpha(RGB, ALPHA))
    assert image.mode == "RGB"
    assert same(image, on_white(np.asarray(RGB), alpha[:, :, None]))
    image = saved(tmp_path / "la.png", with_alpha(GREY, ALPHA))
    assert image.mode == "L"
    assert same(image, on_white(np.asarray(GREY), alpha))


def test_an_alpha_channel_that_is_all_opaque_changes_nothing(tmp_path: Path) -> None:
    opaque = Image.new("L", RGB.size, 255)
    assert same(saved(tmp_path / "rgba.png", with_alpha(RGB, opaque)), RGB)
    assert same(saved(tmp_path / "la.png", with_alpha(GREY, opaque)), GREY)


def test_premultiplied_alpha_and_palettes_with_alpha_lie_on_white_too() -> None:
    clear = with_alpha(RGB, Image.new("L", RGB.size, 0))
    for image in (
        clear.convert("RGBa"),
        clear.convert("PA"),
        with_alpha(GREY, Image.new("L", RGB.size, 0)).convert("La"),
    ):
        assert np.all(pixels(image) == 255), image.mode


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_a_transparent_colour_of_a_palette_becomes_white(tmp_path: Path, suffix: str) -> None:
    image = Image.new("P", (4, 2), 1)
    image.putpalette([0, 0, 0, 200, 0, 0])
    image.putpixel((0, 0), 0)
    came = saved(tmp_path / f"x.{suffix}", image, transparency=0)
    assert (came.getpixel((0, 0)), came.getpixel((1, 0))) == ((255, 255, 255), (200, 0, 0))


def test_a_transparent_value_of_a_png_becomes_white(tmp_path: Path) -> None:
    grey = saved(tmp_path / "grey.png", Image.new("L", (3, 3), 9), transparency=9)
    assert (grey.mode, grey.getpixel((0, 0))) == ("L", 255)
    rgb = saved(tmp_path / "rgb.png", Image.new("RGB", (3, 3), (9, 8, 7)), transparency=(9, 8, 7))
    assert rgb.getpixel((1, 1)) == (255, 255, 255)
    deep = Image.fromarray(np.full((3, 3), 900, np.uint16))
    assert saved(tmp_path / "deep.png", deep, transparency=900).getpixel((1, 1)) == 255


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_of_16_bits_is_divided_by_257(tmp_path: Path, suffix: str) -> None:
    image = saved(tmp_path / f"x.{suffix}", Image.fromarray(GREY_16))
    assert image.mode == "L"
    assert same(image, np.round(GREY_16 / 257))


def test_big_endian_and_32_bit_grey_are_the_same(tmp_path: Path) -> None:
    values = GREY_16.astype(">u2")
    big = Image.frombytes("I;16B", (34, 21), values.tobytes())
    assert same(saved(tmp_path / "big.tif", big), np.round(GREY_16 / 257))
    assert same(saved(tmp_path / "wide.tif", Image.fromarray(GREY_16.astype(np.int32))), np.round(GREY_16 / 257))
    assert same(plain(Image.fromarray(np.array([[0, 128, 129, 65535]], np.int32))), [[0, 0, 1, 255]])


@pytest.mark.parametrize("value", [-1, 65536])
def test_grey_outside_of_16_bits_is_refused(tmp_path: Path, value: int) -> None:
    with pytest.raises(ValueError, match=rf"x.tif cannot be read .*go from {value} to {value}; .* 0 to 65535"):
        saved(tmp_path / "x.tif", Image.fromarray(np.full((2, 2), value, np.int32)))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_of_rgb_of_16_bits_the_upper_8_are_kept(tmp_path: Path, suffix: str) -> None:
    values = np.random.default_rng(1).integers(0, 65536, (5, 7, 3)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / f"x.{suffix}"), values)
    assert same(open_image(tmp_path / f"x.{suffix}"), values[:, :, ::-1] >> 8)


def test_floats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"x.tif cannot be read \(it holds floats"):
        saved(tmp_path / "x.tif", Image.fromarray(np.ones((2, 2), np.float32)))


@pytest.mark.parametrize(("mode", "suffix"), [("CMYK", "jpg"), ("CMYK", "tif"), ("LAB", "tif"), ("YCbCr", "tif")])
def test_other_colours_become_rgb_as_pillow_converts(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    image = RGB.convert(mode) if mode != "LAB" else Image.merge("LAB", RGB.split())
    assert saved(path, image).mode == "RGB"
    with Image.open(path) as opened:
        assert same(open_image(path), opened.convert("RGB"))


def test_hsv_becomes_rgb() -> None:
    assert same(plain(RGB.convert("HSV")), RGB.convert("HSV").convert("RGB"))


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_what_a_camera_turned_is_upright_once(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for image in (RGB, GREY, Image.fromarray(GREY_16)) if suffix in ("png", "tif") else (RGB,):
        upright = saved(tmp_path / f"x.{suffix}", image, exif=exif)
        assert upright.size == (21, 34)
        assert same(plain(upright), upright)
        if suffix in ("png", "tif"):
            assert same(upright, np.rot90(np.asarray(plain(image)), -1))


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_several_frames_are_refused_with_their_number(tmp_path: Path, suffix: str) -> None:
    others = [RGB.rotate(90), RGB.rotate(180)]
    with pytest.raises(ValueError, match=rf"x.{suffix} cannot be read \(it has 3 frames, pages or layers; extract"):
        saved(tmp_path / f"x.{suffix}", RGB, save_all=True, append_images=others)


def test_a_gif_of_one_frame_is_an_image(tmp_path: Path) -> None:
    assert saved(tmp_path / "x.gif", RGB.quantize(8)).size == RGB.size


def test_of_a_phone_s_jpeg_with_extras_the_first_picture_is_taken(tmp_path: Path) -> None:
    red, blue = (Image.new("RGB", (16, 16), colour) for colour in ("red", "blue"))
    red.save(tmp_path / "x.jpg", "MPO", save_all=True, append_images=[blue])
    with Image.open(tmp_path / "x.jpg") as opened:
        assert isinstance(opened, MpoImageFile)
        assert (opened.format, opened.n_frames) == ("MPO", 2)
    assert pixels(open_image(tmp_path / "x.jpg"))[8, 8, 0] > 200


def test_of_an_icon_the_largest_size_is_taken(tmp_path: Path) -> None:
    assert saved(tmp_path / "x.ico", RGB.resize((64, 64)), sizes=[(16, 16), (64, 64)]).size == (64, 64)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "gif", "bmp"])
def test_what_is_cut_short_is_refused_with_its_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    RGB.save(path)
    content = path.read_bytes()
    for size in (0, 3, len(content) // 2):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match=rf"image .*x.{suffix} cannot be read \(."):
            open_image(path)


def test_broken_bytes_never_raise_anything_but_value_errors(tmp_path: Path) -> None:
    path = tmp_path / "x"
    chance = np.random.default_rng(7)
    for suffix in ("png", "jpeg", "tiff", "gif", "webp", "bmp", "avif", "dds", "ppm"):
        RGB.save(path, suffix)
        content = np.frombuffer(path.read_bytes(), np.uint8)
        for _ in range(25):
            broken = content.copy()
            broken[chance.integers(0, min(len(broken), 150), 3)] = chance.integers(0, 256, 3)
            path.write_bytes(broken.tobytes())
            with contextlib.suppress(ValueError):
                open_image(path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_decompression_bomb_is_refused_before_it_goes_off(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    for side in (9_500, 60_000):  # above Pillow's limit and above twice the limit, where it warns and where it raises
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
        bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
        (tmp_path / "bomb.png").write_bytes(bomb)
        with pytest.raises(ValueError, match=r"bomb.png cannot be read \(.*(more than 89,478,485|decompression bomb)"):
            open_image(tmp_path / "bomb.png")


def test_threads_that_open_images_leave_the_warnings_of_the_process_alone(tmp_path: Path) -> None:
    RGB.save(tmp_path / "x.png")
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as threads:
        seen = list(threads.map(lambda _: (open_image(tmp_path / "x.png"), list(warnings.filters))[1], range(200)))
    assert warnings.filters == before
    assert all(each == before for each in seen), "for a while a warning was an error, or an error a warning, for all"


def test_no_pixels_no_image_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="0 x 5; an image has at least one pixel"):
        plain(Image.new("RGB", (0, 5)))
    (tmp_path / "x.png").write_text("text")
    for name, words in (("x.png", "cannot identify"), ("none.png", "No such file"), ("", "Is a directory")):
        with pytest.raises(ValueError, match=rf"cannot be read \(.*{words}"):
            open_image(tmp_path / name)


def test_a_codec_sees_images_as_this_file_says(tmp_path: Path) -> None:
    codec = ready_codec()
    assert codec.decode(codec.encode(with_alpha(GREY, ALPHA))).mode == "L"
    clear = with_alpha(RGB, Image.new("L", RGB.size, 0))
    assert codec.encode(clear) == codec.encode(Image.new("RGB", RGB.size, "white"))


def test_names_of_images_are_known_to_pillow() -> None:
    Image.init()
    assert set(SUFFIXES) - {".mpo"} <= set(Image.registered_extensions())
