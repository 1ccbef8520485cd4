"""The report of a running sweep is written anew as runs finish, and only then."""

import dataclasses

import pytest

from analysis import report, runs


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
