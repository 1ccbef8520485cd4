"""What a trial holds, from what there is and what is asked for; how many trials fit at any moment."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from sweep.on_ray.resources import Capacity, Placement, Slot, share


@pytest.mark.parametrize(
    ("cpus", "gpus", "wanted", "threads", "slot", "slots"),
    [
        (2, 0, None, 1, Slot(1, 0), 2),
        (2, 0, None, 0, Slot(1, 0), 2),
        (8, 0, None, 4, Slot(4, 0), 2),
        (2, 0, None, 16, Slot(2, 0), 1),
        (16, 4, None, 0, Slot(4, 1), 4),
        (16, 1, 0.25, 0, Slot(4, 0.25), 4),
        (16, 1, 0.1, 0, Slot(1, 0.1), 10),
        (16, 4, 0.0, 8, Slot(8, 0), 2),
        (2, 8, 1.0, 0, Slot(1, 1), 8),
        (64, 8, 4.0, 0, Slot(32, 4, 4), 2),
        (4, 8, 8.0, 0, Slot(8, 8, 8), 1),
    ],
)
def test_slots_share_gpus_if_there_are_any_and_cpus_if_not(
    cpus: float, gpus: float, wanted: float | None, threads: int, slot: Slot, slots: int
) -> None:
    assert share(cpus, gpus, wanted, threads) == (slot, slots)


@pytest.mark.parametrize(("gpus", "wanted"), [(0, 1.0), (1, 2.0), (1, -1.0), (1, float("nan"))])
def test_a_trial_cannot_have_more_gpus_than_there_are(gpus: float, wanted: float) -> None:
    with pytest.raises(ValueError, match="--gpus-per-trial is"):
        share(4, gpus, wanted, 0)


@pytest.mark.parametrize(
    ("gpus", "wanted", "workers", "words"),
    [
        (8, 2.5, None, "above 1 it must be a whole number"),
        (8, 4.0, 2, "give 4, or other --gpus-per-trial"),
        (8, 0.5, 2, "a share of one has one worker"),
        (0, None, 0, "--workers-per-trial is 0"),
        (0, None, 8, "Ray sees 4 CPUs: ask for 1 to 4"),
    ],
)
def test_workers_and_gpus_that_do_not_fit_together_are_refused(
    gpus: float, wanted: float | None, workers: int | None, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        share(4, gpus, wanted, 0, workers)


def test_workers_share_the_cpus_of_a_trial() -> None:
    assert share(4, 0, None, 1, workers=2) == (Slot(2, 0, 2), 2)
    assert share(4, 0, None, 2, workers=2) == (Slot(4, 0, 2), 1)


def test_on_a_cluster_that_grows_a_trial_may_ask_for_what_is_not_there_yet() -> None:
    assert share(0, 0, 1.0, 0, growing=True) == (Slot(1, 1), 0)
    with pytest.raises(ValueError, match="--gpus-per-trial is"):
        share(0, 0, 1.0, 0)


def test_as_many_trials_run_as_fit_now_or_as_were_asked_for() -> None:
    there = {"CPU": 8.0, "GPU": 2.0}
    assert Capacity(Slot(2, 0.5), None, lambda: there)() == 4
    assert Capacity(Slot(2, 0), None, lambda: there)() == 4
    assert Capacity(Slot(2, 0), 7, lambda: there)() == 7
    assert Capacity(Slot(2, 0), None, dict)() == 1


def test_at_least_one_trial_runs_at_a_time() -> None:
    with pytest.raises(ValueError, match="--concurrent is 0; it must be 1 or more"):
        Placement(concurrent=0)


def test_ray_is_of_the_minor_version_that_the_workers_were_tested_with() -> None:
    """`sweep.on_ray.workers` uses parts of Ray Train that are not public."""
    declared = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    (pin,) = set(re.findall(r'"ray\[[\w,]+\]([^"]+)"', declared))
    least = re.match(r">=(\d+)\.(\d+)", pin)
    assert least
    major, minor = map(int, least.groups())
    assert pin == f">={major}.{minor},<{major}.{minor + 1}", (
        f"pyproject.toml lets in more than one minor version: {pin}"
    )
    assert version("ray").startswith(f"{major}.{minor}."), (
        f"Ray {version('ray')} is installed, but pyproject.toml pins ray {pin}, because sweep/on_ray/workers.py uses "
        "ray.train.v2._internal: run tests/test_workers.py and test_nodes.py with the new version, then move the pin"
    )
