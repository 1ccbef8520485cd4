"""What cannot be ingested is named and left, and the rest is ingested."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import config, ingest, runs, small, untrained
from refusals import refused

from sweep.ingest import main
from sweep.store.tracking import Tracker
from tfic.checkpoints import checkpoint
from tfic.measuring.row import read_rows, write_rows


def test_unfinished_directories_are_named_and_left(
    measured: Path, tracker: Tracker, capsys: pytest.CaptureFixture[str]
) -> None:
    root = measured.parent
    (root / "b").mkdir()
    (root / "b" / "state.pt").write_bytes(b"half way")
    (root / "c" / "pretrain").mkdir(parents=True)
    (root / "c" / "pretrain" / "state.pt").write_bytes(b"half way in stage 1")
    measured.rename(root / "c" / "done")
    assert ingest(tracker, root) == 0
    said = capsys.readouterr().out
    for name in ("b", "c/pretrain"):
        assert f"{root / name}: not finished, left" in said
    assert "2 unfinished, 1 ingested" in said


def test_what_is_not_measured_is_left_when_asked(
    tracker: Tracker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    untrained(tmp_path / "run", config())
    assert ingest(tracker, tmp_path, "--no-measure") == 0
    assert "nothing to ingest: 1 not measured" in capsys.readouterr().out
    assert not runs(tracker)
    assert not (tmp_path / "run" / "measured").exists()


def spoil(folder: Path, how: str) -> None:
    path = folder / "measured" / "rows.csv"
    rows = read_rows(path)
    if how == "damaged codec":
        data = (folder / "codec.safetensors").read_bytes()
        (folder / "codec.safetensors").write_bytes(data[:-1000] + bytes([data[-1000] ^ 1]) + data[-999:])
    elif how == "no codec of ours":
        (folder / "codec.safetensors").write_text("weights")
    elif how == "rows of another codec":
        write_rows([replace(row, file_bytes=2 * row.file_bytes) for row in rows], path)
    elif how == "rows of other images":
        write_rows([replace(row, truth="another") for row in rows], path)
    elif how == "fewer rows":
        write_rows(rows[:1], path)
    elif how == "half a row":
        path.write_bytes(path.read_bytes()[:-3])
    elif how == "a column short":
        path.write_text(path.read_text().replace("psnr_db", "psnr", 1))
    elif how == "no numbers":
        path.write_bytes(path.read_bytes().replace(b"test-000001.png,256", b"test-000001.png,wide"))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("damaged codec", "weights do not match its fingerprint"),
        ("no codec of ours", "is damaged or no checkpoint"),
        ("rows of another codec", "rows.csv is of another codec: codec.safetensors takes "),
        ("rows of other images", "has other images than the 2 test images of the codec's settings; remove "),
        ("fewer rows", "has other images than the 2 test images"),
        ("half a row", "rows.csv is damaged or was written by another version: "),
        ("a column short", "no column 'psnr_db'; measure again"),
        ("no numbers", "invalid literal for int"),
    ],
)
def test_a_broken_directory_is_named_in_one_line_and_the_others_go_on(
    how: str, words: str, measured: Path, tracker: Tracker, capsys: pytest.CaptureFixture[str]
) -> None:
    good = config(lmbda=0.02)
    other = Path(shutil.copytree(measured, measured.parent / "z"))
    checkpoint.save(checkpoint.load(other / "codec.safetensors"), good, other / "codec.safetensors")
    spoil(measured, how)
    sweep = Tracker(tracker.uri, f"{tracker.sweep}-{how.replace(' ', '-')}")
    assert ingest(sweep, measured.parent) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"failed: {measured}: ")
    assert words in said.err
    assert said.err.count("\n") == 1
    assert "1 failed, 1 ingested" in said.out
    assert list(runs(sweep)) == [small().pretrain(0.02).key]


def test_a_measurement_that_fails_leaves_its_reason_in_the_store_and_is_tried_again(
    tracker: Tracker, measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(measured / "measured")
    (measured / "measured").write_text("in the way")
    assert ingest(tracker, measured) == 1
    (run,) = runs(tracker).values()
    assert (run.info.status, run.data.tags["failure"].split(":")[0]) == ("FAILED", "NotADirectoryError")
    (measured / "measured").unlink()
    assert ingest(tracker, measured) == 0
    (again,) = runs(tracker).values()
    assert (again.info.run_id, again.info.status) == (run.info.run_id, "FINISHED")
    assert "failure" not in again.data.tags


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere: no such folder; give a run directory"),
        (["."], "no run directory there or in its folders"),
        ([".", "--name", "a b"], "name is 'a b'; it must be letters"),
        ([".", "--names", "a"], "unrecognized arguments: --names"),
        ([], "the following arguments are required: DIR"),
        (["run", "--tracking-uri", "mlruns"], "neither a server"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if "run" in arguments:
        untrained(tmp_path / "run", config())
    before = sorted(tmp_path.rglob("*"))
    refused(main, arguments, words, capsys)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_whose_name_no_sweep_can_have_asks_for_a_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "größe").mkdir()
    refused(main, [tmp_path / "größe"], "beginning with a letter or digit; give --name\n", capsys)
    refused(main, [tmp_path / "größe", "--name", "_x"], "beginning with a letter or digit\n", capsys)
