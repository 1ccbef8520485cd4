"""A test set measured by several processes has the rows that one process makes."""

from concurrent.futures import Future
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from tfic.config import Config
from tfic.measuring import in_processes
from tfic.measuring.classical import classical, uncompressed
from tfic.measuring.evaluate import evaluate
from tfic.measuring.file_format import Uncompressed
from tfic.measuring.in_processes import Part, _divided, measure, processes_for, tasks
from tfic.measuring.row import Row, read_rows
from tfic.ocr.page import PPOCRPageReader
from tfic.ocr.tesseract import TesseractPageReader
from tfic.pages.lines import Page
from tfic.recipes import recipe
from tfic.synth import draw

TIMES = ("encode_ms", "decode_ms", "read_ms")


def untimed(rows: list[Row]) -> list[str]:
    return [repr({name: value for name, value in asdict(row).items() if name not in TIMES}) for row in rows]


def settings(count: int) -> Config:
    config = recipe("tiny")
    return replace(config, data=replace(config.data, test_count=count))


@pytest.mark.slow
def test_rows_and_pictures_are_the_same_with_two_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_processes, "PAGES_A_PROCESS", 3)
    monkeypatch.setattr(in_processes, "PAGES_A_TASK", 1)
    config, codec = settings(6), classical("webp", 5)
    folders = [tmp_path / "one", tmp_path / "two"]
    means = [measure(codec, config, folder, processes) for folder, processes in zip(folders, (1, 2), strict=True)]
    one, two = (read_rows(folder / "rows.csv") for folder in folders)
    assert len(one) == 6
    assert untimed(one) == untimed(two)
    assert {name: value for name, value in means[0].items() if name not in TIMES} == {
        name: value for name, value in means[1].items() if name not in TIMES
    }
    for path in sorted(folders[0].rglob("*.png")):
        assert np.array_equal(Image.open(path), Image.open(folders[1] / path.relative_to(folders[0])))


class CountsThreads(Uncompressed):
    """A codec that notes the threads that it was measured with."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[int, int]] = set()

    def encode(self, image: Image.Image) -> bytes:
        self.seen.add((torch.get_num_threads(), cv2.getNumThreads()))
        return super().encode(image)


def test_one_process_measures_on_one_thread_whatever_its_settings(tmp_path: Path) -> None:
    config, codec, before = settings(1), CountsThreads(), (torch.get_num_threads(), cv2.getNumThreads())
    torch.set_num_threads(3)
    cv2.setNumThreads(2)
    try:
        measure(codec, replace(config, train=replace(config.train, threads=0)), tmp_path)
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (3, 2)
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
    assert codec.seen - {(3, 2)} == {(1, 1)}


def test_rows_of_another_measurement_do_not_stay_beside_new_pictures(tmp_path: Path) -> None:
    measure(uncompressed(), settings(1), tmp_path)
    (tmp_path / "comparison.png").unlink()
    (tmp_path / "comparison.png").mkdir()  # stops the next one in the middle of its results
    with pytest.raises(OSError, match=r"comparison.png cannot be written"):
        measure(classical("webp", 5), settings(1), tmp_path)
    assert not (tmp_path / "rows.csv").exists()


class Dies(Uncompressed):
    """A codec that stands for the kernel that kills a process for want of memory, in another process alone."""

    def __setstate__(self, state: dict[str, object]) -> None:
        import os

        os._exit(9)


def test_a_process_that_dies_ends_the_measurement_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_processes, "PAGES_A_PROCESS", 1)
    monkeypatch.setattr(in_processes, "PAGES_A_TASK", 1)
    with pytest.raises(RuntimeError, match=r"a measuring process died, .*; measure with fewer processes"):
        measure(Dies(), settings(4), tmp_path, 2)


@pytest.mark.parametrize(("pages", "processes"), [(32, 2), (48, 2), (64, 4), (600, 8)])
def test_tasks_are_large_first_and_the_last_ones_keep_nobody_waiting(pages: int, processes: int) -> None:
    found = tasks(pages, processes)
    assert [number for task in found for number in task] == list(range(pages))
    sizes = [len(task) for task in found]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] <= in_processes.PAGES_A_TASK
    assert sum(sizes[: 2 * (processes - 1)]) <= pages * (processes - 1) / processes, "given before others have started"


def test_this_process_measures_while_another_one_still_starts() -> None:
    started: Future[Future[Part]] = Future()
    made: list[range] = []

    def own(numbers: range) -> Part:
        made.append(numbers)
        if len(made) == 2:  # only now has the other process imported all
            done: Future[Part] = Future()
            done.set_result(Part([], []))
            started.set_result(done)
        return Part([], [])

    parts = _divided([range(i, i + 1) for i in range(4)], own, lambda numbers: started, ahead=1)
    assert made[:2] == [range(1, 2), range(2, 3)]
    assert len(parts) == 4


def test_a_small_test_set_starts_no_process() -> None:
    assert [processes_for(pages, 8) for pages in (1, 31, 32, 64, 600)] == [1, 1, 2, 4, 8]


def test_pages_that_tesseract_reads_at_once_are_read_as_each_alone() -> None:
    reader = TesseractPageReader()
    images = [draw(0, "test", i).image for i in range(3)] + [np.full((1, 1, 3), 255, np.uint8)]
    alone = [reader._outcome(image) for image in images]
    assert repr(reader.read_several(images)) == repr(alone)
    assert any(alone)


def test_an_image_that_tesseract_cannot_take_spoils_no_other() -> None:
    strip = Page("strip.png", np.full((1, 33_000, 3), 255, np.uint8), ())
    pages = [draw(0, "test", 0), strip, draw(0, "test", 1)]
    reader, heldout = PPOCRPageReader(detect_side_px=256), TesseractPageReader()
    rows = evaluate(uncompressed(), pages, reader, heldout)
    each = [evaluate(uncompressed(), [page], reader, heldout)[0] for page in (pages[0], pages[2])]
    assert untimed([rows[0], rows[2]]) == untimed(each)
