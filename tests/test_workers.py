"""One trial trains on two workers: its report fails, a worker is killed, then the trial, and it goes on to the end."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
import torch.multiprocessing as mp
from made_troubles import BARE
from ray import tune
from ray.cluster_utils import Cluster
from test_distributed import free_port, train_undisturbed
from test_train import config, same, weights

from sweep.on_ray.driver import resources
from sweep.on_ray.resources import Slot
from sweep.on_ray.workers import fit_on_workers
from tfic.config import Config
from tfic.system.devices import Device
from tfic.training.train import CODEC_FILE, STATE_FILE, Progress

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # Ray leaves sockets open
]
STEPS = 8
SLOT = Slot(cpus=2, gpus=0, workers=2)
QUIET = {
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONWARNINGS": "ignore",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
}


def settings() -> Config:
    return config(pretrain_steps=STEPS, batch=2)


def trial(given: dict[str, Any]) -> None:
    """Four attempts: the report fails, a worker is killed, the trial is killed and Tune begins it again, nothing."""
    folder = Path(given["folder"])
    file = folder / "told.json"
    again = file.exists()
    errors: list[str] = []
    saved: list[str] = []
    steps: list[list[int]] = [[], [], [], []]
    seconds = 0.0
    if again:
        errors, saved, steps, seconds = json.loads(file.read_text()).values()

    def attempt(number: int) -> None:
        nonlocal seconds
        killed = 0.0

        def report(progress: Progress) -> None:
            nonlocal killed
            steps[number].append(progress.step)
            tune.report({"step": progress.step})
            if (number, progress.step) == (0, 3):
                raise KeyError("enough")
            if (number, progress.step) == (1, 5):
                workers = [each for each in psutil.process_iter() if each.name().startswith("ray::Worker")]
                max(workers, key=psutil.Process.create_time).kill()
                killed = time.monotonic()
            if (number, progress.step) == (2, 7):
                file.write_text(json.dumps(told()))
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            fit_on_workers(
                settings(),
                folder / "run",
                report,
                on_checkpoint=lambda state: saved.append(state.name),
                device=Device("cpu"),
                slot=SLOT,
            )
        except (KeyError, RuntimeError) as error:
            errors.append(f"{type(error).__name__}: {error}")
            seconds = time.monotonic() - killed

    def told() -> dict[str, Any]:
        return {"errors": errors, "saved": saved, "steps": steps, "seconds": seconds}

    for number in (3,) if again else range(3):
        attempt(number)
    file.write_text(json.dumps(told()))


@dataclass(frozen=True)
class Story:
    """What the trial went through."""

    errors: list[str]
    """What its first two attempts raised."""
    seconds: float
    """From the kill to the error."""
    steps: list[list[int]]
    """Steps that were reported in each attempt."""
    saved: list[str]
    """States that were told."""
    run: Path
    """The trial's folder."""
    groups: set[str]
    """States of all placement groups afterwards."""
    actors: list[str]
    """Workers that still ran afterwards."""
    cpus: float
    """CPUs that were free afterwards."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("workers")
    tests = str(Path(__file__).parent)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUIET.items():
            patch.setenv(name, value)
        patch.setenv("PYTHONPATH", os.pathsep.join([tests, str(Path(tests).parent)]))
        # the driver's host has no CPU
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0} | BARE)
        try:
            cluster.add_node(num_cpus=2, **BARE)
            ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
            results = tune.Tuner(
                tune.with_resources(trial, resources(SLOT)),
                param_space={"folder": str(folder)},
                run_config=tune.RunConfig(
                    name="story",
                    storage_path=str(folder / "tune"),
                    verbose=0,
                    failure_config=tune.FailureConfig(max_failures=1),
                ),
            ).fit()
            assert results[0].error is None, results[0].error
            deadline = time.monotonic() + 60
            while (left := ours()) and time.monotonic() < deadline:
                time.sleep(0.2)
            groups = {group["state"] for group in ray.util.placement_group_table().values()}
            told = json.loads((folder / "told.json").read_text())
            yield Story(
                **told, run=folder / "run", groups=groups, actors=left, cpus=ray.available_resources().get("CPU", 0.0)
            )
        finally:
            ray.shutdown()
            cluster.shutdown()


def ours() -> list[str]:
    """Names of processes that a training on workers starts, among this test's."""
    names = [each.name() for each in psutil.Process().children(recursive=True)]
    return [name for name in names if name.startswith("ray::Worker")]


def test_what_the_report_raises_ends_all_workers_and_is_raised_in_the_trial(story: Story) -> None:
    assert story.errors[0] == "KeyError: 'enough'"
    assert story.steps[0] == [1, 2, 3]


def test_a_killed_worker_is_named_within_seconds_and_the_next_attempt_goes_on_from_the_state(story: Story) -> None:
    assert story.errors[1].startswith("RuntimeError: a worker died (killed, or out of memory): number ")
    assert story.seconds < 20
    assert story.steps[1] == [3, 4, 5]
    assert story.steps[2] == [5, 6, 7]


def test_the_workers_of_a_killed_trial_end_with_it_or_there_would_be_no_room_to_begin_it_again(story: Story) -> None:
    assert story.steps[3] == [7, 8]
    assert story.saved == [STATE_FILE] * 3


def test_it_ends_with_the_weights_of_an_undisturbed_training_on_two_workers(story: Story, tmp_path: Path) -> None:
    mp.spawn(train_undisturbed, (free_port(), settings(), tmp_path), 2)
    assert same(weights(story.run / CODEC_FILE), weights(tmp_path / CODEC_FILE))
    assert not (story.run / STATE_FILE).exists()


def test_nothing_is_left_of_workers(story: Story) -> None:
    assert story.actors == []
    assert story.groups == {"REMOVED"}
    assert story.cpus == 2


def test_the_driver_pays_for_no_torch() -> None:
    check = "import sys, sweep.on_ray.workers; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", check]).returncode == 0
