"""A sweep that was measured on two test sets: front, report and verdict are of one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from made_store import log_sweep, points
from mlflow import MlflowClient
from mlflow.entities import Param

from analysis import pareto, report, runs


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
