"""Classical codecs are files as users would write them."""

import math

import numpy as np
import pytest
from PIL import Image

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


def test_an_unknown_codec_and_an_impossible_quality_are_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'jpeg'"):
        classical("jpg", 20)
    with pytest.raises(ValueError, match="jpeg quality is 101; it must be between 0 and 100"):
        classical("jpeg", 101)
