"""Many files on many processes: alike with any number, whole or not there, and one that fails stops no other."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from made_files import saved_codec
from PIL import Image

from tfic.checkpoints import checkpoint
from tfic.codec.image_codec import ImageCodec
from tfic.commands import bulk
from tfic.commands.file_plan import Pair
from tfic.config import Config
from tfic.synth import draw

MANY = 3000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_codec(tmp_path_factory.mktemp("model") / "codec.safetensors", Config(codec="tic-tiny"))


def drawn(folder: Path, count: int) -> list[Pair]:
    folder.mkdir()
    for i in range(count):
        Image.fromarray(draw(0, "test", i, 64, 80 + i).image).save(folder / f"{i}.png")
    return [Pair(folder / f"{i}.png", folder / "out" / f"{i}.tfic") for i in range(count)]


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the second when it ends between opening and reading
        return False


@pytest.mark.slow
def test_files_are_alike_with_one_process_and_with_two(tmp_path: Path, model: Path) -> None:
    pairs = drawn(tmp_path / "x", 4)
    files = []
    for workers in (1, 2):
        outcomes = bulk.convert_all(bulk.encode_file, pairs, model, workers)
        assert sorted(each.source for each in outcomes) == [pair.source for pair in pairs]
        assert not any(each.failure for each in outcomes)
        files.append([pair.target.read_bytes() for pair in pairs])
    assert files[0] == files[1]
    codec = checkpoint.load(model)
    for pair, data in zip(pairs, files[0], strict=True):
        with Image.open(pair.source) as image:
            assert data == codec.encode(image)
    first = min(outcomes, key=lambda each: each.source)
    assert (first.pixels, first.coded_bytes) == (64 * 80, len(files[0][0]))
    assert first.bpp == 8 * len(files[0][0]) / (64 * 80)


@pytest.mark.parametrize("suffix", bulk.FORMATS)
def test_a_decoded_image_loses_nothing_in_its_file(tmp_path: Path, model: Path, suffix: str) -> None:
    (pair,) = drawn(tmp_path / "x", 1)
    codec = checkpoint.load(model)
    bulk.encode_file(codec, pair)
    back = Pair(pair.target, tmp_path / f"back{suffix}")
    bulk.decode_file(codec, back)
    assert np.array_equal(np.asarray(Image.open(back.target)), np.asarray(codec.decode(pair.target.read_bytes())))


def test_what_fails_is_told_and_the_rest_is_written(tmp_path: Path, model: Path) -> None:
    pairs = drawn(tmp_path / "x", 4)
    pairs[1].source.write_bytes(pairs[1].source.read_bytes()[:100])
    pairs[2].source.unlink()
    pairs[3].target.mkdir(parents=True)
    outcomes = {each.source.name: each for each in bulk.convert_all(bulk.encode_file, pairs, model, 1)}
    assert not outcomes["0.png"].failure
    assert "1.png cannot be read" in outcomes["1.png"].failure
    assert "2.png cannot be read" in outcomes["2.png"].failure
    assert "3.tfic cannot be written" in outcomes["3.png"].failure
    assert sorted(path.name for path in (tmp_path / "x" / "out").iterdir()) == ["0.tfic", "3.tfic"]


def die(codec: ImageCodec, pair: Pair) -> bulk.Outcome:
    """Stands for the kernel that kills a process for want of memory."""
    os._exit(9)


@pytest.mark.slow
def test_a_process_that_dies_is_told_for_every_file_it_took_with_it(tmp_path: Path, model: Path) -> None:
    outcomes = bulk.convert_all(die, drawn(tmp_path / "x", 2), model, 2)
    assert [each.failure.partition(": ")[2] for each in outcomes] == [
        "a process died, perhaps for want of memory; try fewer --workers"
    ] * 2


def short_of_memory(codec: ImageCodec, pair: Pair) -> bulk.Outcome:
    """What torch does when a tensor is larger than memory."""
    torch.empty(1 << 60, dtype=torch.uint8)
    raise AssertionError("so much memory")


def broken(codec: ImageCodec, pair: Pair) -> bulk.Outcome:
    """A bug."""
    raise RuntimeError("a bug")


def test_want_of_memory_is_a_failure_and_a_bug_is_raised(tmp_path: Path, model: Path) -> None:
    pairs = drawn(tmp_path / "x", 1)
    (outcome,) = bulk.convert_all(short_of_memory, pairs, model, 1)
    assert "not enough memory" in outcome.failure
    with pytest.raises(RuntimeError, match="a bug"):
        bulk.convert_all(broken, pairs, model, 1)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_command_leaves_no_process_and_no_half_file(tmp_path: Path, model: Path, how: signal.Signals) -> None:
    (first,) = drawn(tmp_path / "x", 1)
    for i in range(MANY):  # more than can be done before the command is stopped
        shutil.copy(first.source, first.source.with_stem(f"copy{i}"))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "tfic", "encode", str(tmp_path / "x"), str(out), "--model", str(model)]
    process = subprocess.Popen([*command, "--workers", "2"], stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not (out.is_dir() and any(out.glob("*.tfic"))):
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.01)
    group = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and _group(each) == process.pid]
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # as a terminal does: to every process of the command
    else:
        process.kill()
    _, error = process.communicate(timeout=300)
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert error.strip() == "stopped; files that were finished are whole, and no others are left"
        assert not list(out.glob("*.partial"))
    deadline = time.monotonic() + 120
    while any(map(alive, group)):
        assert time.monotonic() < deadline, "processes are left"
        time.sleep(0.05)
    codec = checkpoint.load(model)
    for path in out.glob("*.tfic"):
        codec.decode(path.read_bytes())
    assert len(list(out.glob("*.tfic"))) < MANY


def _group(process: Path) -> int:
    try:
        return os.getpgid(int(process.name))
    except ProcessLookupError:
        return 0
