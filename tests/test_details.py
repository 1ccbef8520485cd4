"""What is kept of a picture beside it: bits by place that sum to the estimate, and what further readers read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tfic
from tfic.measuring import details
from tfic.measuring.classical import classical
from tfic.measuring.details import FILE, Details, block_px, dump, parse
from tfic.measuring.in_processes import measure
from tfic.recipes import recipe
from tfic.synth import draw


def test_bits_by_block_sum_to_the_estimate_and_lie_where_the_text_is() -> None:
    codec = tfic.load("zoo/lite-vbr")
    page = draw(0, "test", 0)
    image = Image.fromarray(page.image[:, :230])
    bits = codec.bits_by_block(image)
    assert bits.sum() == pytest.approx(codec.estimated_bits(image), rel=1e-4)
    side = block_px(256, 230, *bits.shape)
    assert (bits.shape[0] * side, bits.shape[1] * side) == (256, 240)
    flat = np.full_like(page.image, 200)
    flat[:, 128:] = np.random.default_rng(0).integers(0, 255, (256, 128, 3))
    halves = codec.bits_by_block(Image.fromarray(flat))
    half = halves.shape[1] // 2
    assert halves[:, half:].sum() > 5 * halves[:, :half].sum()


@torch.no_grad()
def test_side_information_is_spread_over_the_places_that_it_serves() -> None:
    codec = tfic.build("tic-tiny").eval()
    image = Image.fromarray(draw(0, "test", 1).image[:144])
    bits = codec.bits_by_block(image)
    assert bits.shape == (9, 16)
    assert bits.sum() == pytest.approx(codec.estimated_bits(image), rel=1e-4)


def test_a_measurement_keeps_them_for_its_pictures_and_classical_codecs_have_no_bits(tmp_path: Path) -> None:
    config = recipe("tiny")
    config = replace(config, data=replace(config.data, test_count=2), eval=replace(config.eval, heldout=True))
    measure(classical("webp", 60), config, tmp_path / "webp")
    measure(tfic.load("zoo/lite-vbr"), config, tmp_path / "lite")
    webp, lite = (parse((tmp_path / name / "pictures" / FILE).read_bytes()) for name in ("webp", "lite"))
    pictures = {path.name for path in (tmp_path / "lite" / "pictures").glob("*.png")}
    assert set(webp) == set(lite) == pictures
    assert all(each.bits == () and each.block_px == 0 for each in webp.values())
    assert all(len(each.bits) * each.block_px == 256 for each in lite.values())
    assert all(set(each.texts) == {"tesseract"} for each in (*webp.values(), *lite.values()))
    assert any(each.texts["tesseract"] for each in webp.values())


def test_the_file_is_read_as_it_was_written_and_damage_is_a_sentence() -> None:
    known = {"a.png": Details({"gocr": "é\n1"}, 16, ((1, 2), (3, 4))), "b.png": Details()}
    assert parse(dump(known)) == known
    for damaged in (b"{", b'{"a": 1}', b'{"a": {"texts": {}}}', b"[]"):
        with pytest.raises(ValueError, match=r"details.json is damaged or of another version: .*; measure again"):
            parse(damaged)
    assert details.block_px(100, 200, 7, 13) == 16
