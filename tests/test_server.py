"""A tracking server as a cluster's head runs it: deploy/mlflow.sh on Postgres, artifacts in S3 (moto's), trials apart.

Trials reach the artifacts through the server: no client here has credentials for S3.
"""

import contextlib
import multiprocessing
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from made_server import BUCKET, ROOT, Head, healthy, made_head, wait_for
from made_troubles import QUIET, SMALL
from made_writers import STEPS, fill, weights
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from sweep.spec.presets import from_tables, preset, read_toml
from sweep.store.tracking import CHECKPOINT, Tracker
from sweep.trial.run import run_trial

SETTINGS = """
recipe = "tiny"
name = "resumed"
[space]
lmbdas = [0.003]
gammas = [1.0]
[space.classical]
jpeg = []
webp = []
avif = []
""" + SMALL.format(test_count=1, steps=4, every=2)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    with made_head(tmp_path_factory.mktemp("home")) as made:
        yield made


def runs(head: Head, sweep: str) -> list[Run]:
    store = MlflowClient(tracking_uri=head.uri)
    experiment = store.get_experiment_by_name(sweep)
    assert experiment is not None
    return list(store.search_runs([experiment.experiment_id]))


def test_trials_write_at_once_and_anyone_gets_their_codecs_without_rights_on_the_bucket(
    head: Head, tmp_path: Path
) -> None:
    assert not {"AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL"} & set(os.environ)
    sweep = preset("tiny")
    tracker = Tracker(head.uri, "at-once")
    trials = [sweep.pretrain(lmbda) for lmbda in (0.001, 0.003)]
    started = {trial: tracker.start(trial) for trial in trials}
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=fill, args=(head.uri, "at-once", trial, run_id, tmp_path))
        for trial, run_id in started.items()
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(300)
    assert [writer.exitcode for writer in writers] == [0, 0]

    found = {run.data.tags["trial_key"]: run for run in runs(head, "at-once")}
    assert {key: run.info.status for key, run in found.items()} == {trial.key: "FINISHED" for trial in trials}
    store = MlflowClient(tracking_uri=head.uri)
    for trial in trials:
        history = store.get_metric_history(found[trial.key].info.run_id, "train_loss")
        assert sorted(each.step for each in history) == list(STEPS)
        codec = Tracker(head.uri, "at-once").checkpoint(trial.key, tmp_path / "elsewhere" / trial.key)
        assert codec.read_bytes() == weights(trial)
        assert found[trial.key].info.artifact_uri.startswith("mlflow-artifacts:/")
    kept = [each["Key"] for each in head.s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert sum(key.startswith("artifacts/") and key.endswith(CHECKPOINT) for key in kept) == len(trials)


def test_what_an_unfinished_training_needs_is_found_elsewhere_and_gone_when_it_has_ended(
    head: Head, tmp_path: Path
) -> None:
    tracker = Tracker(head.uri, "unfinished")
    run_id = tracker.start(preset("tiny").pretrain(0.003))
    state = tmp_path / "here" / "state.pt"
    state.parent.mkdir()
    state.write_bytes(b"weights and moments")
    tracker.keep_state(run_id, 40, [state])
    elsewhere = Tracker(head.uri, "unfinished")
    (found,) = elsewhere.state(run_id, 30, tmp_path / "elsewhere")
    assert found.read_bytes() == b"weights and moments"
    assert elsewhere.state(run_id, 40, tmp_path / "as-new") == []
    elsewhere.drop_state(run_id)
    kept = head.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    assert not [each["Key"] for each in kept if each["Key"].endswith("state.pt")]


def leave_unfinished(folder: Path, tracker: Tracker) -> None:
    """What a driver leaves that dies in stage 2, whose machine is lost: the store alone has anything of it."""
    file = folder / "sweep.toml"
    sweep = from_tables(read_toml(file), str(file), "tiny")
    for trial in (sweep.reference(), sweep.pretrain(0.003)):
        run_trial(trial, tracker, tracker.start(trial), folder / "lost" / trial.key, lambda event: None)
    tracker.start(sweep.finetune(0.003, 1.0))
    shutil.rmtree(folder / "lost")


def test_a_sweep_goes_on_from_the_server_where_nothing_else_is_left(head: Head, tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text(SETTINGS)
    leave_unfinished(tmp_path, Tracker(head.uri, "resumed"))
    before = {run.data.tags["kind"]: run for run in runs(head, "resumed")}
    assert before["pretrain"].info.status == "FINISHED"
    assert before["finetune"].info.status == "RUNNING"

    other = {"RAY_ADDRESS": "127.0.0.1:9"}  # somebody else's cluster; without --address no sweep goes there
    command = [sys.executable, "-m", "sweep.run", "--config", "sweep.toml", "--tracking-uri", head.uri]
    env = os.environ | QUIET | other
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pretrain lmbda 0.003" not in done.stdout.split("No other codec")[0]
    after = runs(head, "resumed")
    assert Counter(run.data.tags["kind"] for run in after) == {"uncompressed": 1, "pretrain": 1, "finetune": 1}
    assert {run.info.status for run in after} == {"FINISHED"}
    (pretrain,) = [run for run in after if run.data.tags["kind"] == "pretrain"]
    assert pretrain.info.end_time == before["pretrain"].info.end_time


def test_a_server_that_was_killed_comes_back(head: Head) -> None:
    loop = psutil.Process(int((head.home / "mlflow.pid").read_text()))
    for process in loop.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    wait_for(lambda: not healthy(head.uri), "end of the server", 10)
    wait_for(lambda: healthy(head.uri), "server")


def backup(head: Head, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, ROOT / "deploy" / "backup.py", *arguments]
    return subprocess.run(command, env=os.environ | head.keeper, capture_output=True, text=True)


def test_results_outlive_the_head_by_the_dump_in_the_bucket(head: Head) -> None:
    assert Tracker(head.uri, "kept").start(preset("tiny").reference())
    other = head.database.replace("/mlflow?", "/other?")
    subprocess.run(["createdb", f"--maintenance-db={head.database}", "other"], env=os.environ | head.keeper, check=True)
    fresh = backup(head, "restore", BUCKET, "--database", other)
    assert fresh.stdout == f"nothing restored: no s3://{BUCKET}/database/mlflow.dump\n"

    assert backup(head, "dump", BUCKET, "--database", head.database).stdout.startswith("dumped ")
    assert backup(head, "restore", BUCKET, "--database", other).stdout.startswith("restored ")
    store = MlflowClient(tracking_uri=other)
    experiment = store.get_experiment_by_name("kept")
    assert experiment is not None
    (run,) = store.search_runs([experiment.experiment_id])
    assert run.data.tags["trial_key"] == preset("tiny").reference().key
    assert "the database has" in backup(head, "restore", BUCKET, "--database", other).stdout


def test_a_backup_that_fails_says_why_in_a_line(head: Head) -> None:
    for arguments in (
        ["dump", "no-such-bucket", "--database", head.database],
        ["dump", BUCKET, "--database", head.database.replace("/mlflow?", "/nowhere?")],
    ):
        failed = backup(head, *arguments)
        assert failed.returncode == 1
        assert failed.stderr.startswith("error: ")
        assert failed.stderr.count("\n") == 1
