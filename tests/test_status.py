"""The status of a sweep from its store alone: what runs, who drives, what is left."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from refusals import refused

from sweep import status
from sweep.spec import presets
from sweep.store.lease import DRIVER
from sweep.store.settings import SETTINGS, keep
from sweep.store.tracking import Tracker


def test_a_sweep_is_shown_live_while_it_is_driven_and_as_left_afterwards(
    tracker: Tracker, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = presets.from_tables(
        {"name": tracker.sweep, "space": {"lmbda_shares": [0.0, 1.0], "keep_every": 2}}, "", "tiny"
    )
    tracker.set_experiment_tag(SETTINGS, asdict(sweep))
    trial = sweep.pretrain(0.003)
    run = tracker.start(trial)
    tracker.log_steps(run, [(4, {"train_loss": 1.0})])
    driver = {"host": "elsewhere", "pid": 7, "user": "ada", "since": time.time(), "beat": time.time()}
    tracker.set_experiment_tag(DRIVER, driver)
    arguments = ["--name", tracker.sweep, "--tracking-uri", tracker.uri]
    assert status.main(arguments) == 0
    live = capsys.readouterr().out
    assert "driven by process 7 of ada on elsewhere" in live
    assert f"{trial.key}" in live
    assert "running   step 4 of 20" in live
    tracker.set_experiment_tag(DRIVER, {})
    assert status.main(arguments) == 0
    left = capsys.readouterr().out
    assert "no driver is at work" in left
    assert "cut off; goes on from its last checkpoint" in left
    assert "lmbda_share" not in left.split("\n")[0]


def test_without_a_name_the_sweep_driven_last_is_shown(tracker: Tracker, capsys: pytest.CaptureFixture[str]) -> None:
    tracker.set_experiment_tag(SETTINGS, asdict(presets.from_tables({"name": tracker.sweep}, "", "tiny")))
    assert status.main(["--tracking-uri", tracker.uri]) == 0
    assert capsys.readouterr().out.startswith(f"Sweep {tracker.sweep!r}, tracked in ")


def test_the_sweep_driven_last_is_not_the_one_created_last(
    tmp_path: Path, laid_out: Callable[[Path], str], capsys: pytest.CaptureFixture[str]
) -> None:
    uri = laid_out(tmp_path / "mlflow.db")

    def shown() -> str:
        assert status.main(["--tracking-uri", uri]) == 0
        return capsys.readouterr().out.split(",")[0]

    for name in ("first", "second"):  # as versions did that kept no moment
        Tracker(uri, name).set_experiment_tag(SETTINGS, asdict(presets.from_tables({"name": name}, "", "tiny")))
    assert shown() == "Sweep 'second'"
    for name in ("first", "second", "first"):
        keep(Tracker(uri, name), asdict(presets.from_tables({"name": name}, "", "tiny")))
        assert shown() == f"Sweep {name!r}"


def test_where_the_folders_of_a_sweep_are_not_at_hand_the_trials_in_the_store_are_listed(
    tracker: Tracker, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = {"name": tracker.sweep, "data": {"train_dir": "/not/on/this/machine", "test_dir": "/nor/this"}}
    keep(tracker, asdict(presets.from_tables(tables, "", "tiny")))
    sweep = presets.from_tables({}, "", "tiny")
    finished, failed, cut, stopped = sweep.reference(), sweep.pretrain(0.001), sweep.pretrain(0.003), sweep.anchors()[0]
    tracker._client.set_terminated(tracker.start(finished), "FINISHED")
    tracker.fail(tracker.start(failed), "ValueError: spoilt")
    tracker.stop(tracker.start(cut))
    tracker.stop(tracker.start(stopped), "its rate is too low")
    assert status.main(["--name", tracker.sweep, "--tracking-uri", tracker.uri]) == 0
    told = {line.split()[0]: " ".join(line.split()[1:]) for line in capsys.readouterr().out.splitlines() if line}
    assert "/not/on/this/machine" in told["The"]
    assert told[finished.key] == "finished"
    assert told[failed.key] == "failed ValueError: spoilt"
    assert told[cut.key] == "cut off"
    assert told[stopped.key] == "stopped its rate is too low"
    assert told["4"] == "trials in the store: 1 finished"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--tracking-uri", "sqlite:////nowhere/mlflow.db"],
            "no tracking store at /nowhere/mlflow.db; run `python -m sweep.run` first, or name another --tracking-uri",
        ),
        (["--name", "unheard"], "has no sweep 'unheard' that `python -m sweep.run` began"),
        (["--watch", "5"], "unrecognized arguments: 5"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], empty_store: str
) -> None:
    uri = [] if "--tracking-uri" in arguments else ["--tracking-uri", empty_store]
    refused(status.main, [*arguments, *uri], words, capsys)
