"""Training metrics arrive once each, in spite of kills and of a store that is away or refuses."""

import json
import time
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from sweep.spec.presets import preset
from sweep.store.tracking import Tracker
from sweep.trial.journal import Journal


def test_steps_repeated_after_a_kill_are_written_and_logged_once(tracker: Tracker, tmp_path: Path) -> None:
    run = tracker.start(preset("tiny").pretrain(0.003))
    file = tmp_path / "run" / "metrics.jsonl"
    with Journal(file, tracker, run, 10) as journal:
        for step in (2, 4, 6):
            journal.add(step, {"train_loss": float(step), "train_ocr": float("nan")})
    with Journal(file, tracker, run, 10) as journal:
        for step in (4, 6, 8):
            journal.add(step, {"train_loss": -1.0})
    assert tracker.history(run, "train_loss") == [(2, 2.0), (4, 4.0), (6, 6.0), (8, -1.0)]
    assert [json.loads(line)["step"] for line in file.read_text().splitlines()] == [2, 4, 6, 8]


def test_what_a_killed_attempt_wrote_down_but_did_not_deliver_is_delivered_by_the_next(
    tracker: Tracker, tmp_path: Path
) -> None:
    run = tracker.start(preset("tiny").pretrain(0.003))
    tracker.log_steps(run, [(2, {"train_loss": 2.0})])
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"step": 2, "train_loss": 2.0}\n{"step": 4, "train_loss": 4.0}\n{"step": 6, "trai')
    with Journal(file, tracker, run, 10) as journal:
        journal.add(6, {"train_loss": 6.0})
    assert tracker.history(run, "train_loss") == [(2, 2.0), (4, 4.0), (6, 6.0)]
    assert len(file.read_text().splitlines()) == 3


def test_the_hours_go_with_each_batch_and_at_repeated_steps_alone(tracker: Tracker, tmp_path: Path) -> None:
    run, file = tracker.start(preset("tiny").pretrain(0.003)), tmp_path / "metrics.jsonl"
    assert tracker.spent_hours(run) == 0.0
    with Journal(file, tracker, run, 10, lambda: 1.5) as journal:
        journal.add(2, {"train_loss": 2.0})
    assert tracker.spent_hours(run) == 1.5
    with Journal(file, tracker, run, 10, lambda: 2.25) as journal:
        journal.add(2, {"train_loss": 2.0})
    assert tracker.spent_hours(run) == 2.25
    assert tracker.history(run, "train_loss") == [(2, 2.0)]


def test_a_store_that_refuses_ends_the_training_soon(tracker: Tracker, tmp_path: Path) -> None:
    def write_until_refused() -> None:
        with Journal(tmp_path / "metrics.jsonl", tracker, "0" * 32, 10) as journal:
            for step in range(1000):
                journal.add(step, {"train_loss": 1.0})
                time.sleep(0.01)

    with pytest.raises(MlflowException, match="not found"):
        write_until_refused()


def test_a_training_that_fails_delivers_what_it_reported_before(tracker: Tracker, tmp_path: Path) -> None:
    run = tracker.start(preset("tiny").pretrain(0.003))

    def fail() -> None:
        with Journal(tmp_path / "metrics.jsonl", tracker, run, 10) as journal:
            journal.add(2, {"train_loss": 2.0})
            raise FloatingPointError("loss is nan at step 3")

    with pytest.raises(FloatingPointError):
        fail()
    assert tracker.last_step(run) == 2
