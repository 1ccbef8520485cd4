"""Detection as a measured task: each line is to be found once, and with nothing beside it."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from needed import missing, needed

from tfic.config import EvalConfig
from tfic.errors import ReaderMissingError
from tfic.measuring.classical import uncompressed
from tfic.measuring.detection import detection_f1
from tfic.measuring.in_processes import measure
from tfic.measuring.row import MEASURES, read_rows
from tfic.measuring.tasks import metrics_of
from tfic.ocr.choice import own_detector
from tfic.ocr.detector import TextDetector
from tfic.ocr.rectify import with_margin
from tfic.pages.lines import Line, Page, Quad, quad_of
from tfic.reader_names import FURTHER_READERS
from tfic.recipes import recipe
from tfic.synth import draw
from tfic.task_names import FURTHER_TASKS, TASKS


def box(left: float, top: float, width: float, height: float) -> Quad:
    return (left, top), (left + width, top), (left + width, top + height), (left, top + height)


ONE, TWO = box(20, 20, 100, 20), box(20, 60, 100, 20)
PAGE = Page("two.png", np.zeros((100, 200, 3), np.uint8), (Line("one", ONE), Line("two", TWO)))


@pytest.mark.parametrize(
    ("found", "f1"),
    [
        ([ONE, TWO], 1.0),
        ([TWO, ONE], 1.0),
        ([ONE], 2 / 3),
        ([], 0.0),
        ([ONE, ONE, TWO], 4 / 5),
        ([ONE, TWO, box(150, 20, 40, 20)], 4 / 5),
        ([box(20, 20, 100, 60)], 0.0),  # both lines in one box
        ([box(20, 20, 50, 20), box(70, 20, 50, 20), TWO], 2 / 5),  # a line in two halves
    ],
)
def test_the_score_is_the_harmonic_mean_of_precision_and_recall(found: list[Quad], f1: float) -> None:
    assert detection_f1(PAGE, found) == pytest.approx(f1)


def test_a_line_is_met_with_the_margin_that_detectors_leave() -> None:
    lines = [quad_of(with_margin(line.quad)) for line in PAGE.lines]
    assert detection_f1(PAGE, lines) == 1.0
    for wider, score in ((1, 1.0), (-1, 0.0)):  # about half of what is to be covered
        halves = [box(*a, (c[0] - a[0]) / 2 + wider, c[1] - a[1]) for a, _, c, _ in lines]
        assert detection_f1(PAGE, halves) == score


def test_what_is_not_to_be_read_counts_for_nothing_and_a_text_without_places_has_no_score() -> None:
    cared = replace(PAGE, lines=PAGE.lines[:1], ignored=(TWO,))
    assert detection_f1(cared, [ONE, TWO]) == detection_f1(cared, [ONE]) == 1.0
    empty = replace(PAGE, lines=())
    assert (detection_f1(empty, []), detection_f1(empty, [ONE])) == (1.0, 0.0)
    assert math.isnan(detection_f1(replace(PAGE, lines=(), stated_text="one"), [ONE]))


def test_most_lines_of_clean_pages_are_found_and_fewer_behind_noise() -> None:
    detector, pages = TextDetector(256, 1), [draw(0, "test", i) for i in range(6)]
    clean = np.mean([detection_f1(page, detector.find(page.image)) for page in pages])
    noise = np.random.default_rng(0).integers(-90, 90, (256, 256, 3))
    noisy = [np.clip(page.image + noise, 0, 255).astype(np.uint8) for page in pages]
    assert clean > 0.8
    assert np.mean([detection_f1(page, detector.find(image)) for page, image in zip(pages, noisy, strict=True)]) < clean


def test_it_is_measured_where_it_is_asked_for_and_nan_elsewhere(tmp_path: Path) -> None:
    config = replace(recipe("tiny"), data=replace(recipe("tiny").data, test_count=2))
    plain = replace(config, eval=replace(config.eval, heldout=False))
    asked = replace(plain, eval=replace(plain.eval, tasks="detection"))
    assert "detection_f1" not in measure(uncompressed(), plain, tmp_path / "plain")
    measured = measure(uncompressed(), asked, tmp_path / "asked")
    rows = read_rows(tmp_path / "asked" / "rows.csv")
    detector = TextDetector(asked.eval.detect_side_px, 1)
    expected = [detection_f1(page, detector.find(page.image)) for page in (draw(0, "test", i) for i in range(2))]
    assert [row.detection_f1 for row in rows] == expected
    assert measured["detection_f1"] == pytest.approx(np.mean(expected))


def test_a_held_out_detector_measures_where_its_reader_is_asked_for(tmp_path: Path) -> None:
    needed(not missing("ppocrv4"), missing("ppocrv4"))
    pages, detector = [draw(0, "test", i) for i in range(4)], TextDetector(256, 1)
    assert list(metrics_of(["detection"], detector)) == ["detection_f1"]
    found = metrics_of(["detection"], detector, ["ppocrv4", "legere"])
    assert list(found) == ["detection_f1", "detection_f1_ppocrv4"]
    own, other = ([metric(page, page.image) for page in pages] for metric in found.values())
    assert min(np.mean(own), np.mean(other)) > 0.7
    assert detector.find(pages[0].image) != own_detector("ppocrv4", detector).find(pages[0].image), "two networks"
    tiny = recipe("tiny")
    settings = replace(tiny.eval, heldout=False, tasks="detection", readers="ppocrv4", detect_side_px=256)
    measure(uncompressed(), replace(tiny, data=replace(tiny.data, test_count=4), eval=settings), tmp_path)
    rows = read_rows(tmp_path / "rows.csv")
    assert [row.detection_f1 for row in rows] == own
    assert [row.detection_f1_ppocrv4 for row in rows] == other


def test_a_held_out_detector_that_is_missing_is_a_sentence_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ReaderMissingError, match=r"reader ppocrv4 .* is not installed; fetch it with"):
        metrics_of(["detection"], TextDetector(256, 1), ["ppocrv4"])


def test_every_task_names_its_model_its_loss_its_licence_and_a_measure_that_is_better_the_larger() -> None:
    assert list(TASKS) == ["reading", *FURTHER_TASKS]
    for task in TASKS.values():
        assert task.model
        assert task.loss
        assert task.licence
        assert MEASURES[task.metric].sign == 1
        assert task.agent
        assert task.verb
        for name, measure_ in task.heldout.items():
            assert name in FURTHER_READERS
            assert MEASURES[measure_].sign == 1
    with pytest.raises(ValueError, match=r"eval.tasks is 'reading'; it must be some of detection, each once"):
        EvalConfig(tasks="reading")
