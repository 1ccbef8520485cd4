"""One driver per sweep: a second is refused, naming the first; a dead one's hold ends."""

import contextlib
import os
import platform
import re
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sweep.run import main
from sweep.store.lease import DRIVER, STALE_S, Lease, SweepTakenError, alive, who
from sweep.store.tracking import Tracker

HOLD = """
import sys, time
from sweep.store.lease import Lease
from sweep.store.tracking import Tracker

with Lease(Tracker(sys.argv[1], sys.argv[2])):
    print("held", flush=True)
    time.sleep(100)
"""


def test_a_second_driver_is_refused_naming_the_first_and_a_killed_one_s_hold_ends_at_once(tracker: Tracker) -> None:
    command = [sys.executable, "-c", HOLD, tracker.uri, tracker.sweep]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        here = Tracker(tracker.uri, tracker.sweep)
        with (
            pytest.raises(SweepTakenError, match=f"process {first.pid} of .* on {platform.node()}, since"),
            Lease(here),
        ):
            pass
        assert alive(here.experiment_tag(DRIVER))
        first.kill()
        first.wait()
    assert not alive(here.experiment_tag(DRIVER))
    with Lease(here):
        assert here.experiment_tag(DRIVER)["pid"] == os.getpid()
    assert here.experiment_tag(DRIVER) == {}


def test_a_hold_on_another_machine_ends_when_nobody_renews_it(tracker: Tracker) -> None:
    note = {"host": "elsewhere", "pid": 1, "user": "ada", "since": time.time() - 999.0, "beat": time.time()}
    tracker.set_experiment_tag(DRIVER, note)
    with pytest.raises(SweepTakenError, match="process 1 of ada on elsewhere"), Lease(tracker):
        pass
    tracker.set_experiment_tag(DRIVER, note | {"beat": time.time() - STALE_S - 1})
    with Lease(tracker) as lease:
        lease.check()


def test_a_driver_that_was_taken_over_ends(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.store.lease.BEAT_S", 0.05)
    other = {"host": "elsewhere", "pid": 1, "user": "ada", "since": 0.0, "beat": time.time()}
    other_driver = Tracker(tracker.uri, tracker.sweep)

    def drive() -> None:
        with Lease(tracker) as lease:
            time.sleep(0.3)
            lease.check()
            deadline = time.monotonic() + 60  # a busy machine beats late
            while time.monotonic() < deadline:
                lease.check()
                other_driver.set_experiment_tag(
                    DRIVER, other
                )  # again, should a beat that had read before have written after it
                time.sleep(0.3)

    with pytest.raises(SweepTakenError, match="was taken over by process 1 of ada on elsewhere"):
        drive()
    assert tracker.experiment_tag(DRIVER) == other, "the new driver's hold is left alone"
    assert who(other).startswith("process 1 of ada on elsewhere, since 19")


def test_a_command_line_refuses_a_sweep_that_is_being_driven(
    tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    note = {"host": "elsewhere", "pid": 1, "user": "ada", "since": 0.0, "beat": time.time()}
    tracker.set_experiment_tag(DRIVER, note)
    names = ["--name", tracker.sweep, "--tracking-uri", tracker.uri]
    assert main(["--recipe", "tiny", *names]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: sweep {tracker.sweep!r} is being driven by process 1 of ada on elsewhere")
    assert error.count("\n") == 1


def test_a_store_that_refuses_to_keep_the_lease_ends_the_command_in_a_sentence(
    tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tracker.set_experiment_tag("any", {})  # makes the experiment
    with contextlib.closing(sqlite3.connect(tracker.uri.removeprefix("sqlite:///"))) as database:
        refuse = "BEGIN SELECT RAISE(ABORT, 'no rights'); END"
        database.execute(f"CREATE TRIGGER refused BEFORE INSERT ON experiment_tags {refuse}")
        try:
            assert main(["--recipe", "tiny", "--name", tracker.sweep, "--tracking-uri", tracker.uri]) == 2
        finally:
            database.execute("DROP TRIGGER refused")
    error = capsys.readouterr().err
    assert re.fullmatch(
        r"error: tracking store sqlite:///.* refuses a call \(.*no rights.*\); look at its log.*\n", error
    )
