"""Sets of pages that are drawn once and kept."""

import pickle
import resource
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfic import data
from tfic.config import DataConfig
from tfic.pages.lines import Page
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


def test_a_drawing_that_fails_leaves_nothing_in_the_cache(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="cannot be read"):
        drawn_set(SetSpec(0, "train", 40, 32, 32, photographs=(tmp_path / "broken.jpg",)), 1)
    assert [path.name for path in cache.glob("train-*") if path.is_dir()] == []


def test_sizes_that_nobody_can_draw_are_refused_before_the_disk_is_asked_for_room(cache: Path) -> None:
    with pytest.raises(ValueError, match="an image of 64x31 is too small"):
        drawn_set(SetSpec(0, "train", 4, 31, 64))
    assert not cache.exists()


def test_a_full_disk_names_the_cache_folder_and_how_to_move_it(cache: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(ValueError, match=rf"images cannot be kept in {cache} .*make room there, or set XDG_CACHE"):
            drawn_set(SetSpec(0, "train", 4, 64, 64))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert entries(cache) == []


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
