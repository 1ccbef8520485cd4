"""A run directory trained elsewhere becomes the trial that the sweep would have made of its settings, once."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import config, ingest, runs, small, untrained
from mlflow import MlflowClient

from analysis.report import main as report_main
from sweep.ingest import main
from sweep.run import main as sweep_main
from sweep.spec.axes import Space
from sweep.store.tracking import CHECKPOINT, Tracker, params
from sweep.trial.run import run_trial
from tfic.checkpoints import checkpoint
from tfic.measuring.row import means, read_rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def taken(two_stages: Path, empty_store: str) -> Tracker:
    """The sweep into which both stages were ingested."""
    tracker = Tracker(empty_store, "taken")
    assert ingest(tracker, two_stages) == 0
    return Tracker(empty_store, "taken")


def test_both_stages_of_a_training_become_the_trials_of_their_settings(taken: Tracker, two_stages: Path) -> None:
    sweep = small()
    found = runs(taken)
    trials = {trial.key: trial for trial in (sweep.pretrain(0.003), sweep.finetune(0.003, 1.0))}
    assert found.keys() == trials.keys()
    for key, run in found.items():
        assert run.info.status == "FINISHED"
        assert run.data.params == params(trials[key])
        assert (run.data.tags["kind"], run.data.tags["sweep"]) == (trials[key].kind, "taken")
        assert run.data.tags.get("parent", "") == trials[key].parent
        codec = "pretrain/codec.safetensors" if trials[key].kind == "pretrain" else "codec.safetensors"
        assert run.data.tags["ingested"] == str(two_stages / codec)


def test_what_is_logged_is_the_measurement_and_the_codec_of_the_directory_and_nothing_invented(
    taken: Tracker, two_stages: Path, tmp_path: Path
) -> None:
    client = MlflowClient(tracking_uri=taken.uri)
    for key, run in runs(taken).items():
        folder = two_stages / "pretrain" if key.startswith("pretrain") else two_stages
        rows = read_rows(folder / "measured" / "rows.csv")
        assert run.data.metrics == pytest.approx(means(rows)), "no wall time, no steps"
        assert not {"host", "device", "versions", "git_commit"} & run.data.tags.keys()
        artifacts = Path(client.download_artifacts(run.info.run_id, "", str(tmp_path)))
        for name in ("rows.csv", "comparison.png", "pictures/test-000000.png"):
            assert (artifacts / name).read_bytes() == (folder / "measured" / name).read_bytes()
        assert (artifacts / CHECKPOINT).read_bytes() == (folder / "codec.safetensors").read_bytes()


SETTINGS = """
recipe = "tiny"
name = "taken"
[space]
lmbdas = [0.003]
gammas = [1.0, 3.0]
[data]
train_count = 4
test_count = 2
[train]
pretrain_steps = 1
finetune_steps = 1
read_width_px = 300
klt_start = false
log_every = 7
[eval]
detect_side_px = 256
heldout = false
pictures = 1
"""


def test_a_sweep_of_the_same_settings_runs_only_what_is_missing(
    taken: Tracker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sweep.toml").write_text(SETTINGS)
    assert sweep_main(["--config", str(tmp_path / "sweep.toml"), "--tracking-uri", taken.uri, "--plan"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    finished_keys = {words[0] for words in lines if words[1:2] == ["finished"]}
    assert finished_keys == {small().pretrain(0.003).key, small().finetune(0.003, 1.0).key}
    assert small().finetune(0.003, 3.0).key in {words[0] for words in lines if words[1:3] == ["to", "run"]}


def test_a_finetuning_starts_from_an_ingested_codec(measured: Path, tracker: Tracker, tmp_path: Path) -> None:
    assert ingest(tracker, measured) == 0
    trial, sweep = small().finetune(0.003, 3.0), Tracker(tracker.uri, tracker.sweep)
    run_trial(trial, sweep, sweep.start(trial), tmp_path / trial.key, lambda event: None)
    started = tmp_path / trial.key / "start" / "codec.safetensors"
    assert checkpoint.config_of(started).gamma == 0.0
    assert runs(sweep)[trial.key].info.status == "FINISHED"


def test_the_report_counts_no_time_that_it_does_not_know(taken: Tracker, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert report_main(["--name", "taken", "--tracking-uri", taken.uri, "--out", str(out)]) == 0
    assert "trials; 2 were trained elsewhere, their time is not known" in out.read_text(encoding="utf-8")


def test_the_second_call_finds_nothing_to_ingest(
    measured: Path, tracker: Tracker, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ingest(tracker, measured.parent) == 0
    assert "1 ingested\nReport: python -m analysis.report --name" in capsys.readouterr().out
    before = {key: run.info.run_id for key, run in runs(tracker).items()}
    again = untrained(measured.parent / "b", config())
    assert ingest(tracker, measured.parent) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing to ingest: 2 in the store already"
    assert {key: run.info.run_id for key, run in runs(tracker).items()} == before
    assert not (again / "measured").exists()


def test_where_there_is_a_half_codec_it_is_what_was_measured_and_is_taken(
    measured: Path, tracker: Tracker, tmp_path: Path
) -> None:
    codec = checkpoint.load(measured / "codec.safetensors")
    checkpoint.halve(codec)
    checkpoint.save(codec, config(), measured / "half.safetensors")
    assert ingest(tracker, measured) == 0
    (run,) = runs(tracker).values()
    assert run.data.tags["trial_key"] == small().pretrain(0.003).key
    kept = Tracker(tracker.uri, tracker.sweep).checkpoint(run.data.tags["trial_key"], tmp_path / "kept")
    assert checkpoint.load(kept).fingerprint == codec.fingerprint


def test_the_classical_codecs_that_are_missing_are_measured_on_the_same_images(
    tracker: Tracker, measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    every = replace(small(), space=Space())
    first, *others = every.anchors()
    (tmp_path / "none").mkdir()
    for trial in others:
        tracker.finish(tracker.start(trial), {"bpp": 1.0, "accuracy": 0.5}, tmp_path / "none")
    assert ingest(tracker, measured, "--classical") == 0
    assert f"1 ingested, 2 measured, {len(others)} in the store already" in capsys.readouterr().out
    found = runs(tracker)
    for trial in (every.reference(), first):
        run = found[trial.key]
        assert (run.info.status, run.data.params) == ("FINISHED", params(trial))
        assert {"bpp", "accuracy", "seconds"} <= run.data.metrics.keys()
        assert "host" in run.data.tags
    assert ingest(tracker, measured, "--classical") == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"nothing to ingest: {len(others) + 3} in the store already"


def test_the_sweep_is_called_like_the_folder_unless_it_is_named(
    measured: Path, tmp_path: Path, empty_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = measured.parent.rename(tmp_path / "from-the-cluster")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", empty_store)
    monkeypatch.chdir(root)
    assert main(["."]) == 0
    assert len(Tracker(empty_store, "from-the-cluster").records()) == 1
