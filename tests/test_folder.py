"""Folders of images: checked line by line, read when they are asked for."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tfic import data
from tfic.config import DataConfig
from tfic.pages.lines import Page
from tfic.synth import draw


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def same(a: Page, b: Page) -> bool:
    pixels = a.image.shape == b.image.shape and bool((a.image == b.image).all())
    return pixels and (a.name, a.lines, a.text) == (b.name, b.lines, b.text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data.write_folder([draw(1, "train", index, 64, 80 + index) for index in range(3)], tmp_path / "set")
    return tmp_path / "set"


def rewrite(folder: Path, number: int, change: dict[str, Any], drop: str = "") -> None:
    """Change keys of one record (from 1) of the folder's metadata, and drop one."""
    path = folder / "metadata.jsonl"
    records = [json.loads(row) for row in path.read_text().splitlines()]
    records[number - 1].update(change)
    records[number - 1].pop(drop, None)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def test_what_was_written_is_read_again(folder: Path) -> None:
    drawn = [draw(1, "train", index, 64, 80 + index) for index in range(3)]
    assert all(same(a, b) for a, b in zip(data.read_folder(folder), drawn, strict=True))
    record = json.loads((folder / "metadata.jsonl").read_text().splitlines()[0])
    assert list(record) == ["file_name", "text", "lines"]
    assert list(record["lines"][0]) == ["text", "quad"]
    assert record["text"] == drawn[0].text


def test_the_settings_choose_folders_and_how_much_of_the_test_folder(folder: Path) -> None:
    settings = DataConfig(train_dir=str(folder), test_dir=str(folder), test_count=2)
    assert len(data.train_pages(settings)) == 3
    assert len(data.test_pages(settings)) == 2


def test_a_test_folder_needs_no_lines_and_a_training_folder_does(folder: Path) -> None:
    rewrite(folder, 2, {"text": "as  stated\nhere"}, drop="lines")
    page = data.read_folder(folder, lines_required=False)[1]
    assert (page.text, page.lines) == ("as stated\nhere", ())
    with pytest.raises(ValueError, match=r"metadata.jsonl:2: .* has no 'lines'"):
        data.read_folder(folder)


def test_lines_stay_unknown_through_writing_and_reading(folder: Path, tmp_path: Path) -> None:
    rewrite(folder, 1, {"text": "as stated"}, drop="lines")
    data.write_folder(data.read_folder(folder, lines_required=False), tmp_path / "again")
    assert data.read_folder(tmp_path / "again", lines_required=False)[0].stated_text == "as stated"


def test_images_are_turned_upright_and_made_rgb(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held at a quarter turn
    Image.new("L", (50, 30), 77).save(folder / "grey.jpg", exif=exif)
    rewrite(folder, 1, {"file_name": "grey.jpg", "text": "x"}, drop="lines")
    image = data.read_folder(folder, limit=1, lines_required=False)[0].image
    assert image.shape == (50, 30, 3)


def test_a_folder_is_never_overwritten(folder: Path) -> None:
    with pytest.raises(ValueError, match="exists already; choose another folder"):
        data.write_folder([draw(0, "test", 0, 32, 32)], folder)


def test_two_pages_of_one_name_are_refused(tmp_path: Path) -> None:
    page = draw(0, "test", 0, 32, 32)
    with pytest.raises(ValueError, match=r"two pages are named 'test-000000.png'"):
        data.write_folder([page, page], tmp_path / "out")
    assert not (tmp_path / "out" / "metadata.jsonl").exists()


SQUARE = [[1, 1], [20, 1], [20, 9], [1, 9]]


@pytest.mark.parametrize(
    ("change", "drop", "words"),
    [
        ({}, "file_name", "key 'file_name' is missing"),
        ({}, "text", "key 'text' is missing"),
        ({"text": 7}, "", "text is 7; it must be a string"),
        ({"file_name": "none.png"}, "", "image .*none.png does not exist"),
        ({"file_name": "../set/train-000000.png"}, "", "must be the path of an image inside the folder"),
        ({"file_name": "train-000000.png"}, "", "listed a second time"),
        ({"file_name": "./train-000000.png"}, "", "listed a second time"),
        ({"file_name": "metadata.jsonl"}, "", "cannot be read"),
        ({"lines": {}}, "", "lines is {}; it must be a list"),
        ({"lines": []}, "", "list of at least one"),
        ({"lines": ["x"]}, "", "'x' in lines; it must be an object"),
        ({"lines": [{"text": "\ud83d", "quad": SQUARE}]}, "", r"text of a line has lone surrogates, .ud83d; write"),
        ({"text": "\udc00 and \ud800"}, "", r"text has lone surrogates, .ud800, .udc00"),
        ({"lines": [{"text": "x", "quad": [*SQUARE[:3], [1, 10**400]]}]}, "", "must be four"),
        ({"text": "a\n###\nb"}, "lines", "no 'lines' that say where"),
        ({"lines": [{"text": "x", "quad": SQUARE[:3]}]}, "", "must be four"),
        ({"lines": [{"text": "x", "quad": [*SQUARE[:3], [1, None]]}]}, "", "must be four"),
        ({"lines": [{"text": "x", "quad": [*SQUARE[:3], [1, float("nan")]]}]}, "", "must be four"),
        ({"lines": [{"text": "x", "quad": SQUARE[::-1]}]}, "", "must go clockwise"),
        ({"lines": [{"text": "x", "quad": [SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3]]}]}, "", "must go clockwise"),
        ({"lines": [{"text": "x", "quad": [[1, 1], [400, 1], [400, 9], [1, 9]]}]}, "", r"\[400.0, 1.0\] .* outside"),
    ],
)
def test_a_broken_record_is_named_with_its_line(folder: Path, change: dict[str, Any], drop: str, words: str) -> None:
    rewrite(folder, 2, change, drop)
    with pytest.raises(ValueError, match=rf"metadata.jsonl:2: .*{words}"):
        data.read_folder(folder, lines_required=drop != "lines")


@pytest.mark.parametrize("row", [b'{"file_name": ', b"[1]", b'{"a": "\xff"}', b"null"])
def test_a_line_that_is_no_json_object_is_named(folder: Path, row: bytes) -> None:
    with (folder / "metadata.jsonl").open("ab") as file:
        file.write(b"\n" + row + b"\n")
    with pytest.raises(ValueError, match=r"metadata.jsonl:5: .*each line must be one JSON object"):
        data.read_folder(folder)


def test_a_broken_image_is_named(folder: Path) -> None:
    path = folder / "train-000001.png"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"metadata.jsonl:2: image .*train-000001.png cannot be read"):
        data.read_folder(folder)


def test_folders_without_data_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist; give one with images"):
        data.read_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"has no metadata.jsonl; write one line per image"):
        data.read_folder(tmp_path)
    (tmp_path / "metadata.jsonl").write_text("\n")
    with pytest.raises(ValueError, match="lists no image"):
        data.read_folder(tmp_path)


def test_regions_without_text_and_those_not_to_care_for_are_no_lines(folder: Path, tmp_path: Path) -> None:
    lines = [{"text": text, "quad": SQUARE} for text in ("here", " ", "", "###", " ### ", "#", "a ### b")]
    rewrite(folder, 1, {"lines": lines})
    page = data.read_folder(folder)[0]
    assert [line.text for line in page.lines] == ["here", "#", "a ### b"]
    assert len(page.ignored) == 4
    data.write_folder([page], tmp_path / "again")
    again = data.read_folder(tmp_path / "again")[0]
    assert (again.lines, again.ignored) == (page.lines, page.ignored)


def test_a_byte_order_mark_is_no_part_of_the_first_line(folder: Path) -> None:
    path = folder / "metadata.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(data.read_folder(folder)) == 3


def test_labels_are_composed_and_their_blanks_are_spaces(folder: Path) -> None:
    rewrite(folder, 1, {"lines": [{"text": "Cafe\u0301\u00a0\u202f cre\u0300me", "quad": SQUARE}]})
    assert data.read_folder(folder)[0].lines[0].text == "Caf\u00e9 cr\u00e8me"


def test_images_are_read_when_they_are_asked_for_and_the_last_ones_stay(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tfic.data.PIXEL_CACHE_BYTES", 2 * 64 * 90 * 3)
    pages = data.read_folder(folder)
    assert [page.size_px for page in pages] == [(64, 80), (64, 81), (64, 82)]
    first, second = pages[0].image, pages[1].image
    assert pages[0].image is first
    assert pages[2].image.shape == (64, 82, 3)
    assert pages[0].image is first
    assert pages[1].image is not second
    assert np.array_equal(pages[1].image, second)
    with pytest.raises(ValueError, match="read-only"):
        first[:] = 0


def test_an_image_that_changes_its_size_under_a_sweep_is_told(folder: Path) -> None:
    page = data.read_folder(folder)[0]
    Image.new("RGB", (5, 5)).save(folder / page.name)
    with pytest.raises(ValueError, match="was 80 x 64 pixels and has changed"):
        np.asarray(page.image)


def test_an_image_is_looked_at_again_only_when_it_was_touched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfic.pages.contents._SETTLED_NS", 0)
    data.read_folder(folder)
    seen: list[str] = []
    real = data.Contents.size_px.__globals__["open_image"]
    monkeypatch.setattr("tfic.pages.contents.open_image", lambda path: seen.append(path.name) or real(path))
    data.read_folder(folder)
    assert seen == []
    (folder / "train-000001.png").touch()
    data.read_folder(folder)
    assert seen == ["train-000001.png"]
