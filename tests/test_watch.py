"""The report of a running sweep is written anew as runs finish, and only then."""

import dataclasses
from pathlib import Path

import pytest
from mlflow import MlflowClient

from analysis import report, runs
from analysis.published import publish


class StoppedError(Exception):
    """Raised by the clock of a test."""


def test_the_report_is_written_anew_only_when_runs_have_finished(tracking_uri, tmp_path, capsys):
    sweep = runs.load(tracking_uri, "older")
    out = tmp_path / "report.html"
    before = dataclasses.replace(sweep, points=sweep.points.head(2))
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        report.watch(before, out, 5.0, sleep)
    assert looks == [5.0] * 3
    assert capsys.readouterr().out.count("3 points of sweep older") == 1
    assert out.read_text().startswith("<!doctype html>")


def test_a_time_that_is_none_is_refused(tracking_uri, tmp_path, capsys):
    assert report.main(["--tracking-uri", tracking_uri, "--out", str(tmp_path / "r.html"), "--watch", "0"]) == 2
    assert capsys.readouterr().err == "error: --watch is 0; it must be a number of seconds above 0\n"


def test_a_logged_report_is_an_artifact_of_one_run_that_is_no_trial(tracking_uri, tmp_path):
    sweep = runs.load(tracking_uri, "older")
    client = MlflowClient(tracking_uri=tracking_uri)
    for text in ("first", "second"):
        (tmp_path / "r.html").write_text(text)
        run = publish(sweep, tmp_path / "r.html")
    experiment = client.get_experiment_by_name("older").experiment_id
    (logged,) = client.search_runs([experiment], "tags.report_of = 'older'")
    assert (logged.info.run_id, logged.info.run_name) == (run, "report of older")
    assert Path(client.download_artifacts(run, "report.html", str(tmp_path))).read_text() == "second"
    again = runs.load(tracking_uri, "older")
    assert (len(again.points), again.unfinished) == (len(sweep.points), sweep.unfinished)
    client.delete_run(run)
