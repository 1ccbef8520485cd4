"""Classical codecs are files as users would write them."""

import importlib
import io
import math

import numpy as np
import pytest
from PIL import Image

from tfic.errors import ImageUnsuitedError
from tfic.measuring.classical import QUALITIES, classical, uncompressed
from tfic.measuring.metrics import psnr_db
from tfic.synth import draw

PIXELS = draw(0, "test", 0, height_px=128, width_px=160).image
IMAGE = Image.fromarray(PIXELS)


@pytest.mark.parametrize("name", QUALITIES)
def test_more_quality_costs_more_bytes_and_looks_more_like_the_original(name: str) -> None:
    codecs = [classical(name, quality) for quality in (QUALITIES[name][0], QUALITIES[name][-1])]
    files = [codec.encode(IMAGE) for codec in codecs]
    images = [codec.decode(data) for codec, data in zip(codecs, files, strict=True)]
    assert len(files[0]) < len(files[1]) < PIXELS.size
    assert psnr_db(PIXELS, np.asarray(images[0])) < psnr_db(PIXELS, np.asarray(images[1]))
    assert images[0].size == IMAGE.size


@pytest.mark.parametrize("name", QUALITIES)
def test_overhead_is_the_same_codec_s_blank_image(name: str) -> None:
    codec = classical(name, 20)
    assert codec.overhead_bytes(IMAGE) == len(codec.encode(Image.fromarray(np.full_like(PIXELS, 128))))
    assert math.isnan(codec.estimated_bits(IMAGE))


def test_no_compression_loses_nothing_and_costs_three_bytes_a_pixel_and_a_header() -> None:
    codec = uncompressed()
    data = codec.encode(IMAGE)
    assert np.array_equal(np.asarray(codec.decode(data)), PIXELS)
    assert len(data) - codec.overhead_bytes(IMAGE) == PIXELS.size


def test_an_avif_too_long_for_its_decoder_is_not_encoded() -> None:
    with pytest.raises(ImageUnsuitedError, match=r"33000 x 16 .* too large for avif, whose sides go up to 32768"):
        classical("avif", 40).encode(Image.new("RGB", (33_000, 16)))


@pytest.mark.parametrize(
    ("name", "module", "number"),
    [
        ("avif", "PIL.AvifImagePlugin", "DEFAULT_MAX_THREADS"),
        ("jxl", "pillow_jxl.JpegXLImagePlugin", "DECODE_THREADS"),
        ("heic", "pillow_heif.options", "DECODE_THREADS"),
    ],
)
def test_decoders_have_one_thread_and_leave_that_of_others_alone(
    name: str, module: str, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = classical(name, 40)
    data, plugin, opened, seen = codec.encode(IMAGE), importlib.import_module(module), Image.open, list[int]()

    def noted(file: io.BytesIO) -> Image.Image:
        seen.append(getattr(plugin, number))
        return opened(file)

    before = getattr(plugin, number)
    monkeypatch.setattr(Image, "open", noted)
    assert codec.decode(data).size == IMAGE.size
    assert (seen, getattr(plugin, number)) == ([1], before)
    assert before != 1


def test_an_unknown_codec_and_an_impossible_quality_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no classical codec 'jpg'; did you mean 'jpeg'\? There are "):
        classical("jpg", 20)
    with pytest.raises(ValueError, match="jpeg quality is 101; it must be between 0 and 100"):
        classical("jpeg", 101)
