"""Trials on machines with pretended GPUs: as many run as were counted, the next one waits, none trains on the CPU."""

import contextlib
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import ray
from made_troubles import BARE, QUIET, SMALL
from mlflow.tracking import MlflowClient
from ray.cluster_utils import Cluster
from ray.util.placement_group import PlacementGroup, placement_group_table, remove_placement_group

from sweep.on_ray.driver import hide_gpus, nodes, resources
from sweep.on_ray.resources import Node, Placement, Slot, count, divide
from sweep.options import parse
from sweep.store.tracking import Tracker
from sweep.trial.conditions import ALONE
from sweep.trial.run import train_trial
from tfic.system.devices import Device
from tfic.training.train import fit

SETTINGS = """
recipe = "tiny"
name = "pretended"
[space]
lmbdas = [0.001, 0.003]
gammas = []
[space.classical]
jpeg = []
webp = []
avif = []
""" + SMALL.format(test_count=1, steps=4, every=2)
MACHINES = (Node(0), Node(4, 4), Node(8, 8))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # Ray leaves sockets open
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a head without CPUs, a machine of four GPUs and one of eight."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUIET.items():
            patch.setenv(name, value)
        patch.setenv("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(100, 108))))  # no machine has such
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0} | BARE)
        try:
            for node in MACHINES[1:]:
                cluster.add_node(num_cpus=node.cpus, num_gpus=node.gpus, **BARE)
            ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
            yield cluster.address
        finally:
            ray.shutdown()
            cluster.shutdown()


def states(groups: list[PlacementGroup]) -> Counter[str]:
    table = placement_group_table()
    return Counter(table[group.id.hex()]["state"] for group in groups)


def settled(groups: list[PlacementGroup], created: int) -> bool:
    """True once so many groups have their place, and no more have it a moment later."""
    deadline = time.monotonic() + 60
    while states(groups)["CREATED"] < created and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    return states(groups)["CREATED"] == created


def ask(slot: Slot) -> PlacementGroup:
    """What Tune asks for when a trial is to start."""
    return resources(slot).to_placement_group()


@pytest.mark.parametrize("gpus", [0.25, 1.0, 2.0, 4.0, 8.0])
def test_as_many_trials_find_room_as_are_counted_each_on_one_machine_and_the_next_one_waits(
    cluster: str, gpus: float
) -> None:
    there = nodes()
    assert sorted(there, key=lambda each: each.gpus) == list(MACHINES)
    slot = divide(there, Placement(gpus_per_trial=gpus)).finetune
    fit = count(there, slot)
    assert fit == sum(int(min(node.cpus, node.gpus / gpus)) for node in MACHINES)
    groups = [ask(slot) for _ in range(fit + 1)]
    try:
        assert settled(groups, fit)
        table = placement_group_table()
        placed = [group for group in groups if table[group.id.hex()]["state"] == "CREATED"]
        homes = [set(table[group.id.hex()]["bundles_to_node_id"].values()) for group in placed]
        assert all(len(home) == 1 for home in homes)
        wanted = sorted(each for node in MACHINES if (each := count([node], slot)))
        assert sorted(Counter(next(iter(home)) for home in homes).values()) == wanted
        remove_placement_group(placed[0])
        assert settled([each for each in groups if each is not placed[0]], fit), "it waited, and nothing was retried"
    finally:
        for group in groups:
            remove_placement_group(group)


@dataclass(frozen=True)
class Ended:
    """A sweep on pretended GPUs, which can only measure what was trained before."""

    trained: dict[str, float]
    """What the training of the first lambda has cost, which ended before the sweep was killed."""
    killed: int
    """Exit code of the first command."""
    code: int
    err: str
    runs: dict[str, Any]
    """By kind and, if it has one, lambda."""


@pytest.fixture(scope="module")
def ended(cluster: str, tmp_path_factory: pytest.TempPathFactory, laid_out: Callable[[Path], str]) -> Ended:
    folder = tmp_path_factory.mktemp("pretended")
    uri = laid_out(folder / "mlflow.db")
    (folder / "sweep.toml").write_text(SETTINGS)
    where = ["--address", cluster, "--gpus-per-trial", "1", "--pretrain-gpus", "2"]
    arguments = ["--config", "sweep.toml", "--tracking-uri", uri, "--retries", "0", *where]
    with contextlib.chdir(folder):
        sweep = parse(arguments, None).sweep
    # the driver was killed when this training had ended: its run still says RUNNING
    tracker, trial = Tracker(uri, sweep.name), sweep.pretrain(0.001)
    on_cpu = partial(fit, device=Device("cpu"))
    trained = train_trial(trial, tracker, tracker.start(trial), folder / "gone", lambda event: None, ALONE, on_cpu)
    command = [sys.executable, "-m", "sweep.run", *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        for line in first.stdout:
            if re.search(r"pretrain lmbda 0\.001 .* starts", line):
                first.kill()  # -9, while its measurement waits or has begun
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500)
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("pretended")
    assert experiment is not None, done.stderr
    found = client.search_runs([experiment.experiment_id])
    runs = {f"{run.data.tags['kind']} {run.data.params.get('lmbda', '')}".strip(): run for run in found}
    assert len(runs) == len(found)
    return Ended(trained, first.returncode, done.returncode, done.stderr, runs)


def test_what_was_trained_when_the_sweep_was_killed_is_measured_by_the_same_command_and_not_trained_again(
    ended: Ended,
) -> None:
    """To train it again would fail here, as the other lambda does: there is no GPU."""
    assert ended.killed == -signal.SIGKILL
    run = ended.runs["pretrain 0.001"]
    assert run.info.status == "FINISHED"
    assert run.data.metrics["gpu_hours"] == ended.trained["gpu_hours"]
    assert run.data.metrics["bpp"] > 0
    assert "failure" not in run.data.tags


def test_a_trial_that_holds_gpus_which_are_not_there_fails_with_versions_and_remedy(ended: Ended) -> None:
    assert ended.code == 1
    assert "NoGpuError: this training was given a GPU, and PyTorch cannot use one" in ended.err
    failure = ended.runs["pretrain 0.003"].data.tags["failure"]
    ids = failure.split("CUDA_VISIBLE_DEVICES is '")[1].split("'")[0].split(",")
    assert len(set(ids)) == 2, "each of the two workers sees the GPUs of both"
    assert "device" not in ended.runs["pretrain 0.003"].data.tags, "nothing has trained"


def test_what_trains_nothing_needs_no_gpu_and_names_the_cpu(ended: Ended) -> None:
    assert ended.runs["uncompressed"].info.status == "FINISHED"
    assert ended.runs["uncompressed"].data.tags["device"] == f"cpu, {os.cpu_count()} cores"


def test_a_failed_trial_leaves_all_gpus_free(ended: Ended) -> None:
    deadline = time.monotonic() + 30
    while ray.available_resources().get("GPU") != 12 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert ray.available_resources()["GPU"] == 12


def test_a_process_that_holds_no_gpu_sees_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for slot, seen in ((Slot(1, 1), "0,1"), (Slot(1, 0.5), "0,1"), (Slot(1), ""), (Slot(1, 2, 2), "")):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
        hide_gpus(slot)
        assert os.environ["CUDA_VISIBLE_DEVICES"] == seen
