"""A sweep that was measured on two test sets: front, report and verdict are of one."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from made_store import log_sweep, points
from made_sweeps import make, measured
from mlflow import MlflowClient
from mlflow.entities import Param

from analysis import pareto, report, runs, sets
from analysis.records import StoredRun
from sweep.spec import keys
from sweep.spec.space import Sweep
from sweep.spec.trials import Trial
from sweep.store.schema import params, tags
from sweep.store.tracking import Tracker
from tfic.config import DataConfig, EvalConfig


@pytest.fixture(scope="module")
def two_sets(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store whose sweep has twice the same points, measured on scans/a and then on scans/b."""
    folder: Path = tmp_path_factory.mktemp("sets")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri)
    made = [each for each in points() if each.kind in ("pretrain", "uncompressed")]
    log_sweep(client, "scans", made, folder, minute=0)
    both = [replace(each, key=f"{each.key}-b", parent=each.parent and f"{each.parent}-b") for each in made]
    log_sweep(client, "second", both, folder, minute=10)
    to = client.get_experiment_by_name("scans")
    for name, place in (("scans", "/data/scans/a"), ("second", "/data/scans/b")):
        experiment = client.get_experiment_by_name(name)
        for run in client.search_runs([experiment.experiment_id]):
            client.log_batch(run.info.run_id, params=[Param("data.test_dir", place)])
            if name == "second" and run.info.status == "FINISHED":
                copied(client, client.get_run(run.info.run_id), to.experiment_id)
    return uri


def copied(client: MlflowClient, run, experiment: str) -> None:
    """The run again, in another experiment."""
    tags = {name: value for name, value in run.data.tags.items() if not name.startswith("mlflow.")}
    again = client.create_run(experiment, start_time=run.info.start_time, tags=tags).info.run_id
    for name, value in run.data.params.items():
        client.log_param(again, name, value)
    for name, value in run.data.metrics.items():
        client.log_metric(again, name, value)
    path = client.download_artifacts(run.info.run_id, "")
    client.log_artifacts(again, path)
    client.set_terminated(again, "FINISHED", end_time=run.info.end_time)


def test_points_are_of_the_set_measured_last_or_of_the_one_that_is_asked_for(two_sets: str) -> None:
    last, first = runs.load(two_sets, "scans"), runs.load(two_sets, "scans", "a")
    assert all(key.endswith("-b") for key in last.points["trial_key"])
    assert not any(key.endswith("-b") for key in first.points["trial_key"])
    assert len(first.points) == len(last.points)
    assert "/data/scans/b" in last.test_set
    assert (last.others, first.others) == (("a",), ("b",))
    assert runs.load(two_sets, "scans", "/data/scans/a").test_set == first.test_set
    with pytest.raises(ValueError, match=r"no test set 'c' in this sweep; there are: (a, b|b, a)"):
        runs.load(two_sets, "scans", "c")


def test_the_front_and_the_report_say_which_set_and_offer_the_others(
    two_sets: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pareto.main(["--tracking-uri", two_sets, "--name", "scans", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "/data/scans/b" in found["test_set"]
    assert found["other_test_sets"] == ["a"]
    assert pareto.main(["--tracking-uri", two_sets, "--name", "scans", "--test-set", "a"]) == 0
    assert "Measured on /data/scans/a" in capsys.readouterr().out
    page = report.page(runs.load(two_sets, "scans", "a"))
    assert "Measured on /data/scans/a" in page
    assert "--test-set shows others of this sweep: b" in page


def test_a_sweep_on_one_set_says_nothing_of_others(tracking_uri: str) -> None:
    sweep = runs.load(tracking_uri, "demo")
    assert (sweep.others, sweep.on) == ((), "")


def stored(trial: Trial) -> StoredRun:
    """The run of a trial as the store has it."""
    return StoredRun(trial.key, "FINISHED", 0, 0, "", tags(trial, "a", False), params(trial), {})


def set_of(sweep: Sweep) -> sets.TestSet:
    """The test set of the sweep's fine-tunings, which know of it from their stage 1 alone."""
    first, second = sweep.pretrain(0.003), sweep.finetune(0.003, 1.0)
    found = sets.of_run(stored(second), {first.key: stored(first)})
    assert found == sets.of_run(stored(sweep.reference()), {})
    return found


def test_what_decides_a_measurement_is_called_as_in_keys() -> None:
    assert set(sets.MEASURED) == keys.MEASURED


def fonts(tmp_path: Path) -> DataConfig:
    (tmp_path / "a.ttf").write_bytes(b"another font")
    return DataConfig(font_dir=str(tmp_path))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: {"eval": EvalConfig(512)}, "detector's short side 512"),
        (lambda _: {"eval": EvalConfig(readers="easyocr")}, "held out Tesseract and EasyOCR"),
        (lambda _: {"eval": EvalConfig(heldout=False)}, "no held-out reader"),
        (lambda _: {"eval": EvalConfig(tasks="detection")}, "detection"),
        (lambda _: {"data": DataConfig(document_share=0.5)}, "a share of 0.5 of documents"),
        (lambda folder: {"data": fonts(folder)}, "fonts "),
    ],
)
def test_pages_and_settings_of_eval_are_told_apart_and_said(
    change: Callable[[Path], dict], words: str, tmp_path: Path
) -> None:
    first = replace(make(), data=DataConfig(), eval=EvalConfig())
    plain, other = set_of(first), set_of(replace(first, **change(tmp_path)))
    assert plain.identity != other.identity
    assert words in other.about
    assert words not in plain.about


def test_the_same_parameters_drawn_by_another_version_or_with_other_fonts_are_another_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = replace(make(), data=fonts(tmp_path))
    before = set_of(first)
    (tmp_path / "a.ttf").write_bytes(b"its second version")
    changed = set_of(replace(first))
    monkeypatch.setattr("sweep.spec.space.DRAWING_VERSION", 99)
    drawn = set_of(replace(first))
    assert len({each.identity for each in (before, changed, drawn)}) == len({before.about, changed.about, drawn.about})
    assert len({before.about, changed.about, drawn.about}) == 3
    assert "drawn by version 99" in drawn.about


def test_pictures_that_are_kept_make_no_other_set() -> None:
    assert set_of(make()) == set_of(replace(make(), eval=replace(make().eval, pictures=3)))


def test_a_run_that_does_not_say_what_decided_it_is_of_the_set_that_its_parameters_state() -> None:
    run = stored(make().reference())
    del run.tags["decides"]
    about = sets.of_run(run, {}).about
    assert "drawn images, 256 x 256 pixels, seed 0, detector's short side" in about
    assert sets.of_run(replace(run, params={}), {}).about == "drawn images, measured by version 1"


def test_codecs_that_were_measured_again_with_one_more_reader_are_not_mixed_with_those_before(
    tracker: Tracker, tmp_path: Path
) -> None:
    before = make(lmbdas=(0.003,), gammas=(1.0,))
    after = replace(before, eval=replace(before.eval, readers="easyocr"))
    for sweep in (before, after):
        for trial in (sweep.reference(), sweep.pretrain(0.003), sweep.finetune(0.003, 1.0)):
            tracker.finish(tracker.start(trial), measured(trial), tmp_path)
    found = runs.load(tracker.uri, tracker.sweep)
    assert set(found.points["trial_key"]) == {
        each.key for each in (after.reference(), after.pretrain(0.003), after.finetune(0.003, 1.0))
    }
    assert "EasyOCR" in found.test_set
    (other,) = found.others
    assert "EasyOCR" not in runs.load(tracker.uri, tracker.sweep, other).test_set
