"""A machine of a cluster is lost half-way, its disk with it: the sweep goes on elsewhere from what the store kept."""

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from made_troubles import BARE, QUIET, SMALL, assert_trained_as_alone
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from ray.cluster_utils import Cluster

STEPS = 44
SETTINGS = """
recipe = "tiny"
name = "lost"
[space]
lmbdas = [0.003]
gammas = [1.0]
[space.classical]
jpeg = []
webp = []
avif = []
""" + SMALL.format(test_count=1, steps=STEPS, every=4)
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Story:
    """How the driver ended, and what is in the store."""

    code: int
    out: str
    kept_step: int
    """Step of the state that the store had when the machine was lost."""
    client: MlflowClient
    runs: list[Run]

    def of(self, kind: str) -> Run:
        """The one run of a kind."""
        (found,) = [run for run in self.runs if run.data.tags["kind"] == kind]
        return found


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, laid_out: Callable[[Path], str]) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("lost")
    uri = laid_out(folder / "mlflow.db")
    (folder / "sweep.toml").write_text(SETTINGS)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUIET.items():
            patch.setenv(name, value)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0} | BARE)
        try:
            nodes = [cluster.add_node(num_cpus=1, **BARE) for _ in range(2)]
            yield lose_a_node(folder, uri, cluster, nodes)
        finally:
            cluster.shutdown()


def lose_a_node(folder: Path, uri: str, cluster: Cluster, nodes: list[Any]) -> Story:
    client = MlflowClient(tracking_uri=uri)
    command = [sys.executable, "-m", "sweep.run", "--config", "sweep.toml", "--tracking-uri", uri]
    with (
        (folder / "out.txt").open("w") as out,
        subprocess.Popen([*command, "--address", cluster.address], cwd=folder, stdout=out, stderr=out) as driver,
    ):
        try:
            kept = wait_for_a_kept_state(client, driver, folder)
            lose(node_of_the_training(nodes), cluster)
            (run,) = folder.glob("runs/lost/pretrain-*")
            shutil.rmtree(run)  # its disk goes with it
            code = driver.wait(timeout=300)
        finally:
            driver.kill()
    experiment = client.get_experiment_by_name("lost")
    assert experiment is not None
    runs = list(client.search_runs([experiment.experiment_id]))
    return Story(code, (folder / "out.txt").read_text(), kept, client, runs)


def wait_for_a_kept_state(client: MlflowClient, driver: subprocess.Popen[bytes], folder: Path) -> int:
    """The step of the state that the store has of the pre-training, as soon as there is one of some steps."""
    deadline = time.monotonic() + 300
    while True:
        experiment = client.get_experiment_by_name("lost")
        runs = client.search_runs([experiment.experiment_id], "tags.kind = 'pretrain'") if experiment else []
        step = int(runs[0].data.tags.get("state_step", 0)) if runs else 0
        if step >= 8:
            return step
        assert driver.poll() is None, (folder / "out.txt").read_text()
        assert time.monotonic() < deadline, "no state was kept"
        time.sleep(0.1)


def lose(node: Any, cluster: Cluster) -> None:
    """A node and all that runs on it, at once."""
    running = psutil.Process(node.all_processes["raylet"][0].process.pid).children(recursive=True)
    cluster.remove_node(node, allow_graceful=False)
    for process in running:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def node_of_the_training(nodes: list[Any]) -> Any:
    """The node one of whose processes holds the pre-training's journal open."""
    for node in nodes:
        raylet = node.all_processes["raylet"][0].process.pid
        for process in psutil.Process(raylet).children():
            if any("pretrain-" in file.path for file in process.open_files()):
                return node
    raise AssertionError("nobody trains")


def test_the_loss_is_told_and_the_sweep_completes(story: Story) -> None:
    assert story.code == 0, story.out
    assert "FAILED: its process died (killed, out of memory, or its machine was lost); tried again" in story.out
    assert {run.data.tags["kind"] for run in story.runs} == {"uncompressed", "pretrain", "finetune"}
    assert {run.info.status for run in story.runs} == {"FINISHED"}
    assert len(story.runs) == 3


def test_training_goes_on_from_the_state_in_the_store_and_logs_each_step_once(story: Story) -> None:
    run = story.of("pretrain")
    steps = [each.step for each in story.client.get_metric_history(run.info.run_id, "train_loss")]
    assert steps == list(range(4, STEPS + 1, 4))
    after = story.out.split("tried again")[1]
    told = [int(line.split(" step ")[1].split()[0]) for line in after.splitlines() if "pretrain step" in line]
    assert min(told) > story.kept_step
    assert "state_step" not in run.data.tags
    assert not story.client.list_artifacts(run.info.run_id, "state")


def test_the_codec_is_to_the_bit_that_of_a_training_that_nobody_disturbed(story: Story, tmp_path: Path) -> None:
    run_id = story.of("pretrain").info.run_id
    codec = Path(story.client.download_artifacts(run_id, "checkpoint/codec.safetensors", str(tmp_path)))
    assert_trained_as_alone(codec, tmp_path / "alone")
