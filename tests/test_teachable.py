"""Which lines of a training set can be read in training, counted before stage 2 begins."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from sweep import run
from tfic.data import read_folder, write_folder
from tfic.pages.lines import Line, Page
from tfic.recipes import recipe
from tfic.synth import draw, typefaces
from tfic.training import teachable
from tfic.training.crops import draw_crops
from tfic.training.reading import line_formats
from tfic.training.train import fit

KNOWN = line_formats(["ppocrv6-small"])
FONT = typefaces.shipped("test")[0].path
TEXT = "Invoice number 2024 of the delivery note to our customer in Berlin on the first of May"


def scan(text: str = TEXT, left: int = 20) -> Page:
    """A page with one line of text, much wider than a crop."""
    font = ImageFont.truetype(str(FONT), 24)
    _, top, right, bottom = font.getbbox(text)
    image = Image.new("RGB", (round(right) + 40, 120), "white")
    ImageDraw.Draw(image).text((left, 40), text, font=font, fill="black")
    quad = ((left, 40 + top), (left + right, 40 + top), (left + right, 40 + bottom), (left, 40 + bottom))
    return Page("scan.png", np.asarray(image), (Line(text, quad),))


def test_wide_lines_of_scans_are_read_in_pieces_over_their_own_pixels() -> None:
    page = scan()
    assert page.size_px[1] > 900
    found = teachable.teachable([page], KNOWN, 256, 256, cut=True)
    assert (found.lines, found.whole, found.cut) == (1, 0, 1)
    assert "1 of 1 lines (100%) can be read in training; 1 of them in pieces, cut between words" in found.sentence()
    seen = set()
    for seed in range(20):
        crops = draw_crops([page], np.random.default_rng(seed), 4, 256, 256, on_text=True, cut=True)
        assert {b for b, _ in crops.lines} == set(range(4))
        for b, line in crops.lines:
            assert f" {line.text} " in f" {TEXT} "
            (left, top), (right, _), (_, bottom), _ = line.quad
            dark = crops.cut()[b].numpy().min(0)[round(top) : round(bottom)] < 128
            columns = np.flatnonzero(dark.any(0))
            assert ((columns >= left - 1) & (columns <= right + 1)).any()
            seen |= set(line.text.split())
    assert seen == set(TEXT.split())


def test_drawn_lines_stay_whole_and_so_do_those_whose_words_cannot_be_told_apart() -> None:
    with pytest.raises(ValueError, match="; 1 larger than a crop; correct"):
        teachable.teachable([scan()], KNOWN, 256, 256, cut=False)
    crops = draw_crops([scan()], np.random.default_rng(0), 4, 256, 256, on_text=True)
    assert crops.lines == []
    blurred = Page("x.png", np.full((120, 1200, 3), 200, np.uint8), scan().lines)
    with pytest.raises(ValueError, match="1 larger than a crop, its words not to be told apart"):
        teachable.teachable([blurred], KNOWN, 256, 256, cut=True)


def test_lines_that_cannot_be_read_are_counted_with_their_reason_and_strange_characters_named() -> None:
    page = draw(0, "train", 0)
    square = ((10.0, 10.0), (40.0, 10.0), (40.0, 22.0), (10.0, 22.0))
    more = (Line("\ue000\ue001", square), Line("far too long for so small a place", square))
    mixed = Page(page.name, page.image, (*page.lines, *more), None, (square,))
    words = teachable.teachable([mixed], KNOWN, 256, 256, cut=True).sentence()
    assert f"{len(page.lines)} of {len(page.lines) + 2} lines" in words
    assert "1 with characters that the reader does not know" in words
    assert "unknown: '\\ue000' '\\ue001'" in words
    assert "1 with more characters than their width has room for" in words
    assert "regions not to be read: 1" in words


def test_a_line_teaches_when_every_reader_can_spell_it_in_its_width() -> None:
    narrow = ((10.0, 10.0), (62.0, 10.0), (62.0, 26.0), (10.0, 26.0))
    page = Page("x.png", np.full((64, 128, 3), 200, np.uint8), (Line("ABCDEFGHIJKLMNOPQR", narrow),))
    easyocr = line_formats(["easyocr"])  # twice as many steps in a line as PP-OCRv6, which lacks none of the letters
    assert teachable.teachable([page], easyocr, 64, 128, cut=True).whole == 1
    for readers in (KNOWN, KNOWN + easyocr, easyocr + KNOWN):
        with pytest.raises(ValueError, match="1 with more characters than their width has room for"):
            teachable.teachable([page], readers, 64, 128, cut=True)
    cyrillic = Page("x.png", page.image, (Line("Ж", narrow),))
    with pytest.raises(ValueError, match=r"1 with characters that the reader does not know; unknown: 'Ж'"):
        teachable.teachable([cyrillic], KNOWN + easyocr, 64, 128, cut=True)


def test_a_corner_that_was_rounded_off_the_page_takes_no_line_from_training(tmp_path: Path) -> None:
    page = draw(0, "train", 0)
    (a, b, c, d) = page.lines[0].quad
    rounded = Page("a.png", page.image, (Line(page.lines[0].text, ((-0.5, a[1]), b, c, (-0.5, d[1]))),))
    write_folder([rounded], tmp_path / "set")
    found = teachable.teachable(read_folder(tmp_path / "set"), KNOWN, 256, 256, cut=True)
    assert found.whole == 1


def test_of_a_large_set_a_part_is_counted_and_the_whole_before_it_is_refused() -> None:
    blank, page = Page("blank.png", np.zeros((256, 256, 3), np.uint8), ()), draw(0, "train", 0)
    pages = [page if i == 3 else blank for i in range(30)]
    found = teachable.teachable(pages, KNOWN, 256, 256, cut=True, most_pages=10)
    assert (found.looked_at, found.pages) == (10, 30)
    pages = [page if i == 1 else blank for i in range(30)]
    assert teachable.teachable(pages, KNOWN, 256, 256, cut=True, most_pages=10).looked_at == 30


def test_stage_2_is_refused_before_stage_1_begins_when_no_line_can_be_read(tmp_path: Path) -> None:
    page = draw(0, "train", 0)
    strange = tuple(Line("\ue000", line.quad) for line in page.lines)
    write_folder([Page("a.png", page.image, strange)], tmp_path / "set")
    config = replace(recipe("tiny"), gamma=1.0)
    config = replace(config, data=replace(config.data, train_dir=str(tmp_path / "set")))
    with pytest.raises(ValueError, match=r"teach no reading, which stage 2 is for: 0 of .* correct their labels"):
        fit(config, tmp_path / "run", lambda progress: None)
    assert not (tmp_path / "run" / "pretrain").exists()


def test_a_plan_says_which_lines_can_be_read_or_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    page = draw(0, "train", 0)
    write_folder([page], tmp_path / "good")
    write_folder([Page("a.png", page.image, (Line("\ue000", page.lines[0].quad),))], tmp_path / "bad")
    asked = ["--plan", "--recipe", "tiny", "--train-data"]
    assert run.main([*asked, "good"]) == 0
    count = len(page.lines)
    assert f"Stage 2: {count} of {count} lines (100%) can be read in training." in capsys.readouterr().out
    assert run.main([*asked, "bad"]) == 2
    assert "teach no reading" in capsys.readouterr().err
    assert not (tmp_path / "mlflow.db").exists()
