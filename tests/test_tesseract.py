"""A Tesseract that cannot run says so, and is not taken for one that cannot take an image."""

from pathlib import Path

import pytest

from tfic.errors import ImageUnsuitedError, ReaderMissingError
from tfic.ocr import tesseract
from tfic.ocr.tesseract import Program, TesseractPageReader
from tfic.synth import draw

PAGE = draw(0, "test", 0, height_px=64, width_px=96).image


def script(path: Path, lines: str) -> Program:
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return Program(str(path), "")


def test_one_without_its_data_is_no_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tesseract.find_program()
    monkeypatch.setattr(tesseract, "find_program", lambda: Program(real.path, str(tmp_path)))
    with pytest.raises(
        ReaderMissingError, match=r"cannot read a blank image .*; give it its English data .*heldout = false"
    ):
        TesseractPageReader()


def test_one_that_is_killed_costs_no_image_its_measure_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag = tmp_path / "kill"
    killed = script(tmp_path / "program", f"cat > /dev/null; test -e {flag} && kill -9 $$; echo level")
    monkeypatch.setattr(tesseract, "find_program", lambda: killed)
    reader = TesseractPageReader()
    flag.touch()
    for read in (lambda: reader.read(PAGE), lambda: reader.read_several([PAGE])):
        with pytest.raises(ChildProcessError, match="ended by signal 9, perhaps for want of memory") as caught:
            read()
        assert not isinstance(caught.value, ImageUnsuitedError)


def test_it_has_the_environment_of_its_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFIC_OF_THE_USER", "here")
    printed = script(tmp_path / "program", "echo $TFIC_OF_THE_USER $OMP_THREAD_LIMIT").run()
    assert printed == b"here 1\n"
