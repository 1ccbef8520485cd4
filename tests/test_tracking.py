"""One run per key, FINISHED last, states of unfinished trainings kept until they end."""

import sqlite3
import threading
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from sweep.search.search import Search, Turn
from sweep.spec.presets import preset
from sweep.spec.space import Sweep
from sweep.store.schema import params
from sweep.store.tracking import Tracker
from sweep.trial.provenance import git_commit, provenance


@pytest.fixture
def sweep() -> Sweep:
    return preset("tiny")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    (folder / "checkpoint").mkdir(parents=True)
    (folder / "checkpoint" / "codec.safetensors").write_bytes(b"weights")
    (folder / "rows.csv").write_text("bpp\n0.1\n")
    return folder


POINT = {"bpp": 0.1, "accuracy": 0.7, "psnr_db": 15.0}


def test_a_key_has_one_run_however_often_it_is_started(tracker: Tracker, sweep: Sweep) -> None:
    trial = sweep.pretrain(0.003)
    first = tracker.start(trial)
    tracker.fail(first, "FloatingPointError: loss is nan at step 3")
    (failed,) = tracker.records()
    assert failed.reason == "FloatingPointError: loss is nan at step 3"
    assert Tracker(tracker.uri, tracker.sweep).start(trial) == first
    (again,) = tracker.records()
    assert (again.key, again.finished, again.running, again.reason) == (trial.key, False, True, "")
    assert again.decides == trial.decides


def test_a_restart_with_settings_that_decide_nothing_keeps_its_run(tracker: Tracker, sweep: Sweep) -> None:
    other = replace(sweep, train=replace(sweep.train, log_every=1))
    assert tracker.start(sweep.pretrain(0.003)) == tracker.start(other.pretrain(0.003))


def test_only_a_finished_run_is_a_result(tracker: Tracker, sweep: Sweep, files: Path) -> None:
    trial = sweep.finetune(0.003, 1.0)
    run = tracker.start(trial)
    tracker.log_steps(run, [(2, {"train_loss": 3.0})])
    assert not tracker.records()[0].metrics
    tracker.finish(run, {**POINT, "ms_ssim": float("nan")}, files)
    (record,) = tracker.records()
    assert (record.finished, record.kind, record.lmbda, record.gamma) == (True, "finetune", 0.003, 1.0)
    assert record.metrics == POINT | {"train_loss": 3.0}


def test_a_long_history_is_logged_in_batches_that_the_store_takes(tracker: Tracker, sweep: Sweep) -> None:
    run = tracker.start(sweep.pretrain(0.003))
    assert tracker.last_step(run) == -1
    many = {f"train_{name}": float("nan") if name == "ocr" else 1.0 for name in ("loss", "bpp", "mse", "ocr")}
    tracker.log_steps(run, [(step, many) for step in range(450)])
    assert tracker.last_step(run) == 449
    assert [step for step, _ in tracker.history(run, "train_bpp")] == list(range(450))
    assert tracker.history(run, "train_ocr") == []


def test_the_state_of_a_training_is_kept_for_other_machines_until_it_ends(
    tracker: Tracker, sweep: Sweep, tmp_path: Path
) -> None:
    run = tracker.start(sweep.pretrain(0.003))
    state, journal = tmp_path / "state.pt", tmp_path / "metrics.jsonl"
    state.write_bytes(b"weights at 5")
    journal.write_text("{}\n")
    assert tracker.state(run, -1, tmp_path) == []
    tracker.keep_state(run, 5, [state, journal])
    other = tmp_path / "other"
    other.mkdir()
    assert tracker.state(run, 5, other) == []
    found = tracker.state(run, 4, other)
    assert [(each.name, each.read_bytes()) for each in found] == [
        ("metrics.jsonl", b"{}\n"),
        ("state.pt", b"weights at 5"),
    ]
    tracker.drop_state(run)
    assert tracker.state(run, -1, other) == []
    assert not tracker._client.list_artifacts(run, "state")


def test_a_run_that_a_rule_stopped_says_which(tracker: Tracker, sweep: Sweep) -> None:
    trial = sweep.finetune(0.003, 1.0)
    tracker.stop(tracker.start(trial), "its rate is too low")
    (record,) = tracker.records()
    assert (record.stopped, record.finished, record.reason) == (True, False, "its rate is too low")
    tracker.start(trial)
    assert not tracker.records()[0].stopped


def test_final_metrics_logged_before_a_kill_are_not_logged_twice(tracker: Tracker, sweep: Sweep, files: Path) -> None:
    run = tracker.start(sweep.pretrain(0.003))
    tracker.finish(run, POINT, files)
    tracker.finish(run, POINT | {"cer": 0.2}, files)
    assert len(tracker._client.get_metric_history(run, "bpp")) == 1
    assert tracker.records()[0].metrics["cer"] == 0.2


def test_a_finished_codec_comes_back_from_the_store(
    tracker: Tracker, sweep: Sweep, files: Path, tmp_path: Path
) -> None:
    trial = sweep.pretrain(0.003)
    run = tracker.start(trial)
    with pytest.raises(ValueError, match="no finished run of pretrain"):
        tracker.checkpoint(trial.key, tmp_path / "start")
    tracker.finish(run, POINT, files)
    assert tracker.checkpoint(trial.key, tmp_path / "start").read_bytes() == b"weights"
    reference = sweep.reference()
    (files / "checkpoint" / "codec.safetensors").unlink()
    tracker.finish(tracker.start(reference), POINT, files)
    with pytest.raises(ValueError, match=r"has lost its checkpoint/codec.safetensors"):
        tracker.checkpoint(reference.key, tmp_path / "other")


def test_a_sweep_goes_on_from_the_store_alone(tracker: Tracker, sweep: Sweep, files: Path) -> None:
    for trial in sweep.grid():
        tracker.finish(tracker.start(trial), POINT, files)
    extra = sweep.finetune(0.003, 0.5)
    tracker.stop(tracker.start(extra, proposed=True))
    wider = replace(sweep, space=replace(sweep.space, trials=1))
    search = Search(wider, Tracker(tracker.uri, tracker.sweep).records())
    assert search.ask() == extra
    search.tell(extra.key, POINT)
    assert search.ask() is Turn.DONE


def test_a_failure_keeps_its_details(tracker: Tracker, sweep: Sweep) -> None:
    run = tracker.start(sweep.pretrain(0.003))
    tracker.fail(run, "ValueError: no", "Traceback: here")
    assert [each.path for each in tracker._client.list_artifacts(run)] == ["failure.txt"]


def test_a_run_names_its_codec_and_its_weights_or_its_quality(sweep: Sweep) -> None:
    tuned, anchor, reference = params(sweep.finetune(0.003, 1.0)), params(sweep.anchors()[0]), params(sweep.reference())
    assert (tuned["codec"], tuned["lmbda"], tuned["gamma"], tuned["train.batch"]) == ("tic-tiny", "0.003", "1.0", "2")
    assert params(sweep.pretrain(0.003))["gamma"] == "0.0"
    assert (anchor["codec"], anchor["quality"], anchor["data.test_count"]) == ("jpeg", "10", "4")
    assert not {"lmbda", "gamma", "train.batch"} & {*anchor, *reference}
    assert reference["codec"] == "uncompressed"


def test_what_made_a_run_is_said(tmp_path: Path) -> None:
    tags = provenance()
    for package in ("torch", "faker", "opencv-python-headless"):
        assert f"{package} {version(package)}" in tags["versions"].split(", ")
    assert tags["host"]
    assert git_commit(tmp_path) == ""


def test_a_locked_database_is_waited_for(tracker: Tracker, sweep: Sweep) -> None:
    run = tracker.start(sweep.pretrain(0.003))
    lock = sqlite3.connect(tracker.uri.removeprefix("sqlite:///"), check_same_thread=False)
    lock.execute("BEGIN EXCLUSIVE")
    unlock = threading.Timer(8, lock.rollback)
    unlock.start()
    tracker.tag(run, {"after": "all"})
    unlock.join()
    lock.close()
    assert tracker._client.get_run(run).data.tags["after"] == "all"


def test_an_artifact_store_that_refuses_is_an_error_at_once(
    tracker: Tracker, sweep: Sweep, files: Path, tmp_path: Path
) -> None:
    run = tracker.start(sweep.pretrain(0.003))
    place = Path(tracker._client.get_run(run).info.artifact_uri.removeprefix("file://"))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("no folder")
    with pytest.raises(OSError, match=r"exists|Not a directory"):
        tracker.finish(run, POINT, files)
    assert not tracker.records()[0].finished
    with pytest.raises(OSError, match=r"exists|Not a directory"):
        tracker.fail(run, "OSError: no space left", "Traceback: here")
    ended = tracker._client.get_run(run)
    assert (ended.info.status, ended.data.tags["failure"]) == ("FAILED", "OSError: no space left")
    place.unlink()
    tracker.finish(run, POINT, files)
    assert tracker.records()[0].finished
