"""The command line does what its help says, and answers bad input in one line."""

from pathlib import Path

import numpy as np
import pytest
from made_files import saved_codec
from PIL import Image
from refusals import refused

from tfic.__main__ import main
from tfic.checkpoints import checkpoint
from tfic.config import Config
from tfic.data import read_folder
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
    told(["encode", tmp_path / "x.png", tmp_path / "y.tfic", "--model", "zoo/none"], "unknown key 'zoo/none'")
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


@pytest.mark.slow
def test_training_and_measuring_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert main(["train", str(run), "--recipe", "tiny", "--lmbda", "0.01", "--gamma", "1"]) == 0
    out = capsys.readouterr().out
    assert "pretrain 20/20" in out
    assert "finetune 6/6" in out
    assert main(["evaluate", str(run), str(tmp_path / "measured")]) == 0
    assert "bpp " in capsys.readouterr().out
    assert (tmp_path / "measured" / "rows.csv").exists()
