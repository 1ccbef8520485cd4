"""Sets of pages: drawn once and kept, or read from a folder that is checked line by line."""

import json
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tfic import data
from tfic.config import DataConfig
from tfic.lines import Page
from tfic.synth import draw
from tfic.synth.drawn import DrawnSet, SetSpec, cache_root, drawn_set

SMALL = DataConfig(train_count=6, test_count=3, height_px=64, width_px=96, seed=5)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tfic"


def same(a: Page, b: Page) -> bool:
    pixels = a.image.shape == b.image.shape and bool((a.image == b.image).all())
    return pixels and (a.name, a.lines, a.text) == (b.name, b.lines, b.text)


def entries(cache: Path) -> list[Path]:
    return sorted(path for path in cache.iterdir() if path.is_dir())


# Drawn sets


def test_a_set_holds_exactly_the_drawn_pages_first_and_from_the_cache() -> None:
    for pages in (data.train_pages(SMALL), data.train_pages(SMALL)):
        assert len(pages) == 6
        assert all(same(page, draw(5, "train", index, 64, 96)) for index, page in enumerate(pages))
    assert [page.name for page in data.test_pages(SMALL)] == ["test-000000.png", "test-000001.png", "test-000002.png"]


def test_a_set_does_not_depend_on_the_number_of_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = SetSpec(2, "train", 50, 32, 48)
    pages = {}
    for processes in (1, 3):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"with{processes}"))
        pages[processes] = drawn_set(spec, processes)
    assert all(same(a, b) for a, b in zip(pages[1], pages[3], strict=True))


def test_a_set_is_drawn_once(cache: Path) -> None:
    data.draw_set("train", 2, SMALL)
    (entry,) = entries(cache)
    before = (entry / "images.npy").stat()
    data.draw_set("train", 2, SMALL)
    after = (entry / "images.npy").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_whatever_changes_an_image_changes_the_name_of_the_set(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    base = SetSpec(0, "train", 4, 64, 64)
    fewer_fonts = base.__class__(0, "train", 4, 64, 64, fonts=data.typefaces.shipped("train")[:5])
    others = [
        SetSpec(1, "train", 4, 64, 64), SetSpec(0, "test", 4, 64, 64), SetSpec(0, "train", 5, 64, 64),
        SetSpec(0, "train", 4, 65, 64), SetSpec(0, "train", 4, 64, 65), fewer_fonts,
        SetSpec(0, "train", 4, 64, 64, photographs=(tmp_path / "a.png",)),
    ]  # fmt: skip
    assert len({spec.key for spec in [base, *others]}) == 1 + len(others)
    assert SetSpec(0, "train", 4, 64, 64).key == base.key


def test_two_threads_that_want_a_set_at_once_get_the_same_one(cache: Path) -> None:
    got: list[DrawnSet] = []
    threads = [threading.Thread(target=lambda: got.append(drawn_set(SetSpec(0, "train", 8, 64, 64)))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entries(cache)) == 1
    assert all(same(a, b) for a, b in zip(got[0], got[2], strict=True))


@pytest.mark.parametrize("name", ["images.npy", "lines.jsonl"])
@pytest.mark.parametrize("damage", ["cut short", "emptied", "missing", "one byte changed"])
def test_a_damaged_set_is_drawn_anew(cache: Path, name: str, damage: str) -> None:
    data.train_pages(SMALL)
    (entry,) = entries(cache)
    content = bytearray((entry / name).read_bytes())
    if damage == "missing":
        (entry / name).unlink()
    elif damage == "one byte changed":
        content[len(content) // 2] ^= 1
        (entry / name).write_bytes(content)
    else:
        (entry / name).write_bytes(content[: len(content) // 2] if damage == "cut short" else b"")
    pages = data.train_pages(SMALL)
    assert all(same(page, draw(5, "train", index, 64, 96)) for index, page in enumerate(pages))


def test_what_a_killed_process_left_is_cleared_away(cache: Path) -> None:
    spec = SetSpec(0, "train", 2, 32, 32)
    (cache / f"{spec.key}.new").mkdir(parents=True)
    (cache / f"{spec.key}.new" / "images.npy").write_bytes(b"half")
    assert len(drawn_set(spec)) == 2
    assert [path.name for path in entries(cache)] == [spec.key]


def test_a_set_is_a_sequence_and_travels_to_other_processes() -> None:
    pages = data.train_pages(SMALL)
    assert same(pages[-1], pages[5])
    assert len(pages[1:4]) == 3
    with pytest.raises(IndexError):
        pages[6]
    assert len(pickle.dumps(pages)) < 20_000
    assert same(pickle.loads(pickle.dumps(pages))[2], pages[2])
    pages[0].image[:] = 0  # a copy: the next reader sees the drawn pixels
    assert pages[0].image.any()


@pytest.mark.slow
def test_a_program_with_torch_and_threads_draws_on_many_processes() -> None:
    code = (
        "import torch, multiprocessing as m\n"
        "from tfic.synth.drawn import SetSpec, drawn_set\n"
        "def work():\n    print(len(drawn_set(SetSpec(0, 'train', 40, 32, 32), 2)))\n"
        "if __name__ == '__main__':\n"
        "    torch.ones(64, 64) @ torch.ones(64, 64)\n"
        "    p = m.get_context('fork').Process(target=work, daemon=True); p.start(); p.join(200); print(p.exitcode)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert out.stdout.split() == ["40", "0"]


def test_a_mistake_in_a_drawing_process_comes_back_as_its_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"background .*broken.jpg cannot be read"):
        drawn_set(SetSpec(0, "train", 40, 32, 32, photographs=(tmp_path / "broken.jpg",)), 2)


def test_a_users_fonts_and_backgrounds_are_used(tmp_path: Path) -> None:
    Image.new("RGB", (90, 90), (0, 0, 200)).save(tmp_path / "blue.png")
    settings = DataConfig(height_px=64, width_px=64, background_dir=str(tmp_path))
    assert any(
        (np.median(page.image, axis=(0, 1)) == (0, 0, 200)).all() for page in data.draw_set("train", 12, settings)
    )
    with pytest.raises(ValueError, match=r"font folder .* holds no"):
        data.draw_set("train", 2, DataConfig(font_dir=str(tmp_path)))


def test_a_count_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="train count is 0; it must be at least 1"):
        data.draw_set("train", 0, SMALL)


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ValueError, match="set XDG_CACHE_HOME to a writable folder"):
        data.train_pages(SMALL)


def test_a_relative_cache_home_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")
    assert cache_root() == Path.home() / ".cache" / "tfic"


# Folders


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
        page.image  # noqa: B018


def test_an_image_is_looked_at_again_only_when_it_was_touched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfic.contents._SETTLED_NS", 0)
    data.read_folder(folder)
    seen: list[str] = []
    real = data.Contents.size_px.__globals__["open_image"]
    monkeypatch.setattr("tfic.contents.open_image", lambda path: seen.append(path.name) or real(path))
    data.read_folder(folder)
    assert seen == []
    (folder / "train-000001.png").touch()
    data.read_folder(folder)
    assert seen == ["train-000001.png"]
