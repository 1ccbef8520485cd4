"""Controls and the family of stage 2 in a sweep: shared, named, keyed, released, run, shown."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_sweeps import make, run_all
from test_trial import small

from sweep.search.plan import plan
from sweep.search.search import Search
from sweep.spec.presets import from_tables, preset
from sweep.spec.space import Sweep
from sweep.spec.trials import Kind
from sweep.store.tracking import Tracker
from sweep.trial.conditions import Conditions
from sweep.trial.run import run_trial
from tfic.config import TrainConfig, half
from tfic.training.intermediate import Keep


def sweep(**more: Any) -> Sweep:
    return make(lmbdas=(0.003, 0.01), gammas=(1.0, 3.0), **more)


def test_each_lambda_has_one_control_that_its_gammas_share() -> None:
    plain, made = sweep(), sweep(controls=True)
    controls = [trial for trial in made.grid() if trial.kind is Kind.CONTROL]
    assert [trial.key for trial in controls] == [made.control(lmbda).key for lmbda in (0.003, 0.01)]
    assert {trial.key for trial in made.grid()} - {trial.key for trial in plain.grid()} == {t.key for t in controls}
    first = controls[0]
    assert (first.parent, first.steps) == (made.pretrain(0.003).key, made.train.finetune_steps)
    assert first.title == "control lmbda 0.003"
    assert (first.config.control, first.config.gamma) == (True, 0.0)


def test_a_control_s_key_follows_the_steps_of_stage_2_and_not_what_is_read() -> None:
    def key(**train: object) -> str:
        made = sweep(controls=True)
        return replace(made, train=replace(made.train, **train)).control(0.003).key

    assert key() == key(reading="features", learns="encoder", lmbda_share=0.5, read_width_px=900, log_every=1)
    others = [key(finetune_steps=99), key(finetune_batch=9), key(finetune_learning_rate=0.5), key(batch=9)]
    assert len({key(), *others}) == 5


def test_the_family_is_a_grid_and_the_slides_keep_their_keys() -> None:
    family = {"readings": ("ctc", "features"), "learns": ("all", "encoder"), "rest_distortions": (1.0, 0.1)}
    plain, made = sweep(), sweep(**family, text_distortions=(1.0, 2.0))
    tunings = [trial for trial in made.grid() if trial.kind is Kind.FINETUNE]
    assert len({trial.key for trial in tunings}) == len(tunings) == 4 * 16
    assert {trial.key for trial in plain.grid()} <= {trial.key for trial in made.grid()}
    assert made.finetune(0.003, 1.0, member=made.family[-1]).title.endswith(
        "reading features encoder learns text_distortion 2 rest_distortion 0.1"
    )
    assert made.finetune(0.003, 1.0) == plain.finetune(0.003, 1.0)
    assert {"reading", "learns", "text_distortion", "rest_distortion"} <= {
        field.removeprefix("train.") for field in tunings[-1].decides
    }


def test_the_slides_stage_2_stays_that_of_paper() -> None:
    train, default = preset("paper").train, TrainConfig()
    for name in ("reading", "readers", "learns", "text_distortion", "rest_distortion", "lmbda_share"):
        assert getattr(train, name) == getattr(default, name)
    assert (default.reading, default.learns, default.lmbda_share) == ("ctc", "all", 0.0)


@pytest.mark.parametrize(("table", "words"), [
    ({"space": {"readings": ["words"]}}, r"'words' is none of ctc, features, logits"),
    ({"space": {"learns": ["me"]}}, r"learns has 'me'; it must be all or encoder"),
    ({"space": {"rest_distortions": [-0.1]}}, r"rest_distortion is -0.1; it must be 0 or more"),
    ({"train": {"learns": "me"}}, r"learns is 'me'; it must be all or encoder"),
])  # fmt: skip
def test_another_member_of_the_family_is_refused(table: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        from_tables(table, "sweep.toml", "tiny")


def test_controls_wait_for_stage_1_and_are_lost_with_it() -> None:
    search = Search(sweep(controls=True, halfway=True))
    asked = run_all(search, lambda trial: trial.kind is not Kind.PRETRAIN or trial.config.lmbda == 0.003)
    order = [trial.kind for trial in asked if trial.config.lmbda == 0.003 and trial.kind is not Kind.CLASSICAL]
    first = [order.index(kind) for kind in (Kind.PRETRAIN, Kind.CONTROL, Kind.FINETUNE, Kind.HALFWAY)]
    assert first == sorted(first)
    assert not [trial for trial in asked if trial.kind in (Kind.CONTROL, Kind.HALFWAY) and trial.config.lmbda == 0.01]
    lines = plan(Search(sweep(controls=True, halfway=True)))
    assert "Controls: stage 1 continued for the steps of stage 2" in lines
    assert any(line.strip().startswith(f"{sweep().control(0.003).key} ") for line in lines)


def test_proposals_learn_from_the_member_of_the_family_that_they_propose() -> None:
    search = Search(sweep(readings=("features", "ctc"), trials=1))
    proposed = [trial for trial in run_all(search) if search.states[trial.key].proposed]
    assert [trial.config.train.reading for trial in proposed] == ["features"]


@pytest.mark.slow
def test_a_control_and_half_of_stage_1_are_trained_measured_and_found_again(tmp_path: Path) -> None:
    made = replace(small(), space=replace(small().space, controls=True, halfway=True))
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db", "controls")
    done = {}
    for trial in (made.pretrain(0.003), made.control(0.003), made.halfway(0.003)):
        conditions = Conditions(keep=Keep(half=True))
        done[trial.kind] = run_trial(
            trial, tracker, tracker.start(trial), tmp_path / "runs" / trial.key, lambda event: None, conditions
        )
    assert half(made.train.pretrain_steps) == made.halfway(0.003).step < made.train.pretrain_steps
    assert len({tuple(metrics[name] for name in ("bpp", "psnr_db")) for metrics in done.values()}) == 3
    again = Search(made, tracker.records())
    assert {again.states[key].trial.kind for key in again.results} == {Kind.PRETRAIN, Kind.CONTROL, Kind.HALFWAY}
    assert "gpu_hours" in done[Kind.CONTROL]
    assert "gpu_hours" not in done[Kind.HALFWAY]
