"""One run per key, steps without duplicates, FINISHED last; a store that is not there is said within seconds."""

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sweep.presets import preset
from sweep.provenance import git_commit, provenance
from sweep.search import Search, Turn
from sweep.space import Sweep
from sweep.tracking import Tracker, absolute_uri, check_reachable, params


@pytest.fixture
def tracker(empty_store: str, request: pytest.FixtureRequest) -> Tracker:
    return Tracker(empty_store, request.node.name)


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
    assert tracker.failure(first) == "FloatingPointError: loss is nan at step 3"
    assert Tracker(tracker.uri, tracker.sweep).start(trial) == first
    assert tracker.failure(first) == ""
    assert [(each.key, each.finished) for each in tracker.records()] == [(trial.key, False)]


def test_a_restart_with_settings_that_decide_nothing_keeps_its_run(tracker: Tracker, sweep: Sweep) -> None:
    other = replace(sweep, train=replace(sweep.train, log_every=1))
    assert tracker.start(sweep.pretrain(0.003)) == tracker.start(other.pretrain(0.003))


def test_only_a_finished_run_is_a_result(tracker: Tracker, sweep: Sweep, files: Path) -> None:
    trial = sweep.finetune(0.003, 1.0)
    run = tracker.start(trial)
    tracker.log_step(run, 2, {"train_loss": 3.0})
    assert not tracker.records()[0].metrics
    tracker.finish(run, {**POINT, "ms_ssim": float("nan")}, files)
    (record,) = tracker.records()
    assert (record.finished, record.kind, record.lmbda, record.gamma) == (True, "finetune", 0.003, 1.0)
    assert record.metrics == POINT | {"train_loss": 3.0}


def test_steps_replayed_after_a_resume_are_logged_once(tracker: Tracker, sweep: Sweep) -> None:
    run = tracker.start(sweep.pretrain(0.003))
    for step in (2, 4, 6):
        tracker.log_step(run, step, {"train_loss": float(step), "train_ocr": float("nan")})
    again = Tracker(tracker.uri, tracker.sweep)
    for step in (4, 6, 8):
        again.log_step(run, step, {"train_loss": float(step)})
    history = again._client.get_metric_history(run, "train_loss")
    assert sorted(each.step for each in history) == [2, 4, 6, 8]


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
    assert "torch " in tags["versions"]
    assert tags["host"]
    assert git_commit(tmp_path) == ""


@pytest.fixture
def refusing() -> Iterator[str]:
    """A web server that knows nothing of tracking."""

    class Refuse(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Refuse)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_that_is_not_there_is_said_within_seconds() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.monotonic()
    for uri in (f"http://127.0.0.1:{port}", f"postgresql://user:secret@127.0.0.1:{port}/db"):
        with pytest.raises(ValueError, match="does not answer") as caught:
            Tracker(uri, "demo")
        assert "secret" not in str(caught.value)
    assert time.monotonic() - began < 10


def test_a_server_of_another_kind_is_said(refusing: str) -> None:
    check_reachable(refusing)
    with pytest.raises(ValueError, match="cannot be opened"):
        Tracker(refusing, "demo")


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database at all, but long enough to be read as one" * 20)
    with pytest.raises(ValueError, match="cannot be opened"):
        Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", "demo")


@pytest.mark.parametrize("uri", ["mlruns", "file:///tmp/mlruns", "sqlite://", "ftp://host"])
def test_an_address_without_a_store_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="tracking URI"):
        absolute_uri(uri)


def test_an_address_means_the_same_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_uri("sqlite:///mlflow.db") == f"sqlite:///{tmp_path}/mlflow.db"
    assert absolute_uri("http://host:5000/") == "http://host:5000"
    with pytest.raises(ValueError, match="no folder"):
        check_reachable(f"sqlite:///{tmp_path}/no/mlflow.db")
