"""Command lines: a reader that goes away, a byte order mark, names that an address or a file system cannot hold."""

import subprocess
import sys
from pathlib import Path

import pytest
from refusals import refused

from analysis import pareto
from sweep.spec.presets import read_toml
from tfic import __main__ as tfic
from tfic.system.cli import sentence
from tfic.system.files import FileWriteError
from tfic.system.store_uri import absolute

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("body", "code"), [("print('x' * 100_000); return 0", 141), ("say('x' * 100_000); return 3", 3)]
)
def test_a_command_whose_output_is_not_read_to_its_end_says_nothing(body: str, code: int) -> None:
    program = f"import sys\nfrom tfic.system.cli import piped, say\n@piped\ndef main():\n    {body}\nsys.exit(main())"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == code


def test_a_byte_order_mark_is_no_part_of_sweep_toml(tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_bytes(b'\xef\xbb\xbfname = "scans"\n')
    assert read_toml(tmp_path / "sweep.toml") == {"name": "scans"}


def test_a_store_in_a_folder_that_no_address_can_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "what?").mkdir()
    monkeypatch.chdir(tmp_path / "what?")
    with pytest.raises(ValueError, match=r"what\? has a question mark in its name.* keep the store elsewhere"):
        absolute("sqlite:///mlflow.db")
    assert absolute("sqlite:////a/b.db?timeout=3") == "sqlite:////a/b.db?timeout=3"


def test_a_long_place_for_ray_s_sockets_is_told_with_the_variable_that_helps(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    program = (
        "import os, sys; os.environ['TMPDIR'] = sys.argv[1]; os.environ.pop('RAY_TMPDIR', None)\n"
        "from sweep.on_ray import driver\n"
        "try:\n    driver.connect('')\nexcept ValueError as error:\n    print(error)"
    )
    said = subprocess.run([sys.executable, "-c", program, str(deep)], capture_output=True, text=True, cwd=ROOT).stdout
    assert "set RAY_TMPDIR to a folder with a short name" in said


def test_an_error_of_the_operating_system_names_the_place_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tracking_uri: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mk.py").touch()
    shown = "error: mk.py: File exists; name another place\n"
    refused(tfic.main, ["train", "mk.py", "--recipe", "tiny", "--lmbda", "0.01"], shown, capsys)
    refused(pareto.main, ["--compressai", "mk.py", "--tracking-uri", tracking_uri], shown, capsys)
    words = "error: mk.py/xx: Not a directory; name another place\n"
    refused(tfic.main, ["synth", "mk.py/xx", "--count", "1", "--split", "test"], words, capsys)
    refused(pareto.main, ["--compressai", "mk.py/xx", "--tracking-uri", tracking_uri], words, capsys)


def test_an_error_of_our_own_keeps_its_words_and_one_without_a_place_too() -> None:
    assert sentence(FileWriteError("x cannot be written;\n make room")) == "x cannot be written; make room"
    assert sentence(OSError("no\nplace")) == "no place"
    assert sentence(ValueError("what")) == "what"
