"""Readers: each is named with its licence, those that are missing say what to do, and the stages are replaceable."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from made_files import saved_codec
from made_reading import reading_loss
from needed import missing, needed
from refusals import refused
from torch import nn

from sweep import options, run
from sweep.spec.presets import preset
from sweep.store.tracking import Tracker
from sweep.trial.run import run_trial
from tfic.__main__ import main
from tfic.config import Config, EvalConfig, TrainConfig
from tfic.errors import ReaderMissingError
from tfic.measuring.metrics import accuracy
from tfic.measuring.row import MEASURES
from tfic.measuring.scoring import score
from tfic.ocr import choice, known
from tfic.ocr.detector import TextDetector
from tfic.ocr.easyocr import EasyOCRLineReader
from tfic.ocr.installed import check_installed
from tfic.ocr.recognisers import CTCRecogniser, StagedReader
from tfic.ocr.rectify import Transformation, boxes, places
from tfic.pages.lines import Line, Quad, quad_of
from tfic.reader_names import FURTHER_READERS, READERS, further, trained_against
from tfic.recipes import recipe
from tfic.synth import draw
from tfic.training.reading import build_readers, legible
from tfic.training.train import fit
from tfic.weights import parse

PAGE = 3
"""A page of the test set with five lines."""


@pytest.fixture(scope="module")
def detector() -> TextDetector:
    return TextDetector(256)


def test_every_reader_has_a_name_a_licence_and_a_column_or_is_one_of_the_two_that_always_read() -> None:
    names = [each.name for each in known.KNOWN]
    assert set(names) == {*READERS, *FURTHER_READERS, "tesseract"}
    assert all(each.licence and each.remedy for each in known.KNOWN)
    assert {f"accuracy_{name}" for name in FURTHER_READERS} <= MEASURES.keys()
    lines = choice.table()
    assert [line.split(" ")[0] for line in lines] == names
    assert len(set(FURTHER_READERS) - set(READERS)) >= 3, "readers that no codec is trained against"


@pytest.mark.parametrize("name", FURTHER_READERS)
def test_each_reader_that_is_here_reads_a_clean_page_and_the_others_say_how_to_get_them(
    name: str, detector: TextDetector
) -> None:
    page = draw(0, "test", PAGE)
    if missing(name):
        with pytest.raises(ReaderMissingError, match=r"is not installed; (pip install|fetch it with|apt-get)"):
            choice.page_reader(name, detector)
    needed(not missing(name), missing(name))
    least = {"gocr": 0.3, "legere": 0.5}.get(name, 0.9)
    reader = choice.page_reader(name, detector)
    assert score(page, reader.read(page.image)).accuracy > least
    assert reader.name == known.reader(name).title


def test_a_reader_that_is_asked_for_and_missing_is_an_error_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("ppocrv4", "gocr"):
        with pytest.raises(ReaderMissingError, match=rf"reader {name} \(.*is not installed; (fetch it with|apt-get)"):
            check_installed([name])
    (tmp_path / "tfic" / "readers" / "ppocrv4" / "models").mkdir(parents=True)
    (tmp_path / "tfic" / "readers" / "ppocrv4" / "models" / "ch_PP-OCRv4_det_infer.onnx").write_bytes(b"other")
    with pytest.raises(ReaderMissingError, match="is not the file whose results are known, of SHA-256 d2a7720d45a5"):
        check_installed(["ppocrv4"])


def test_the_readers_that_settings_need_are_those_that_measure_and_those_that_teach_what_is_trained() -> None:
    measured = EvalConfig(readers="gocr")
    taught = TrainConfig(readers="ppocrv6-small+easyocr")
    assert Config(train=taught, eval=measured).needed_readers == ("tesseract", "gocr")
    taught_too = Config(train=taught, eval=measured, gamma=1.0)
    assert taught_too.needed_readers == ("tesseract", "gocr", "ppocrv6-small", "easyocr")
    assert (
        Config(train=replace(taught, tasks="detection"), eval=EvalConfig(heldout=False), gamma=1).needed_readers == ()
    )


@pytest.fixture
def without_easyocr(monkeypatch: pytest.MonkeyPatch) -> None:
    """No package of EasyOCR's weights, as on a machine without the extra `readers`."""
    monkeypatch.setattr(known, "find_spec", lambda name: None if name == "easyocr_en_models" else find_spec(name))


@pytest.mark.usefixtures("without_easyocr")
@pytest.mark.parametrize(
    "flags",
    [
        ["--readers", "ppocr", "ppocr=1,easyocr=1"],
        ["--heldout", "easyocr"],
    ],
)
def test_a_sweep_with_a_reader_that_is_missing_is_refused_in_a_line_and_nothing_is_written(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    refused(run.main, ["--recipe", "tiny", *flags], "reader easyocr (EasyOCR english_g2) is not installed", capsys)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("without_easyocr")
def test_a_training_against_a_reader_that_is_missing_is_refused_before_stage_1_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    stage_2 = ["--recipe", "tiny", "--lmbda", "0.003", "--gamma", "1", "--readers", "ppocr=1,easyocr=1"]
    refused(main, ["train", tmp_path / "run", *stage_2], "reader easyocr (EasyOCR english_g2) is not installed", capsys)
    assert not list(tmp_path.iterdir())
    taught = replace(recipe("tiny").train, readers="easyocr")
    with pytest.raises(ReaderMissingError, match="reader easyocr"):
        fit(replace(recipe("tiny"), train=taught, gamma=1.0), tmp_path / "run", lambda progress: None)
    assert not list((tmp_path / "run").iterdir())


@pytest.mark.usefixtures("without_easyocr")
def test_a_measurement_by_a_reader_that_is_missing_is_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = saved_codec(tmp_path / "c.safetensors", Config(codec="tic-tiny", eval=EvalConfig(readers="easyocr")))
    refused(main, ["evaluate", model, tmp_path / "out"], "reader easyocr (EasyOCR english_g2) is not installed", capsys)
    assert list(tmp_path.iterdir()) == [model]


@pytest.mark.usefixtures("without_easyocr")
def test_a_trial_on_a_machine_without_its_training_reader_ends_before_anything_is_trained(
    tracker: Tracker, tmp_path: Path
) -> None:
    sweep = preset("tiny")
    trial = replace(sweep, train=replace(sweep.train, readers="easyocr")).finetune(0.003, 1.0)
    events: list[object] = []
    run_id = tracker.start(trial)
    with pytest.raises(ReaderMissingError, match="reader easyocr"):
        run_trial(trial, tracker, run_id, tmp_path / trial.key, events.append)
    assert not events
    assert "reader easyocr" in tracker.records()[0].reason


def test_further_readers_are_of_the_known_ones_and_part_of_a_key_only_where_there_are_any() -> None:
    assert further("easyocr+gocr") == ("easyocr", "gocr")
    for bad in ("me", "easyocr+easyocr", "easyocr+"):
        with pytest.raises(ValueError, match=r"eval.readers is .*; it must be some of easyocr, ppocrv4"):
            EvalConfig(readers=bad)
    sweep = preset("tiny")
    more = replace(sweep, eval=replace(sweep.eval, readers="gocr"))
    assert "readers" not in sweep.reference().decides["eval"]
    assert more.reference().key != sweep.reference().key
    assert more.finetune(0.003, 1.0).weights == sweep.finetune(0.003, 1.0).weights


def test_names_with_weights_become_a_sum_and_a_sum_stays() -> None:
    assert trained_against("ppocr=1,easyocr=0.5") == "ppocrv6-small+0.5*easyocr"
    assert trained_against("ppocr") == TrainConfig().readers
    assert trained_against("2*ppocrv6-small+easyocr") == "2*ppocrv6-small+easyocr"
    assert parse(trained_against("easyocr=3,ppocr"), READERS, "readers") == {
        "easyocr": 3.0,
        "ppocrv6-small": 1.0,
    }


def test_the_command_line_names_readers_to_train_against_and_to_be_judged_by() -> None:
    flags = ["--recipe", "tiny", "--readers", "ppocr", "ppocr=1,easyocr=1", "--heldout", "tesseract,gocr"]
    sweep = options.parse(flags, "").sweep
    assert tuple(each.readers for each in sweep.family) == ("ppocrv6-small", "ppocrv6-small+easyocr")
    assert (sweep.eval.heldout, sweep.eval.readers) == (True, "gocr")
    tunings = [trial for trial in sweep.grid() if trial.kind == "finetune"]
    assert {trial.config.train.readers for trial in tunings} == {each.readers for each in sweep.family}
    plain = options.parse(["--recipe", "tiny"], "").sweep
    assert {trial.key for trial in plain.grid() if trial.kind == "finetune"} < {
        trial.key for trial in replace(sweep, eval=plain.eval).grid()
    }
    assert options.parse(["--recipe", "tiny", "--heldout", "gocr"], "").sweep.eval.heldout is False


class Fixed:
    """A detector that finds the same places on any page."""

    def __init__(self, *lines: Line) -> None:
        self._quads = [line.quad for line in lines]

    def find(self, image: np.ndarray) -> list[Quad]:
        return self._quads


def test_detection_transformation_features_sequence_and_prediction_are_each_replaceable() -> None:
    page = draw(0, "test", PAGE)
    reader = EasyOCRLineReader()
    given = Fixed(*page.lines[:2])

    def read(transform: Transformation = places) -> list[str]:
        recogniser = CTCRecogniser(reader, reader.alphabet, reader.height_px, reader.stride_px, transform)
        return [line.text for line in StagedReader("staged", given, recogniser).read(page.image)]

    whole = read()
    assert [text.lower() for text in whole] == [line.text.lower() for line in page.lines[:2]]
    given = Fixed(*(Line("", line.quad[2:] + line.quad[:2]) for line in page.lines[:2]))
    right_way_round = read(boxes)  # this one turns no line, not even one on its head
    assert [accuracy(a, b) > 0.9 for a, b in zip(right_way_round, whole, strict=True)] == [True, True]
    assert max(accuracy(a, b) for a, b in zip(read(), whole, strict=True)) < 0.5
    given = Fixed(*page.lines[:2])

    class Blank(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(x)

    for stage in ("features", "sequence"):
        own = getattr(reader, stage)
        setattr(reader, stage, nn.Sequential(own, Blank()))
        assert read() != whole
        setattr(reader, stage, own)
    prediction = nn.Linear(256, len(reader.alphabet))
    nn.init.zeros_(prediction.weight)
    nn.init.zeros_(prediction.bias)
    with torch.no_grad():
        prediction.bias[reader.alphabet.encode("x")[0]] = 1
    reader.prediction = prediction
    assert read() == ["x", "x"]


def test_reading_against_two_architectures_reaches_the_pixels_through_both() -> None:
    page = draw(0, "test", PAGE)
    x = torch.from_numpy(np.array(page.image)).permute(2, 0, 1)[None].float() / 255
    gradients = []
    for reader, weight in build_readers({"ppocrv6-small": 1.0, "easyocr": 0.5}):
        lines = [(0, line) for line in page.lines if legible(reader, line)][:2]
        assert len(lines) == 2
        x_hat = (x + 0.05 * torch.randn_like(x)).requires_grad_()
        loss = weight * reading_loss(reader, x_hat, lines, terms={"ctc": 1.0, "features": 1.0}, x=x)
        loss.backward()
        assert x_hat.grad is not None
        assert float(loss.detach()) > 0
        gradients.append(x_hat.grad.flatten())
        assert isinstance(reader, torch.nn.Module)
        assert not any(parameter.requires_grad for parameter in reader.parameters())
    assert float(torch.cosine_similarity(*gradients, dim=0)) < 0.9


def test_a_step_of_the_sequence_for_each_stride_of_the_width() -> None:
    reader = EasyOCRLineReader()
    assert reader(torch.rand(2, 3, 64, 100)).shape == (2, 25, 97)
    sight = reader.look(torch.rand(1, 3, 64, 40), features=True, text=False)
    assert sight.log_probabilities is None
    assert [tuple(each.shape) for each in sight.features] == [(1, 256, 3, 10), (1, 256, 1, 10)]


@pytest.mark.parametrize("size", [(32, 5200), (5200, 32), (1, 1), (3, 2100)])
def test_no_shape_of_a_page_is_beyond_the_detector(detector: TextDetector, size: tuple[int, int]) -> None:
    assert detector.find(np.full((*size, 3), 255, np.uint8)) == []


def test_readers_share_what_the_detector_finds_on_one_image(detector: TextDetector) -> None:
    page = draw(0, "test", PAGE)
    assert detector.find(page.image) is detector.find(page.image)
    blank = np.full((200, 200, 3), 255, np.uint8)
    assert detector.find(blank) == []
    assert StagedReader("none", Fixed(Line("", quad_of(((0, 0), (9, 0), (9, 9), (0, 9))))), _Silent()).read(blank) == []


class _Silent:
    def read_lines(self, image: np.ndarray, quads: Sequence[Quad]) -> list[str]:
        return [" " for _ in quads]
