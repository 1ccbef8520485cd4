"""Every number comes from the bytes of a file and the pixels it gives back."""

import csv
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfic.errors import ImageUnsuitedError
from tfic.measuring import metrics
from tfic.measuring.classical import classical, uncompressed
from tfic.measuring.evaluate import evaluate, some_rows
from tfic.measuring.in_processes import measure
from tfic.measuring.row import BANDS_PX, MEASURES, Row, means, picture_name, read_rows, write_rows
from tfic.measuring.scoring import score
from tfic.ocr.page import PPOCRPageReader
from tfic.pages.lines import Line, Page, Quad
from tfic.recipes import recipe
from tfic.synth import draw


@pytest.fixture(scope="module")
def reader() -> PPOCRPageReader:
    return PPOCRPageReader(detect_side_px=256)


def test_a_row_is_what_its_definitions_say(reader: PPOCRPageReader) -> None:
    page = draw(0, "test", 0)
    codec = classical("jpeg", 20)
    kept: list[np.ndarray] = []
    (row,) = evaluate(codec, [page], reader, on_row=lambda _, x_hat, texts: kept.append(x_hat))
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
    assert row.text == score(page, reader.read(x_hat)).text
    assert row.accuracy == metrics.accuracy(page.text, row.text)
    assert row.accuracy_words == metrics.word_accuracy(page.text, row.text)
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


def test_the_accuracy_of_lines_is_the_mean_over_its_bands_of_height(reader: PPOCRPageReader) -> None:
    page = draw(0, "test", 4)
    (row,) = evaluate(classical("jpeg", 5), [page], reader)
    heights = [line.height_px for line in page.lines]
    parts = {name: getattr(row, name) for name in BANDS_PX}
    counts = {name: sum(least <= height < below for height in heights) for name, (least, below) in BANDS_PX.items()}
    assert sum(counts.values()) == len(heights)
    assert {name for name, value in parts.items() if math.isnan(value)} == {name for name in counts if not counts[name]}
    whole = sum(parts[name] * count for name, count in counts.items() if count) / len(heights)
    assert row.accuracy_lines == pytest.approx(whole)


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
    pictures = sorted((tmp_path / "pictures").glob("*.png"))
    assert len(pictures) == config.eval.pictures == 2
    with Image.open(tmp_path / "comparison.png") as comparison:
        assert comparison.size == (2 * 256 + 4, 2 * 256 + 4)


def test_what_is_found_in_a_region_not_to_be_read_counts_neither_for_nor_against(reader: PPOCRPageReader) -> None:
    page = draw(0, "test", 0)
    first, *others = page.lines
    cared = Page(page.name, page.image, tuple(others), None, (first.quad,))
    (whole,) = evaluate(uncompressed(), [page], reader)
    (row,) = evaluate(uncompressed(), [cared], reader)
    assert first.text not in row.truth
    assert first.text in whole.text
    assert first.text not in row.text
    counting = Page(page.name, page.image, tuple(others))
    assert row.accuracy > evaluate(uncompressed(), [counting], reader)[0].accuracy


@pytest.mark.parametrize("size", [(32, 5200), (5200, 32), (9, 1400), (1, 1), (3, 2100)])
def test_no_shape_of_a_page_is_beyond_the_reader(reader: PPOCRPageReader, size: tuple[int, int]) -> None:
    strip = Page("strip.png", np.full((*size, 3), 255, np.uint8), ())
    (row,) = evaluate(uncompressed(), [strip], reader)
    assert (row.text, row.accuracy, row.missing) == ("", 1.0, "")


def test_an_image_that_a_codec_cannot_take_is_missing_with_its_reason_and_fails_no_other(
    reader: PPOCRPageReader, tmp_path: Path
) -> None:
    wide = Page("wide.png", np.full((16, 16_400, 3), 255, np.uint8), ())
    rows = evaluate(classical("webp", 10), [wide, draw(0, "test", 0)], reader)
    assert rows[0].missing == ("an image of 16400 x 16 pixels is too large for webp, whose sides go up to 16383")
    assert math.isnan(rows[0].bpp)
    assert rows[1].missing == ""
    assert means(rows)["bpp"] == rows[1].bpp
    write_rows(rows, tmp_path / "rows.csv")
    assert [row.missing for row in read_rows(tmp_path / "rows.csv")] == [row.missing for row in rows]
    with pytest.raises(ValueError, match=r"none of the 1 test images can be measured; an image of 16400 x 16"):
        evaluate(classical("webp", 10), [wide], reader)


class Refusing:
    """A reader that can take no image."""

    name = "Refuser"

    def read(self, image: np.ndarray) -> list[Line]:
        raise ImageUnsuitedError("it is shut")

    def read_lines(self, image: np.ndarray, quads: Sequence[Quad]) -> list[str]:
        return ["" for _ in quads]


def test_a_reader_that_fails_on_a_page_is_named_there_and_costs_no_other_its_result(reader: PPOCRPageReader) -> None:
    page, further = draw(0, "test", 0), {"gocr": Refusing(), "legere": reader}
    texts: dict[str, str] = {}
    tasks = {"detection_f1": lambda *_: 0.5}
    (row,) = evaluate(uncompressed(), [page], reader, Refusing(), lambda *its: texts.update(its[2]), further, tasks)
    (plain,) = evaluate(uncompressed(), [page], reader)
    assert row.missing == "Refuser: it is shut; Refuser: it is shut"
    assert (row.accuracy_legere, row.accuracy, row.text) == (plain.accuracy, plain.accuracy, plain.text)
    assert (row.detection_f1, texts) == (0.5, {"legere": plain.text})
    assert math.isnan(row.accuracy_gocr + row.accuracy_heldout)
    (row,) = some_rows(uncompressed(), [page], Refusing(), reader, None, {}, tasks)
    assert (row.missing, row.detection_f1, row.accuracy_heldout) == ("it is shut", 0.5, plain.accuracy)


def test_composed_and_decomposed_letters_read_alike(reader: PPOCRPageReader) -> None:
    page = draw(0, "test", 2)
    text = "Caf\u00e9 \u00c5land"
    texts = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
    assert texts[0] != texts[1]
    pages = [Page(page.name, page.image, (), stated_text=each) for each in texts]
    assert len({row.accuracy for row in evaluate(uncompressed(), pages, reader)}) == 1
    assert metrics.accuracy(*texts) == 1.0
    assert metrics.cer(*texts) == 0.0


def test_pictures_of_one_stem_in_two_folders_and_of_any_name_are_kept_apart() -> None:
    names = [
        "a.png",
        "b/a.png",
        "c/a.png",
        "a.jpg",
        "x" * 250 + ".png",
        "wh\u00e4t?.png",
        "../a.png",
        "a b.png",
        ".png",
    ]
    pictures = [picture_name(name) for name in names]
    assert len(set(pictures)) == len(names)
    assert pictures[0] == "a.png"
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{5,100}", each) for each in pictures)
