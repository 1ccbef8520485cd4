"""The command line does what its help says, and answers bad input in one line."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_files import saved_codec
from PIL import Image
from refusals import refused

from tfic.__main__ import main
from tfic.checkpoints import checkpoint
from tfic.config import Config, DataConfig
from tfic.data import read_folder, write_folder
from tfic.measuring.row import read_rows
from tfic.synth import draw


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return saved_codec(tmp_path / "codec.safetensors", Config(codec="tic-tiny"))


def test_synth_writes_the_images_that_draw_draws(tmp_path: Path) -> None:
    assert main(["synth", str(tmp_path / "out"), "--count", "3", "--split", "test", "--seed", "5"]) == 0
    pages = read_folder(tmp_path / "out")
    for i, page in enumerate(pages):
        drawn = draw(5, "test", i)
        assert np.array_equal(page.image, drawn.image)
        assert page.text == drawn.text
    assert len(pages) == 3
    assert main(["synth", str(tmp_path / "papers"), "--count", "2", "--documents", "1", "--height", "64"]) == 0
    papers = [draw(0, "train", i, height_px=64, document_share=1.0) for i in range(2)]
    assert [page.text for page in read_folder(tmp_path / "papers")] == [page.text for page in papers]


def test_an_image_is_encoded_and_decoded_through_files(tmp_path: Path, model: Path) -> None:
    image = draw(0, "test", 0, height_px=90, width_px=133).image
    Image.fromarray(image).save(tmp_path / "x.png")
    assert main(["encode", str(tmp_path / "x.png"), str(tmp_path / "x.tfic"), "--model", str(model)]) == 0
    assert main(["decode", str(tmp_path / "x.tfic"), str(tmp_path / "y.png"), "--model", str(model)]) == 0
    decoded = np.asarray(Image.open(tmp_path / "y.png"))
    codec = checkpoint.load(model)
    assert np.array_equal(decoded, codec.decode(codec.encode(image)))


def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(draw(0, "test", 0).image).save(tmp_path / "x.png")
    assert main(["encode", str(tmp_path / "x.png"), str(tmp_path / "x.tfic"), "--model", str(model)]) == 0
    other = saved_codec(tmp_path / "other.safetensors", Config(codec="tic-tiny"), seed=1)

    def told(arguments: list[object], words: str) -> None:
        refused(main, arguments, words, capsys)

    told(["decode", tmp_path / "x.tfic", tmp_path / "y.png", "--model", other], "written by model")
    told(["decode", tmp_path / "x.png", tmp_path / "y.png", "--model", model], "not a TFIC file")
    told(["decode", tmp_path / "none.tfic", tmp_path / "y.png", "--model", model], "no file or folder")
    told(
        ["encode", tmp_path / "x.png", tmp_path / "y.tfic", "--model", "zoo/none"],
        "no model 'zoo/none'; did you mean 'zoo/",
    )
    told(["evaluate", tmp_path / "none", tmp_path / "out"], "no model '")
    told(["encode", tmp_path / "x.tfic", tmp_path / "y.tfic", "--model", model], "cannot identify it")
    told(["encode", tmp_path / "x.png", tmp_path / "y.tfic", "--model", tmp_path / "x.png"], "damaged")
    told(["train", tmp_path / "run", "--lmbda", "-1"], "lmbda is -1.0; it must be a positive number")
    told(["train", tmp_path / "run", "--lmbda", "1", "--recipe", "dmo"], "did you mean 'demo'")
    told(["synth", tmp_path / "out", "--count", "0"], "--count is 0")
    told(["synth", tmp_path / "out", "--documents", "34"], "document_share is 34.0; it must be from 0 to 1")
    model.write_bytes(model.read_bytes()[:-7])
    told(["decode", tmp_path / "x.tfic", tmp_path / "y.png", "--model", model], "damaged")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required: COMMAND"),
        (["encode", "a.png", "b.png", "out", "--model", "x"], "unrecognized arguments: out; put a glob in quotes"),
        (["encode", "a.png", "a.tfic"], "required: --model"),
        (["decode", "a", "b", "--model", "x", "--workers", "two"], "invalid int value: 'two'"),
    ],
)
def test_a_wrong_command_is_one_line_and_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(main, arguments, words, capsys)


def test_evaluate_measures_all_pages_of_the_folder_that_it_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Config(codec="tic-tiny", data=DataConfig(test_count=1))
    settings = replace(settings, eval=replace(settings.eval, heldout=False, detect_side_px=256))
    model = saved_codec(tmp_path / "codec.safetensors", settings)
    write_folder([draw(0, "test", i, height_px=64, width_px=64) for i in range(3)], tmp_path / "pages")
    measured = tmp_path / "measured"
    assert main(["evaluate", str(model), str(measured), "--test-data", str(tmp_path / "pages")]) == 0
    assert len(read_rows(measured / "rows.csv")) == 3
    said = capsys.readouterr().out
    assert "pages                3\n" in said
    assert "lack measures" not in said


class Interrupted(io.StringIO):
    """A terminal at which Ctrl-C is pressed as soon as something is written to it."""

    def write(self, text: str) -> int:
        raise KeyboardInterrupt


@pytest.mark.parametrize("command", ["synth", "readers"])
def test_a_stopped_command_promises_no_checkpoint_that_it_does_not_have(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [command, str(tmp_path / "out"), "--count", "1"] if command == "synth" else [command]
    monkeypatch.setattr("sys.stdout", Interrupted())
    assert main(arguments) == 130
    assert capsys.readouterr().err == "\nstopped; the same command begins again\n"


@pytest.mark.slow
def test_training_and_measuring_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert main(["train", str(run), "--recipe", "tiny", "--lmbda", "0.01", "--gamma", "1"]) == 0
    out = capsys.readouterr().out
    assert "pretrain 20/20" in out
    assert "  bpp_estimated " in out
    assert "  bpp " not in out, "an estimate under the name of measured bytes"
    assert "finetune 6/6" in out
    assert main(["evaluate", str(run), str(tmp_path / "measured")]) == 0
    assert "bpp " in capsys.readouterr().out
    assert (tmp_path / "measured" / "rows.csv").exists()
