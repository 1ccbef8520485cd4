"""The status of a sweep from its store alone: what runs, who drives, what is left."""

import time
from dataclasses import asdict

import pytest
from refusals import refused

from sweep import status
from sweep.spec import presets
from sweep.store.lease import DRIVER
from sweep.store.tracking import SETTINGS, Tracker


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
