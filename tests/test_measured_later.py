"""A training on GPUs gives them back before it is measured, and is never repeated to be measured."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_sweeps import make, measured

from sweep.on_ray.capacity import Capacity
from sweep.on_ray.driver import resources
from sweep.on_ray.resources import Node, divide
from sweep.on_ray.searcher import Adapter
from sweep.search.plan import plan
from sweep.search.progress import ProgressLines
from sweep.search.search import Search
from sweep.search.state import Status
from sweep.spec.limits import Limits
from sweep.spec.trials import Kind, Trial
from sweep.store.tracking import CHECKPOINT, Tracker

SWEEP = make(lmbdas=(0.003,), gammas=(1.0,))
NODES = (Node(3, 1),)


def adapter(search: Search, tracker: Tracker, concurrent: int | None = None) -> Adapter:
    capacity = Capacity(divide(NODES), concurrent, lambda: NODES)
    return Adapter(search, tracker, ProgressLines(search, capacity, lambda line: None), capacity, lambda: None)


def done(ray: Adapter, trial_id: str, trial: Trial) -> None:
    """End a trial as measured."""
    ray.on_trial_result(trial_id, {"stage": "done", **{f"metrics/{k}": v for k, v in measured(trial).items()}})
    ray.on_trial_complete(trial_id)


def first_training(ray: Adapter) -> dict[str, Any]:
    """The configuration of the first trial that trains."""
    done(ray, "reference", ray.suggest("reference")["trial"])
    found: dict[str, Any] = ray.suggest("a")
    assert found["trial"].kind is Kind.PRETRAIN
    return found


def trains(tracker: Tracker, run_id: str, folder: Path) -> None:
    """Leave what a training on GPUs leaves."""
    (folder / CHECKPOINT).parent.mkdir(parents=True)
    (folder / CHECKPOINT).write_bytes(b"weights")
    tracker.keep_trained(run_id, folder, {"gpu_hours": 0.25, "seconds": 900.0})


def test_a_training_is_measured_in_a_slot_without_gpus_while_the_next_one_trains(
    tracker: Tracker, tmp_path: Path
) -> None:
    search = Search(SWEEP)
    ray = adapter(search, tracker)
    first = first_training(ray)
    assert not first["measures"]
    ray.on_trial_result("a", {"stage": "placed"})
    trains(tracker, first["run_id"], tmp_path / "files")
    ray.on_trial_result("a", {"stage": "trained", "gpu_hours": 0.25})
    ray.on_trial_complete("a")
    assert search.states[first["trial"].key].status is Status.RUNNING
    again = ray.suggest("b")
    assert (again["trial"], again["run_id"], again["measures"]) == (first["trial"], first["run_id"], True)
    assert not any("GPU" in bundle for bundle in resources(divide(NODES).other).bundles)
    done(ray, "b", first["trial"])
    assert search.states[first["trial"].key].status is Status.FINISHED
    assert ray.suggest("c")["trial"].kind == "finetune"


def test_one_training_at_a_time_goes_on_beside_a_measurement(tracker: Tracker, tmp_path: Path) -> None:
    """`--concurrent 1` on one GPU."""
    ray = adapter(Search(make(lmbdas=(0.003, 0.006), gammas=(1.0,))), tracker, 1)
    first = first_training(ray)
    trains(tracker, first["run_id"], tmp_path / "files")
    ray.on_trial_result("a", {"stage": "trained", "gpu_hours": 0.25})
    ray.on_trial_complete("a")
    assert ray.suggest("b")["measures"]
    beside = ray.suggest("c")
    assert (beside["trial"].kind, beside["measures"]) == (Kind.PRETRAIN, False), "the GPU is not idle meanwhile"
    assert ray.suggest("d") is None


def test_what_was_trained_and_not_measured_is_not_trained_by_the_next_command(tracker: Tracker, tmp_path: Path) -> None:
    ray = adapter(Search(SWEEP), tracker)
    begun = first_training(ray)
    trains(tracker, begun["run_id"], tmp_path / "files")
    ray.stop()  # the driver was killed in this moment
    resumed = first_training(adapter(Search(SWEEP, tracker.records()), tracker))
    assert (resumed["run_id"], resumed["measures"]) == (begun["run_id"], True)
    assert tracker.trained(begun["run_id"]) == {"gpu_hours": 0.25, "seconds": 900.0}
    assert tracker.own_codec(begun["run_id"], tmp_path / "elsewhere").read_bytes() == b"weights"


@pytest.mark.parametrize("stage", ["failed", ""])
def test_a_measurement_that_dies_is_tried_again_without_training_and_costs_no_gpu_hours(
    tracker: Tracker, tmp_path: Path, stage: str
) -> None:
    search = Search(SWEEP)
    ray = adapter(search, tracker)
    begun = first_training(ray)
    trains(tracker, begun["run_id"], tmp_path / "files")
    ray.on_trial_result("a", {"stage": "trained", "gpu_hours": 0.25})
    ray.on_trial_complete("a")
    assert ray.suggest("b")["measures"]
    spent = search.spent_hours
    ray.on_trial_result("b", {"stage": "placed"})
    if stage:
        ray.on_trial_result("b", {"stage": stage, "reason": "RuntimeError: lost", "retryable": True})
    ray.on_trial_complete("b", error=True)
    assert search.spent_hours == spent
    retried = ray.suggest("c")
    assert (retried["run_id"], retried["measures"]) == (begun["run_id"], True)


def test_hours_of_a_training_count_when_it_ends_whatever_becomes_of_its_measurement(
    tracker: Tracker, tmp_path: Path
) -> None:
    hours = {"gpu_hours": 0.25}
    limited = replace(SWEEP, limits=Limits(gpu_hours=0.2))
    search = Search(limited)
    ray = adapter(search, tracker)
    begun = first_training(ray)
    trains(tracker, begun["run_id"], tmp_path / "files")
    ray.on_trial_result("a", {"stage": "trained", **hours})
    ray.on_trial_complete("a")
    assert search.spent_hours == 0.25
    assert search.over_budget
    assert ray.suggest("b")["measures"], "a spent budget ends trainings, not measurements"
    ray.on_trial_result("b", {"stage": "failed", "reason": "ValueError: no image", "retryable": False})
    ray.on_trial_complete("b")
    assert search.states[begun["trial"].key].status is Status.FAILED
    assert search.spent_hours == 0.25, "nothing was measured, and the hours are gone"

    again = Search(limited, tracker.records())
    assert again.spent_hours == 0.25
    assert "to run    0 steps  (trained, and still to be measured)" in "\n".join(plan(again))
    ray = adapter(again, tracker)
    resumed = first_training(ray)
    assert resumed["measures"]
    done(ray, "a", resumed["trial"])
    assert again.spent_hours == 0.25
