"""Every number comes from the bytes of a file and the pixels it gives back."""

import csv
import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfic import metrics
from tfic.classical import classical, uncompressed
from tfic.evaluate import evaluate, measure
from tfic.lines import Page, page_text
from tfic.ocr.page import PPOCRPageReader
from tfic.recipes import recipe
from tfic.row import MEASURES, Row, means
from tfic.synth import draw


@pytest.fixture(scope="module")
def reader() -> PPOCRPageReader:
    return PPOCRPageReader(detect_side_px=256)


def test_a_row_is_what_its_definitions_say(reader: PPOCRPageReader) -> None:
    page = draw(0, "test", 0)
    codec = classical("jpeg", 20)
    kept: list[np.ndarray] = []
    (row,) = evaluate(codec, [page], reader, on_row=lambda _, x_hat: kept.append(x_hat))
    data = codec.encode(Image.fromarray(page.image))
    x_hat = np.asarray(codec.decode(data))
    assert np.array_equal(kept[0], x_hat)
    assert row.file_bytes == len(data)
    assert row.bpp == 8 * len(data) / (256 * 256)
    assert row.bpp_payload == 8 * (len(data) - codec.overhead_bytes(Image.fromarray(page.image))) / (256 * 256)
    assert math.isnan(row.bpp_estimated)
    assert math.isnan(row.accuracy_heldout)
    assert row.psnr_db == metrics.psnr_db(page.image, x_hat)
    assert row.truth == page.text
    assert row.text == page_text(reader.read(x_hat))
    assert row.accuracy == metrics.accuracy(page.text, row.text)
    assert row.cer == metrics.cer(page.text, row.text)
    assert min(row.encode_ms, row.decode_ms, row.read_ms) > 0


def test_psnr_of_the_page_lies_between_that_of_its_text_and_of_its_background(reader: PPOCRPageReader) -> None:
    (row,) = evaluate(classical("jpeg", 5), [draw(0, "test", 1)], reader)
    low, high = sorted((row.psnr_text_db, row.psnr_background_db))
    assert low < row.psnr_db < high


def test_bits_are_over_the_pixels_of_the_source_whatever_its_size(reader: PPOCRPageReader) -> None:
    page = draw(0, "test", 0, height_px=100, width_px=201)
    (row,) = evaluate(uncompressed(), [page], reader)
    assert row.bpp == pytest.approx(24 + 8 * len(b"P6\n201 100\n255\n") / (100 * 201))
    assert row.bpp_payload == 24
    assert row.psnr_db == math.inf
    assert math.isnan(row.ms_ssim)


def test_a_page_without_lines_has_no_line_accuracy(reader: PPOCRPageReader) -> None:
    blank = Page("blank.png", np.full((200, 200, 3), 255, np.uint8), ())
    (row,) = evaluate(uncompressed(), [blank], reader)
    assert (row.truth, row.text, row.accuracy) == ("", "", 1.0)
    assert math.isnan(row.accuracy_lines)
    assert math.isnan(row.psnr_text_db)


def test_means_are_over_what_is_finite_and_leave_out_what_never_is(reader: PPOCRPageReader) -> None:
    row = evaluate(uncompressed(), [draw(0, "test", 0)], reader)[0]
    rows = [replace(row, bpp=1.0, psnr_db=30.0), replace(row, bpp=2.0, psnr_db=math.inf)]
    result = means(rows)
    assert result["bpp"] == 1.5
    assert result["psnr_db"] == 30.0
    assert "bpp_estimated" not in result
    assert set(result) < set(MEASURES)


def test_no_test_images_are_refused(reader: PPOCRPageReader) -> None:
    with pytest.raises(ValueError, match="no test images"):
        evaluate(uncompressed(), [], reader)


def test_measuring_leaves_rows_pictures_and_a_comparison(tmp_path: Path) -> None:
    config = recipe("tiny")
    config = replace(config, data=replace(config.data, test_count=3), eval=replace(config.eval, heldout=False))
    result = measure(classical("webp", 10), config, tmp_path)
    with (tmp_path / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [field.name for field in fields(Row)]
    assert len(rows) == 3
    assert result["bpp"] == pytest.approx(sum(float(row["bpp"]) for row in rows) / 3)
    pictures = sorted((tmp_path / "pictures").iterdir())
    assert len(pictures) == config.eval.pictures == 2
    with Image.open(tmp_path / "comparison.png") as comparison:
        assert comparison.size == (2 * 256 + 4, 2 * 256 + 4)
