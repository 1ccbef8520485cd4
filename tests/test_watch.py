"""The report of a running sweep is written anew as runs finish, and only then."""

import dataclasses
from pathlib import Path

import made_store
import pytest
from mlflow import MlflowClient

from analysis import report, runs
from analysis.published import publish
from analysis.watch import watch


class StoppedError(Exception):
    """Raised by the clock of a test."""


def test_the_report_is_written_anew_only_when_runs_have_finished(tracking_uri, tmp_path):
    sweep = runs.load(tracking_uri, "older")
    out = tmp_path / "report.html"
    found = [dataclasses.replace(sweep, points=sweep.points.head(2)), sweep, sweep]
    looks = []

    def tell(now):
        report.write(now, out)
        told.append(len(now.points))

    told = []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        watch(lambda: found[len(looks)], tell, 5.0, sleep)
    assert looks == [5.0] * 3
    assert told == [2, 3]
    assert out.read_text().startswith("<!doctype html>")


def test_it_starts_before_the_sweep_says_what_it_waits_for_and_outlives_a_store_that_is_away(
    tmp_path, laid_out, capsys, monkeypatch
):
    file, aside, out = tmp_path / "mlflow.db", tmp_path / "away.db", tmp_path / "report.html"
    uri = f"sqlite:///{file}"
    lines = []

    def sleep(seconds):
        lines.append(capsys.readouterr().out)
        match len(lines):
            case 1:
                laid_out(file)
            case 2:
                few = [each for each in made_store.points() if each.kind in ("uncompressed", "pretrain")]
                made_store.log_sweep(MlflowClient(tracking_uri=uri), "demo", few, tmp_path / "made", 0)
            case 3:
                file.rename(aside)
            case 5:
                aside.rename(file)
            case 6:
                raise KeyboardInterrupt

    monkeypatch.setattr(report.time, "sleep", sleep)
    assert report.main(["--tracking-uri", uri, "--out", str(out), "--watch", "7"]) == 130
    assert lines[0].startswith(f"waiting, with a look every 7 s: no tracking store at {file}; run ")
    assert lines[1].startswith("waiting, with a look every 7 s: no finished run in ")
    assert "4 points of sweep demo" in lines[2]
    assert lines[3].startswith("waiting, with a look every 7 s: no tracking store at ")
    assert lines[4:] == ["", ""], "said once, and nothing new afterwards"
    assert out.read_text().startswith("<!doctype html>")


def test_a_file_that_cannot_be_written_is_said_once_and_tried_again(tracking_uri, tmp_path, capsys, monkeypatch):
    out = tmp_path / "report.html"
    out.mkdir()
    lines = []

    def sleep(seconds):
        lines.append(capsys.readouterr().out)
        match len(lines):
            case 2:
                out.rmdir()
            case 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(report.time, "sleep", sleep)
    given = ["--tracking-uri", tracking_uri, "--name", "older", "--out", str(out), "--watch", "7"]
    assert report.main(given) == 130
    assert lines[0].startswith(f"waiting, with a look every 7 s: {out} cannot be written (Is a directory); make room ")
    assert [line.count("\n") for line in lines[:2]] == [1, 0]
    assert "3 points of sweep older" in lines[2]
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
