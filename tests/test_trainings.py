"""A codec is compared with controls and baselines of its own training, whatever else a sweep of that name has."""

from dataclasses import replace
from pathlib import Path

import made_store
import pandas as pd
import pytest
from made_sweeps import make, measured

from analysis import claims, runs, verdict
from analysis.best import best_pair
from analysis.sweep_data import SweepData
from sweep.spec.space import Sweep
from sweep.store.tracking import Tracker

LMBDAS = (0.001, 0.003)


def loaded(tracker: Tracker, folder: Path, *sweeps: Sweep) -> SweepData:
    """The points of a store after these sweeps of one name; of each lambda one fine-tuning."""
    for sweep in sweeps:
        for lmbda in sweep.space.lmbdas:
            controls = [sweep.control(lmbda)] if sweep.space.controls else []
            for trial in (sweep.pretrain(lmbda), *controls, sweep.finetune(lmbda, 1.0)):
                tracker.finish(tracker.start(trial), measured(trial), folder)
    return SweepData(runs.load(tracker.uri, tracker.sweep).points, pd.DataFrame())


def opponents(data: SweepData, sweep: Sweep, lmbda: float = 0.003) -> set[str]:
    """Keys of what a fine-tuning is compared with."""
    key = sweep.finetune(lmbda, 1.0).key
    return set(data.baselines_for(data.points.set_index("trial_key", drop=False).loc[key])["trial_key"])


def changed(sweep: Sweep, **train: object) -> Sweep:
    return replace(sweep, train=replace(sweep.train, **train))


@pytest.mark.parametrize("setting", ["finetune_steps", "pretrain_steps", "finetune_batch", "learning_rate"])
def test_controls_of_another_training_are_no_opponents(tracker: Tracker, tmp_path: Path, setting: str) -> None:
    before = make(lmbdas=LMBDAS, controls=True)
    tracker = Tracker(tracker.uri, f"{tracker.sweep}-{setting}")
    after = changed(before, **{setting: 2 * getattr(before.train, setting)})
    data = loaded(tracker, tmp_path, before, after)
    for sweep in (before, after):
        assert opponents(data, sweep) == {sweep.control(lmbda).key for lmbda in LMBDAS}


def test_other_images_are_another_training_and_other_readers_are_not(tracker: Tracker, tmp_path: Path) -> None:
    before = make(lmbdas=LMBDAS, controls=True)
    more = replace(before, data=replace(before.data, train_count=before.data.train_count + 1))
    reading = changed(before, reading="features")
    data = loaded(tracker, tmp_path, before, more, reading)
    assert opponents(data, more) == {more.control(lmbda).key for lmbda in LMBDAS}
    assert opponents(data, reading) == opponents(data, before) == {before.control(lmbda).key for lmbda in LMBDAS}


def test_without_controls_of_its_training_a_codec_is_compared_with_its_baselines(
    tracker: Tracker, tmp_path: Path
) -> None:
    before = make(lmbdas=LMBDAS, controls=True)
    after = changed(make(lmbdas=LMBDAS), finetune_steps=99)
    assert opponents(loaded(tracker, tmp_path, before, after), after) == {after.pretrain(each).key for each in LMBDAS}


def test_a_warm_start_compares_with_its_own_and_with_the_codec_that_it_starts_from(
    tracker: Tracker, tmp_path: Path
) -> None:
    plain = make(lmbdas=LMBDAS)
    warm = make(lmbdas=LMBDAS, warm_start=0.003)
    data = loaded(tracker, tmp_path, plain, warm)
    assert opponents(data, warm, 0.001) == {warm.pretrain(lmbda).key for lmbda in LMBDAS}
    assert opponents(data, plain, 0.001) == {plain.pretrain(lmbda).key for lmbda in LMBDAS}


def test_other_seeds_are_the_same_training(tracker: Tracker, tmp_path: Path) -> None:
    one = make(lmbdas=LMBDAS)
    other = changed(one, seed=1)
    data = loaded(tracker, tmp_path, one, other)
    assert data.points["stage_1"].nunique() == 1
    assert opponents(data, other) == {other.pretrain(lmbda).key for lmbda in LMBDAS}


def test_a_store_without_what_decides_goes_by_parameters(tracker: Tracker, tmp_path: Path) -> None:
    before = make(lmbdas=LMBDAS, controls=True)
    after = changed(before, pretrain_steps=77)
    loaded(tracker, tmp_path, before, after)
    for record in tracker.records():
        tracker._client.delete_tag(record.run_id, "decides")
    data = SweepData(runs.load(tracker.uri, tracker.sweep).points, pd.DataFrame())
    assert opponents(data, after) == {after.control(lmbda).key for lmbda in LMBDAS}


def test_a_verdict_is_not_positive_for_having_trained_longer_than_an_old_control() -> None:
    made = made_store.points(gain=0.0)
    for each in [each for each in made if each.kind == "pretrain"]:
        for name, more in (("old", 0.0), ("new", 1.5)):
            control = f"control-{each.key}-{name}"
            made.append(replace(each, key=control, kind="control", skill=each.skill + more, parent=each.key))
    made = [replace(e, skill=e.skill + 1.4, bpp=e.bpp * 0.8) if e.kind == "finetune" else e for e in made]
    points, rows = made_store.world(made)
    steps = ["300" if key.endswith("-old") else "3000" for key in points["trial_key"]]
    apart = SweepData(points.assign(continued=steps), rows)
    assert verdict.sentences(SweepData(points, rows), best_pair(SweepData(points, rows)))
    best = best_pair(apart)
    assert best is not None
    assert best.baseline["trial_key"].endswith("-new")
    assert {key[-3:] for _, matched in apart.pairs() for key in matched.weights} == {"new"}
    assert any(each.startswith("Verdict: not positive") for each in verdict.sentences(apart, best))


def test_baselines_of_two_trainings_make_no_curve() -> None:
    points, rows = made_store.world([each for each in made_store.points() if each.kind != "finetune"])
    other = points["kind"].eq("pretrain") & points["lmbda"].eq(0.01)
    data = SweepData(points.assign(stage_1=["a" if each else "b" for each in other]), rows)
    assert "From 0.235 to 0.108 bpp" in claims.judge(data)[0].reason
