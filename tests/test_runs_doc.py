"""docs/runs.md lists what runs hold, also what only some hold; tests/test_story.py compares it with a sweep's runs."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_docs import ROOT, runs_table, settings_of_a_run, text
from made_sweeps import make
from mlflow.tracking import MlflowClient

from sweep.spec.trials import Trial
from sweep.store import schema
from sweep.store.lease import DRIVER
from sweep.store.schema import SPENT
from sweep.store.settings import BEGAN, SETTINGS
from sweep.store.tracking import Tracker
from tfic.measuring.row import MEASURES

SWEEP = make(lmbdas=(0.001, 0.003), gammas=(1.0,), keep_every=3, warm_start=0.001, controls=True, halfway=True)
RANGE = make(lmbdas=(0.0016, 0.0032), gammas=(1.0,), controls=True)
RANGE = replace(RANGE, codec="lite-vbr", train=replace(RANGE.train, whole_range=True))
TRIALS = {trial.key: trial for trial in (*SWEEP.grid(), *RANGE.grid())}


@pytest.mark.parametrize("trial", TRIALS.values(), ids=lambda trial: trial.key.rpartition("-")[0])
def test_every_tag_and_parameter_with_which_a_run_begins_is_listed_for_its_kind(trial: Trial) -> None:
    tags, params = runs_table("tag"), runs_table("parameter") | settings_of_a_run()
    begun, given = schema.tags(trial, "demo", proposed=True).keys(), schema.params(trial).keys()
    assert begun <= tags.keys()
    assert given == {name for name, kinds in params.items() if schema.STORED_KINDS[trial.kind] in kinds} | (
        given & {"warm_lmbda"}
    )
    assert begun - {"proposed"} - ({"parent"} if trial.config.warm_lmbda else set()) <= {
        name for name, kinds in tags.items() if schema.STORED_KINDS[trial.kind] in kinds
    }


def test_every_kind_and_every_conditional_parameter_is_among_these_trials() -> None:
    assert {schema.STORED_KINDS[trial.kind] for trial in TRIALS.values()} == {
        "uncompressed",
        "classical",
        "pretrain",
        "finetune",
        "candidate",
        "control",
        "quality",
        "halfway",
    }
    given = {name for trial in TRIALS.values() for name in schema.params(trial)}
    assert given == (runs_table("parameter") | settings_of_a_run()).keys()


def test_every_measure_is_listed() -> None:
    metrics = runs_table("metric")
    assert MEASURES.keys() <= metrics.keys()
    assert metrics.keys() - MEASURES.keys() == {
        "seconds", "gpu_hours", "train_loss", "train_bpp", "train_mse", "train_ocr",
    }  # fmt: skip


def test_what_a_run_has_on_its_way_and_when_it_ends_badly_is_listed(tracker: Tracker, tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    state.write_bytes(b"state")
    client, (one, two, *_) = MlflowClient(tracker.uri), TRIALS.values()
    run = tracker.start(one)
    tracker.keep_state(run, 5, [state])
    tracker.log_steps(run, [], spent_hours=0.5)
    tracker.fail(run, "ValueError: spoilt", "Traceback")
    other = tracker.start(two)
    tracker.stop(other, "a rule")
    tags = client.get_run(run).data.tags.keys() | client.get_run(other).data.tags.keys()
    assert (
        {"state_step", "failure", "stopped", SPENT}
        <= {name for name in tags if "mlflow." not in name}
        <= runs_table("tag").keys()
    )
    artifacts = {f"{each.path}{'/' if each.is_dir else ''}" for each in client.list_artifacts(run)}
    assert artifacts == {"state/", "failure.txt"} <= runs_table("artifact").keys()


def test_no_tag_is_listed_that_nothing_writes() -> None:
    """Of tags that a plain sweep's runs do not have; tests/test_story.py looks for the others in such runs."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "sweep").rglob("*.py"))
    for name, kinds in runs_table("tag").items():
        assert kinds or f'"{name}"' in source, name
    assert all(f"`{name}`" in text("docs/runs.md").partition("## Notes")[2] for name in (SETTINGS, BEGAN, DRIVER))
