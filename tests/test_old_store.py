"""A store of the version before `lmbda_share`, which said `finetune_lmbda` and `floors`, is still resumed and read.

It was trained and measured by version 1: by a program that still does both so it is finished, one that measures
otherwise measures it again without training, and today's says that another version has trained it.

`data/store_before_lmbda_share.tar.xz` is what `python -m sweep.run --config sweep.toml` of commit 4df7456 left with the
file below, made small: 49 of 50 weights of each transform are zero, the rest rounded to half precision, and the codec
written again by that commit. Its database has @FOLDER@ where the working folder was.
"""

import re
import shutil
import sqlite3
import tarfile
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from analysis import runs as tables
from sweep import run, status
from sweep.search.search import Search
from sweep.spec.presets import from_tables, read_toml
from sweep.spec.trials import Kind
from sweep.store.tracking import Tracker
from sweep.trial.run import run_trial
from tfic.checkpoints import checkpoint
from tfic.config import TRAINING_VERSION

STORE = Path(__file__).parent / "data" / "store_before_lmbda_share.tar.xz"
OLD_SWEEP = """
recipe = "tiny"
name = "before"
[space]
lmbdas = [0.003]
gammas = [1.0]
trials = 1
floors = [0.0, 1.0]
every = 3
[space.classical]
jpeg = [10]
webp = []
avif = []
[data]
train_count = 8
test_count = 2
[train]
learning_rate = 1e-30
finetune_learning_rate = 1e-30
pretrain_steps = 8
[eval]
heldout = false
pictures = 1
"""
SHARES = {
    "finetune-l0.003-g1-0003250661": 0.0,
    "finetune-l0.003-g1-54b6823322": 1.0,
    "finetune-l0.003-g0.869-049a26b4cd": 0.03,
}
"""The share of lambda that each fine-tuning of the store kept, by key."""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working folder of the old version: its store and its sweep.toml."""
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(STORE) as archive:
        archive.extractall(folder, filter="data")
    place(folder, "@FOLDER@")
    (folder / "sweep.toml").write_text(OLD_SWEEP)
    return folder


def place(folder: Path, before: str) -> None:
    """Write down in a store that its artifacts lie in `folder`, and not in `before`."""
    with sqlite3.connect(folder / "mlflow.db") as database:
        for table, column in (("runs", "artifact_uri"), ("experiments", "artifact_location")):
            database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (before, str(folder)))
    database.close()


def arguments(old: Path) -> list[str]:
    return ["--config", str(old / "sweep.toml"), "--tracking-uri", f"sqlite:///{old / 'mlflow.db'}"]


@pytest.fixture(autouse=True)
def _drawn_as_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """The version of drawing is that of the store: the images are the same in all tests here."""
    monkeypatch.setattr("sweep.spec.space.DRAWING_VERSION", 3)


@pytest.fixture(autouse=True)
def trained_as_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """The version of training is that of the store."""
    monkeypatch.setattr("sweep.spec.space.TRAINING_VERSION", 1)


@pytest.fixture
def as_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """The version of measuring is that of the store."""
    monkeypatch.setattr("sweep.spec.space.MEASURING_VERSION", 1)


@pytest.mark.usefixtures("as_then")
@pytest.mark.parametrize("flags", [[], ["--floors", "0,1", "--every", "3"], ["--lmbda-shares", "0", "1"]])
def test_there_is_nothing_left_to_run(old: Path, flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main([*arguments(old), *flags]) == 0
    assert "All 9 trials are finished; nothing to run." in capsys.readouterr().out
    assert run.main([*arguments(old), *flags, "--plan"]) == 0
    assert "9 trials: 9 finished, 0 to run" in capsys.readouterr().out


@pytest.mark.usefixtures("as_then")
def test_its_settings_are_read_back_from_the_store(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status.main(arguments(old)[2:]) == 0
    assert "9 trials: 9 finished, 0 to run" in capsys.readouterr().out


@pytest.mark.usefixtures("as_then")
def test_its_keys_and_shares_are_those_of_today_s_trials(old: Path) -> None:
    records = {each.key: each for each in Tracker(arguments(old)[-1], "before").records()}
    sweep = from_tables(read_toml(old / "sweep.toml"), "sweep.toml", "tiny")
    for key, share in SHARES.items():
        assert records[key].lmbda_share == share
        assert sweep.finetune(0.003, records[key].gamma, share).key == key
        assert sweep.finetune(0.003, records[key].gamma, share).decides == records[key].decides


def test_a_program_that_trains_so_plans_to_measure_it_again_and_to_train_nothing(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main([*arguments(old), "--plan"]) == 0
    said = capsys.readouterr().out
    assert "9 trials: 0 finished, 9 to run (0 training steps)" in said
    assert "4 of them are measured again from checkpoints in the store; nothing is trained for them" in said
    for key in SHARES:
        assert f"0 steps  (measured again, with the weights of {key})" in said


def test_today_s_program_says_that_another_version_has_trained_it_and_trains_it_anew(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sweep.spec.space.TRAINING_VERSION", TRAINING_VERSION)
    assert run.main([*arguments(old), "--plan"]) == 0
    said = capsys.readouterr().out
    assert re.search(
        r"pretrain-l0.003-\w+ was trained by another version of this program: training_version none -> 2", said
    )
    assert re.search(r"\d trials: 0 finished, \d to run \([1-9]\d* training steps", said)
    assert "nothing is trained for them" not in said


def test_measured_again_each_codec_is_what_it_was_and_the_store_tells_the_two_measurements_apart(
    old: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(old, tmp_path / "copy"))
    place(copy, str(old))
    tracker = Tracker(arguments(copy)[-1], "before")
    search = Search(from_tables(read_toml(copy / "sweep.toml"), "sweep.toml", "tiny"), tracker.records())

    def fit(*_: Any, **__: Any) -> Path:
        raise AssertionError("nothing is to be trained")

    before = {record.key: record for record in search.records.values()}
    trials = [trial for trial in search.trials() if trial.kind in (Kind.PRETRAIN, Kind.FINETUNE)][:2]
    trials += search.sweep.intermediates(trials[1])
    for trial in trials:
        run_trial(trial, tracker, tracker.start(trial), tmp_path / "runs" / trial.key, lambda event: None, fit=fit)
    after = {record.key: record for record in tracker.records()}
    for trial in trials[:2]:
        origin = search.before[trial.weights]
        codecs = [tracker.checkpoint(key, tmp_path / "got" / key) for key in (trial.key, origin.key)]
        assert codecs[0].read_bytes() == codecs[1].read_bytes()
        assert after[trial.key].metrics["gpu_hours"] == before[origin.key].metrics["gpu_hours"]
        assert after[trial.key].intermediate_steps == before[origin.key].intermediate_steps
        tags = MlflowClient(tracker.uri).get_run(after[trial.key].run_id).data.tags
        assert tags["weights_of"] == origin.key
    assert "accuracy_words" in after[trials[-1].key].metrics
    now, then = tables.load(tracker.uri, "before"), tables.load(tracker.uri, "before", name_of_first(tracker.uri))
    assert set(now.points["trial_key"]) == {trial.key for trial in trials}
    assert set(then.points["trial_key"]) == set(before)
    assert "measured by version 1" in then.test_set


def name_of_first(uri: str) -> str:
    """Name of the test set as measured by version 1."""
    (name,) = tables.load(uri, "before").others
    return name


def test_the_report_s_rows_and_labels_are_read(old: Path) -> None:
    sweep = tables.load(arguments(old)[-1], "before")
    assert len(sweep.points) == 9
    assert set(tables.rows(sweep)["trial_key"]) == set(sweep.points["trial_key"])
    labels = sweep.points.set_index("trial_key")["label"]
    assert {key: labels[key].partition("lmbda_share ")[2] for key in SHARES} == {
        key: f"{share:g}" for key, share in SHARES.items()
    }


def test_its_codecs_load_and_their_settings_have_the_new_name(old: Path, tmp_path: Path) -> None:
    tracker = Tracker(arguments(old)[-1], "before")
    records = [
        each for each in tracker.records() if each.kind in (Kind.FINETUNE, Kind.INTERMEDIATE) and each.lmbda_share == 1
    ]
    assert len(records) == 2
    for record in records:
        found = tracker.checkpoint(record.key, tmp_path / record.key)
        assert checkpoint.load(found).fingerprint
        assert checkpoint.config_of(found).train.lmbda_share == 1


def test_new_runs_keep_the_parameter_s_name(tracker: Tracker) -> None:
    trial = from_tables({"train": {"lmbda_share": 0.5}}, "sweep.toml", "tiny").finetune(0.003, 1.0)
    run_id = tracker.start(trial)
    params = MlflowClient(tracker.uri).get_run(run_id).data.params
    assert (params["train.finetune_lmbda"], "train.lmbda_share" in params) == ("0.5", False)
    assert [each.lmbda_share for each in tracker.records()] == [0.5]
