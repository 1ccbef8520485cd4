"""What a sweep leaves to be looked at: the columns of MLflow's page, and the report as a process of its own."""

import json
from pathlib import Path

from mlflow import MlflowClient

from sweep import options
from sweep.run import report
from sweep.store import view
from sweep.store.tracking import Tracker
from tfic.config import LMBDA_SHARE
from tfic.measuring.row import MEASURES


def test_the_view_is_kept_once_with_columns_that_runs_have(tracker: Tracker) -> None:
    experiment = tracker.keep_view()
    assert tracker.keep_view() == experiment
    tags = MlflowClient(tracker.uri).get_experiment(experiment).tags
    assert json.loads(tags[view.TAG]) == view.state()
    assert set(view.COLUMNS["metrics"]) <= {*MEASURES, "gpu_hours"}
    assert "kind" in view.COLUMNS["tags"]
    assert set(view.COLUMNS["params"]) <= {"codec", "lmbda", "gamma", "quality", "step"}
    assert LMBDA_SHARE not in view.COLUMNS["params"]
    link = view.link("http://server:5000/", experiment)
    assert link == f"http://server:5000/#/experiments/{experiment}/runs?viewStateShareKey=tfic"


def test_the_report_is_asked_for_with_or_without_a_file() -> None:
    plain = ["--recipe", "tiny"]
    assert options.parse(plain, "").report == ""
    assert options.parse([*plain, "--report"], "").report == "report.html"
    assert options.parse([*plain, "--report", "front.html"], "").report == "front.html"


def test_the_report_is_written_and_logged_and_a_failure_is_exit_code_1(tracking_uri: str, tmp_path: Path) -> None:
    out = tmp_path / "older.html"
    assert report("older", tracking_uri, str(out)) == 0
    client = MlflowClient(tracking_uri)
    experiment = client.get_experiment_by_name("older")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], "tags.report_of = 'older'")
    assert [each.path for each in client.list_artifacts(run.info.run_id)] == ["report.html"]
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert report("never", tracking_uri, str(tmp_path / "never.html")) == 1
