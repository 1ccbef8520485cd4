"""The GPU-hours of a training are those of all its attempts, on whatever machine and by whichever command."""

from pathlib import Path
from typing import Any

import pytest
from made_runs import small

from sweep.search.search import Search
from sweep.store.schema import SPENT
from sweep.store.tracking import Tracker
from sweep.trial.conditions import Conditions
from sweep.trial.run import run_trial, train_trial

TRIAL = small().pretrain(0.003)
ON_TWO = Conditions(gpus=2.0)


def lost(*given: Any, **named: Any) -> Path:
    raise RuntimeError("the GPU is lost")


def test_an_attempt_that_fails_or_is_cut_off_leaves_its_hours_in_the_store(tracker: Tracker, tmp_path: Path) -> None:
    def cut(*given: Any, **named: Any) -> Path:
        raise KeyboardInterrupt

    run_id = tracker.start(TRIAL)
    tracker.tag(run_id, {SPENT: "10"})
    spent = [10.0]
    for fit, error in ((lost, RuntimeError), (cut, KeyboardInterrupt)):
        with pytest.raises(error):
            run_trial(TRIAL, tracker, run_id, tmp_path / TRIAL.key, lambda event: None, ON_TWO, fit)
        spent.append(tracker.spent_hours(run_id))
    assert spent == sorted(set(spent))
    assert Search(small(), tracker.records()).spent_hours == spent[-1] < 10.1


@pytest.mark.slow
def test_a_training_that_goes_on_says_the_hours_of_all_its_attempts(tracker: Tracker, tmp_path: Path) -> None:
    run_id = tracker.start(TRIAL)
    tracker.tag(run_id, {SPENT: "10"})
    with pytest.raises(RuntimeError):
        train_trial(TRIAL, tracker, run_id, tmp_path / TRIAL.key, lambda event: None, ON_TWO, lost)
    before = tracker.spent_hours(run_id)
    cost = train_trial(TRIAL, tracker, tracker.start(TRIAL), tmp_path / TRIAL.key, lambda event: None, ON_TWO)
    assert 10 < before < cost["gpu_hours"] < 10.2
    assert Search(small(), tracker.records()).spent_hours == pytest.approx(cost["gpu_hours"])
    metrics = run_trial(TRIAL, tracker, run_id, tmp_path / TRIAL.key, lambda event: None)
    assert metrics["gpu_hours"] == cost["gpu_hours"]
    assert Search(small(), tracker.records()).spent_hours == pytest.approx(cost["gpu_hours"])


@pytest.mark.slow
def test_so_does_one_that_holds_no_gpu(tracker: Tracker, tmp_path: Path) -> None:
    run_id = tracker.start(TRIAL)
    tracker.tag(run_id, {SPENT: "10"})
    metrics = run_trial(TRIAL, tracker, run_id, tmp_path / TRIAL.key, lambda event: None)
    assert 10 < metrics["gpu_hours"] < 10.2
