"""Sweeps that start from a trained model, and in which one training serves every lambda."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_files import ready_codec
from made_sweeps import make, record, run_all
from PIL import Image
from test_trial import small

from analysis import runs as points_of
from sweep import ingest
from sweep.options import parse
from sweep.search.plan import plan
from sweep.search.search import Search
from sweep.spec.axes import Qualities, Space
from sweep.spec.presets import from_tables, preset
from sweep.spec.space import Sweep
from sweep.spec.trials import Kind
from sweep.store.tracking import Tracker
from sweep.trial.run import run_trial
from tfic.checkpoints import checkpoint, models
from tfic.config import CODEC_FILE, Config
from tfic.data import test_pages as pages_of
from tfic.training.train import fit

LMBDAS = (0.0016, 0.0064)


@pytest.fixture(scope="module")
def foundation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("foundation") / CODEC_FILE
    checkpoint.save(ready_codec("lite-vbr"), Config(codec="lite-vbr"), path)
    return path


def ranged(start: str, **more: object) -> Sweep:
    base = make(lmbdas=LMBDAS, gammas=(1.0, 3.0), controls=True, **more)
    train = replace(base.train, start=start, whole_range=True, pretrain_steps=0)
    return replace(base, codec="lite-vbr", train=train)


def test_one_training_of_each_kind_serves_every_lambda() -> None:
    made = ranged("zoo/lite-vbr")
    trained = [trial for trial in made.grid() if trial.kind in (Kind.PRETRAIN, Kind.CONTROL, Kind.FINETUNE)]
    assert [(trial.kind, trial.config.lmbda, trial.config.gamma) for trial in trained] == [
        (Kind.PRETRAIN, 0.0032, 0), (Kind.CONTROL, 0.0032, 0), (Kind.FINETUNE, 0.0032, 1), (Kind.FINETUNE, 0.0032, 3),
    ]  # fmt: skip
    others = [trial for trial in made.grid() if trial.kind is Kind.QUALITY]
    assert {(each.parent, each.config.lmbda) for each in others} == {(t.key, x) for t in trained for x in LMBDAS}
    assert all(each.steps == 0 for each in others)
    assert [each.title for each in others[2:6]] == [
        "control lmbda 0.0016 by quality", "control lmbda 0.0064 by quality",
        "finetune lmbda 0.0016 gamma 1 by quality", "finetune lmbda 0.0064 gamma 1 by quality",
    ]  # fmt: skip
    assert others[0].key.startswith("pretrain-l0.0032-at-l0.0016-")
    larger = replace(made, space=replace(made.space, lmbdas=(*LMBDAS, 0.0008)))
    assert {trial.key for trial in made.grid()} < {trial.key for trial in larger.grid()}


def test_the_demo_fine_tunes_the_foundation_once_for_every_rate_and_compares_with_a_control() -> None:
    made = preset("demo")
    made.check_start()
    trained = [trial for trial in made.grid() if trial.steps]
    assert [trial.kind for trial in trained] == [Kind.CONTROL, Kind.FINETUNE]
    for trial in trained:
        rates = [trial, *(each for each in made.grid() if each.parent == trial.key)]
        assert sorted(each.config.lmbda for each in rates) == [0.0012, 0.002, 0.0032, 0.0052]


def test_keys_hold_the_weights_of_the_foundation_and_not_its_name(foundation: Path) -> None:
    one, other = ranged(str(foundation)), ranged(str(foundation.parent))
    assert [trial.key for trial in one.grid()] == [trial.key for trial in other.grid()]
    stage_1 = one.pretrain(0.0032)
    assert stage_1.decides["start"] == models.weights_of(stage_1.config.train.start)
    assert stage_1.key != ranged("zoo/lite-vbr").pretrain(0.0032).key
    assert "start" not in make().pretrain(0.003).decides


def test_codecs_by_quality_run_where_a_slot_is_idle_and_are_lost_with_their_training() -> None:
    search = Search(ranged("zoo/lite-vbr", trials=1))
    asked = run_all(search, lambda trial: trial.kind is not Kind.CONTROL)
    kinds = [trial.kind for trial in asked]
    assert kinds.index(Kind.QUALITY) > max(i for i, kind in enumerate(kinds) if kind in (Kind.CONTROL, Kind.PRETRAIN))
    ran = [trial for trial in asked if trial.kind is Kind.QUALITY]
    assert not [trial for trial in ran if trial.config.control]
    proposed = [trial for trial in asked if search.states[trial.key].proposed]
    assert [trial.kind for trial in proposed] == [Kind.FINETUNE]
    assert {trial.config.lmbda for trial in ran if trial.parent == proposed[0].key} == set(LMBDAS)
    again = Search(ranged("zoo/lite-vbr", trials=1), [record(t, proposed=t in proposed) for t in asked])
    assert again.total == search.total
    lines = plan(again)
    assert "The same codecs at other lambdas, by their quality" in lines
    assert not [line for line in lines if line.startswith("Sharing")], "a stage 1 without steps saves none"


@pytest.mark.parametrize(("table", "words"), [
    ({"codec": "tic-tiny", "train": {"start": "zoo/lite-vbr"}}, "is a lite-vbr|a lite-vbr, and the codec to train"),
    ({"codec": "tic-tiny", "train": {"whole_range": True}}, "whole_range is true for codec tic-tiny"),
    ({"codec": "lite-vbr", "train": {"start": "zoo/none"}}, "no model 'zoo/none'"),
])  # fmt: skip
def test_a_start_that_cannot_be_is_refused_at_once(table: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        from_tables(table, "sweep.toml", "tiny").check_start()


def test_a_warm_start_within_a_whole_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"warm_start is 0.0016 with train.whole_range"):
        ranged("zoo/lite-vbr", warm_start=0.0016)


def test_the_flag_wins_over_the_recipe_s_start(tmp_path: Path) -> None:
    options = ["--recipe", "tiny", "--codec", "lite-vbr", "--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db"]
    assert parse([*options, "--start", "zoo/lite-vbr"], "").sweep.train.start == "zoo/lite-vbr"
    assert parse([*options, "--start", ""], "").sweep.train.start == ""
    with pytest.raises(ValueError, match="give --codec lite-vbr, or another --start"):
        parse(["--recipe", "tiny", "--start", "zoo/lite-vbr"], "")


@pytest.mark.slow
def test_a_sweep_from_a_foundation_is_run_shown_and_ingested_under_the_same_keys(
    foundation: Path, tmp_path: Path
) -> None:
    base = small()
    train = replace(
        base.train, start=str(foundation), whole_range=True, pretrain_steps=0, finetune_steps=1, crop_height_px=64,
        crop_width_px=128, learns="encoder", reading="features",
    )  # fmt: skip
    space = Space((0.0032, 0.0064), (1.0,), controls=True, classical=Qualities((), (), ()))
    made = replace(base, codec="lite-vbr", space=space, train=train, data=replace(base.data, test_count=1))
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    tracker = Tracker(uri, "range")
    trials = [trial for trial in made.grid() if trial.steps or trial.kind in (Kind.PRETRAIN, Kind.QUALITY)]
    for trial in trials:
        run_trial(trial, tracker, tracker.start(trial), tmp_path / "runs" / trial.key, lambda event: None)

    shown = points_of.load(uri).points.set_index("trial_key")
    assert sorted(shown["kind"]) == ["control"] * 2 + ["finetune"] * 2 + ["pretrain"] * 2
    for kind in ("control", "finetune"):
        there = shown[(shown["kind"] == kind) & (shown["lmbda"] == 0.0064)].iloc[0]
        start = shown.loc[there["parent"]]
        assert (start["kind"], start["lmbda"]) == ("pretrain", 0.0064)

    page = Image.fromarray(pages_of(made.data)[0].image[:64, :64])
    owner = checkpoint.load(foundation)
    for trial in trials:
        codec = checkpoint.load(tmp_path / "runs" / trial.key / CODEC_FILE)
        assert codec.level == (100 if trial.config.lmbda == 0.0032 else 150)
        if not trial.config.control:
            assert np.array_equal(
                np.asarray(owner.decode(codec.encode(page))), np.asarray(codec.decode(codec.encode(page)))
            )

    elsewhere = tmp_path / "elsewhere"
    for config in (made.control(0.0032).config, made.finetune(0.0032, 1.0).config):
        fit(config, elsewhere / f"gamma{config.gamma:g}", lambda progress: None)
    other = f"sqlite:///{tmp_path}/other.db"
    assert ingest.main([str(elsewhere), "--name", "taken", "--tracking-uri", other]) == 0
    taken = {record.key: record for record in Tracker(other, "taken").records()}
    own = {made.pretrain(0.0032).key, made.control(0.0032).key, made.finetune(0.0032, 1.0).key}
    assert set(taken) == own
    assert taken[made.control(0.0032).key].kind is Kind.CONTROL
