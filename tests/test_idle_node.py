"""A machine of a cluster that runs nothing of the sweep is lost: nobody notices, the training goes on where it is."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from made_troubles import BARE, QUIET, SMALL
from mlflow.tracking import MlflowClient
from ray.cluster_utils import Cluster
from test_nodes import lose, node_of_the_training

STEPS = 40
SETTINGS = """
recipe = "tiny"
name = "idle"
[space]
lmbdas = [0.003]
gammas = []
[space.classical]
jpeg = []
webp = []
avif = []
""" + SMALL.format(test_count=1, steps=STEPS, every=2)


@pytest.mark.slow
def test_losing_a_machine_that_runs_nothing_of_the_sweep_kills_nothing(
    tmp_path: Path, laid_out: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers share each step and fill one machine; for the other, of the same size, the sweep has nothing."""
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    uri = laid_out(tmp_path / "mlflow.db")
    client = MlflowClient(tracking_uri=uri)
    (tmp_path / "sweep.toml").write_text(SETTINGS)
    command = [sys.executable, "-m", "sweep.run", "--config", "sweep.toml", "--tracking-uri", uri]
    command += ["--workers-per-trial", "2"]
    told = tmp_path / "out.txt"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0} | BARE)
    try:
        nodes = [cluster.add_node(num_cpus=2, **BARE) for _ in range(2)]
        with (
            told.open("w") as out,
            subprocess.Popen([*command, "--address", cluster.address], cwd=tmp_path, stdout=out, stderr=out) as driver,
        ):
            try:
                wait_until_nothing_but_the_training_is_left(client, driver, told)
                training = node_of_the_training(nodes)
                (idle,) = [node for node in nodes if node is not training]
                lose(idle, cluster)
                logged = max(steps_of_the_training(client))
                code = driver.wait(timeout=300)
            finally:
                driver.kill()
    finally:
        cluster.shutdown()
    text = told.read_text()
    assert code == 0, text
    assert logged < STEPS // 2, "the training was over too soon to be disturbed"
    assert "FAILED" not in text
    assert "tried again" not in text
    assert steps_of_the_training(client) == list(range(2, STEPS + 1, 2))
    assert {kind: status for kind, status, _ in runs(client)} == {"uncompressed": "FINISHED", "pretrain": "FINISHED"}


def runs(client: MlflowClient) -> list[tuple[str, str, str]]:
    """Kind, status and id of each run."""
    experiment = client.get_experiment_by_name("idle")
    found = client.search_runs([experiment.experiment_id]) if experiment else []
    return [(run.data.tags["kind"], run.info.status, run.info.run_id) for run in found]


def steps_of_the_training(client: MlflowClient) -> list[int]:
    """Steps whose loss is in the store."""
    ids = [run_id for kind, _, run_id in runs(client) if kind == "pretrain"]
    return [each.step for run_id in ids for each in client.get_metric_history(run_id, "train_loss")]


def wait_until_nothing_but_the_training_is_left(
    client: MlflowClient, driver: "subprocess.Popen[bytes]", told: Path
) -> None:
    """Wait until some steps are in the store and the reference, which may be on the other machine, has ended."""
    deadline = time.monotonic() + 300
    while ("uncompressed", "FINISHED") not in [each[:2] for each in runs(client)] or (
        max(steps_of_the_training(client), default=0) < 4
    ):
        assert driver.poll() is None, told.read_text()
        assert time.monotonic() < deadline, "no training began"
        time.sleep(0.1)
