"""Drawn pages of documents: the same everywhere, with exact truth, and beside scenes that stay as they are."""

import hashlib

import cv2
import numpy as np
import pytest

from tfic.config import DataConfig
from tfic.measuring import metrics
from tfic.ocr.page import PPOCRPageReader
from tfic.pages.lines import Page, normalise, reading_order
from tfic.synth import draw, typefaces
from tfic.synth.typefaces import SHIPPED, SPLITS


@pytest.fixture(scope="module")
def pages() -> list[Page]:
    return [draw(0, split, index, document_share=1.0) for split in SPLITS for index in range(12)]


def test_a_version_of_drawing_draws_the_same_documents_for_ever() -> None:
    """Golden: whoever changes them on purpose raises DRAWING_VERSION, and all trials get new keys."""
    found = {split: [draw(0, split, i, document_share=1.0) for i in range(12)] for split in SPLITS}
    seen = {split: [(page.lines, page.image.mean().round()) for page in pages] for split, pages in found.items()}
    assert {
        split: hashlib.sha256("".join(map(repr, each)).encode()).hexdigest()[:16] for split, each in seen.items()
    } == {"train": "60a01631826fd48a", "test": "4164b9d376364ff4"}


def test_a_share_of_documents_leaves_the_other_images_as_they_are() -> None:
    scenes, documents, mixed = (
        [draw(0, "train", i, 48, 96, document_share=share) for i in range(40)] for share in (0.0, 1.0, 0.5)
    )
    drawn = [
        next(kind for kind, other in (("s", scene), ("d", document)) if np.array_equal(page.image, other.image))
        for page, scene, document in zip(mixed, scenes, documents, strict=True)
    ]
    assert 12 <= drawn.count("d") <= 28


def test_every_line_lies_inside_and_none_overlaps(pages: list[Page]) -> None:
    for page in pages:
        assert page.lines
        for number, line in enumerate(page.lines):
            x, y = np.array(line.quad).T
            assert 0 <= x.min() < x.max() <= page.image.shape[1]
            assert 0 <= y.min() < y.max() <= page.image.shape[0]
            assert line.text.isascii()
            assert line.text == normalise(line.text)
            for other in page.lines[:number]:
                area, _ = cv2.intersectConvexConvex(np.float32(line.quad), np.float32(other.quad))
                assert area == 0, page.name


def test_lines_come_in_reading_order(pages: list[Page]) -> None:
    for page in pages:
        assert [line.text for line in reading_order(page.lines)] == [line.text for line in page.lines], page.name


def test_pages_are_denser_and_lighter_than_scenes(pages: list[Page]) -> None:
    scenes = [draw(0, split, index) for split in SPLITS for index in range(12)]
    assert np.mean([len(page.lines) for page in pages]) > 2 * np.mean([len(page.lines) for page in scenes])
    assert np.mean([page.image.mean() for page in pages]) > np.mean([page.image.mean() for page in scenes])


def test_a_reader_reads_what_the_truth_says() -> None:
    reader = PPOCRPageReader(256, 1)
    accuracies = []
    for index in range(4):
        page = draw(0, "test", index, document_share=1.0)
        read = reader.read_lines(page.image, [line.quad for line in page.lines])
        accuracies += [metrics.accuracy(line.text, text) for line, text in zip(page.lines, read, strict=True)]
    assert np.mean(accuracies) > 0.9


def test_documents_are_set_in_book_faces_and_in_whatever_a_user_has() -> None:
    hand = [face for face in typefaces.shipped("train") if face.family in SHIPPED["hand"]["train"]]
    page, own = draw(0, "train", 0, document_share=1.0), draw(0, "train", 0, fonts=hand, document_share=1.0)
    assert not np.array_equal(page.image, own.image)


@pytest.mark.parametrize(("height_px", "width_px"), [(32, 32), (32, 300), (300, 32), (61, 97), (400, 300)])
def test_any_size_holds_a_line_and_is_of_that_size(height_px: int, width_px: int) -> None:
    for index in range(4):
        page = draw(0, "train", index, height_px, width_px, document_share=1.0)
        assert page.image.shape == (height_px, width_px, 3)
        assert page.image.dtype == np.uint8
        assert page.lines


def test_a_share_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"document_share is 1\.5; it must be from 0 to 1"):
        DataConfig(document_share=1.5)
    with pytest.raises(ValueError, match=r"document_share is -0\.1; it must be from 0 to 1"):
        draw(0, "train", 0, document_share=-0.1)
