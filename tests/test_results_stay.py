"""A result in the store stays, whatever happens to the driver between the end of a trial and the news of it."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from made_sweeps import make, measured
from test_measured_later import adapter, first_training

from sweep.on_ray.capacity import Capacity
from sweep.on_ray.resources import Node, divide
from sweep.on_ray.searcher import Adapter
from sweep.run import main
from sweep.search.progress import ProgressLines
from sweep.search.search import Search
from sweep.search.state import Status
from sweep.spec.presets import from_tables
from sweep.spec.trials import Trial
from sweep.store.lease import DRIVER, Lease, SweepTakenError
from sweep.store.tracking import Tracker

SWEEP = make(lmbdas=(0.003,), gammas=(1.0,))


def finish(tracker: Tracker, trial: Trial, run_id: str, folder: Path) -> None:
    """What the process of a trial leaves when it ends."""
    folder.mkdir(exist_ok=True)
    tracker.finish(run_id, measured(trial), folder)


def test_a_finished_run_is_left_alone_by_a_stop_a_failure_and_a_start(tracker: Tracker, tmp_path: Path) -> None:
    trial = SWEEP.pretrain(0.003)
    run_id = tracker.start(trial)
    finish(tracker, trial, run_id, tmp_path / "files")
    before = tracker.records()
    assert before[0].finished
    tracker.stop(run_id)
    tracker.stop(run_id, "its rate is too low")
    tracker.fail(run_id, "its process died", "Traceback")
    assert tracker.start(trial) == run_id
    assert tracker.records() == before


def test_ctrl_c_keeps_what_ended_a_moment_before(tracker: Tracker, tmp_path: Path) -> None:
    ray = adapter(Search(SWEEP), tracker)
    begun = first_training(ray)
    finish(tracker, begun["trial"], begun["run_id"], tmp_path / "files")
    ray.stop()
    (record,) = [each for each in tracker.records() if each.key == begun["trial"].key]
    assert record.finished


@pytest.mark.parametrize("end", [{}, {"stage": "failed", "reason": "StoreAwayError: gone", "retryable": True}])
def test_a_trial_that_dies_after_its_run_was_finished_has_finished(
    tracker: Tracker, tmp_path: Path, end: dict[str, Any]
) -> None:
    search = Search(SWEEP)
    ray = adapter(search, tracker)
    begun = first_training(ray)
    finish(tracker, begun["trial"], begun["run_id"], tmp_path / "files")
    if end:
        ray.on_trial_result("a", end)
    ray.on_trial_complete("a", error=True)
    state = search.states[begun["trial"].key]
    assert (state.status, state.metrics) == (Status.FINISHED, measured(begun["trial"]))


def test_a_driver_that_was_taken_over_leaves_the_runs_to_the_other(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.store.lease.BEAT_S", 0.05)
    nodes, search = (Node(3, 1),), Search(SWEEP)
    capacity = Capacity(divide(nodes), None, lambda: nodes)
    other = {"host": "elsewhere", "pid": 1, "user": "ada", "since": 0.0, "beat": time.time()}

    def drive() -> None:
        with Lease(tracker) as lease:
            ray = Adapter(search, tracker, ProgressLines(search, capacity, lambda line: None), capacity, lease.check)
            ray.suggest("reference")
            deadline = time.monotonic() + 60
            try:
                while time.monotonic() < deadline:
                    Tracker(tracker.uri, tracker.sweep).set_experiment_tag(DRIVER, other)
                    time.sleep(0.3)
                    lease.check()
            finally:
                ray.stop()

    with pytest.raises(SweepTakenError):
        drive()
    (record,) = tracker.records()
    assert record.running


def test_what_an_earlier_driver_finished_while_this_one_began_is_not_run_again(
    empty_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sweep.store.lease.SETTLE_S", 4.0)
    sweep, earlier = from_tables({"name": "overlap"}, "", "tiny"), Tracker(empty_store, "overlap")
    *others, last = [(trial, earlier.start(trial)) for trial in sweep.grid()]
    for trial, run_id in others:
        finish(earlier, trial, run_id, tmp_path / "files")

    def finish_the_last() -> None:
        deadline = time.monotonic() + 60
        while not earlier.experiment_tag(DRIVER) and time.monotonic() < deadline:
            time.sleep(0.05)
        finish(earlier, *last, tmp_path / "files")

    thread = threading.Thread(target=finish_the_last)
    thread.start()
    code = main(["--recipe", "tiny", "--name", "overlap", "--tracking-uri", empty_store])
    thread.join()
    told = capsys.readouterr()
    assert (code, told.err) == (0, "")
    assert "All 6 trials are finished; nothing to run." in told.out
    assert "Starting Ray" not in told.out
