"""One trial without Ray: everything it makes is in the store when it is called finished, and so is why it failed."""

import csv
import math
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from needed import needed

from sweep.spec.axes import Qualities, Space
from sweep.spec.presets import preset
from sweep.spec.space import Sweep
from sweep.spec.trials import Trial
from sweep.store.tracking import CHECKPOINT, Tracker
from sweep.trial.conditions import Conditions
from sweep.trial.run import run_trial, train_trial
from tfic.config import DataConfig, EvalConfig
from tfic.system import devices
from tfic.system.devices import Device

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tracker(empty_store: str) -> Tracker:
    return Tracker(empty_store, "trials")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def small() -> Sweep:
    base = preset("tiny")
    train = replace(
        base.train,
        pretrain_steps=2,
        finetune_steps=2,
        batch=2,
        finetune_batch=2,
        read_width_px=300,
        log_every=1,
        klt_start=False,
    )
    return replace(
        base,
        space=Space((0.003,), (1.0,), classical=Qualities((10,), (), ())),
        data=DataConfig(train_count=4, test_count=2),
        train=train,
        eval=EvalConfig(detect_side_px=256, heldout=False, pictures=1),
    )


def run(trial: Trial, tracker: Tracker, runs: Path) -> tuple[dict[str, float], str, list[dict[str, Any]]]:
    """Its metrics, its run's id and its reports."""
    run_id = tracker.start(trial)
    reports: list[dict[str, Any]] = []
    return run_trial(trial, tracker, run_id, runs / trial.key, reports.append), run_id, reports


def artifacts(tracker: Tracker, run_id: str, folder: str = "") -> list[str]:
    return sorted(each.path for each in tracker._client.list_artifacts(run_id, folder))


@pytest.fixture(scope="module")
def pretrained(tracker: Tracker, runs: Path) -> tuple[dict[str, float], str, list[dict[str, Any]]]:
    return run(small().pretrain(0.003), tracker, runs)


def test_a_pretraining_leaves_codec_rows_pictures_steps_and_provenance(
    pretrained: tuple[dict[str, float], str, list[dict[str, Any]]], tracker: Tracker
) -> None:
    metrics, run_id, reports = pretrained
    found = tracker._client.get_run(run_id)
    assert found.info.status == "FINISHED"
    assert artifacts(tracker, run_id) == ["checkpoint", "comparison.png", "pictures", "rows.csv"]
    assert artifacts(tracker, run_id, "checkpoint") == [CHECKPOINT]
    assert len(artifacts(tracker, run_id, "pictures")) == 2, "a picture, and what is known of it"
    assert {"bpp", "bpp_payload", "bpp_estimated", "psnr_db", "accuracy", "cer", "seconds"} <= set(found.data.metrics)
    assert found.data.metrics["bpp"] == pytest.approx(metrics["bpp"])
    assert {"host", "device", "versions"} <= set(found.data.tags)
    assert found.data.tags["device"] == devices.name(Device().here())
    assert [each.step for each in tracker._client.get_metric_history(run_id, "train_loss")] == [1, 2]
    assert [(each["stage"], each.get("step")) for each in reports] == [
        ("pretrain", 1),
        ("pretrain", 2),
        ("measure", None),
    ]


def test_the_final_metrics_are_the_means_of_the_rows(
    pretrained: tuple[dict[str, float], str, list[dict[str, Any]]], tracker: Tracker, tmp_path: Path
) -> None:
    metrics, run_id, _ = pretrained
    with Path(tracker._client.download_artifacts(run_id, "rows.csv", str(tmp_path))).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    for name in ("bpp", "accuracy", "psnr_db"):
        assert math.fsum(float(row[name]) for row in rows) / 2 == pytest.approx(metrics[name])


def test_a_finetuning_on_another_machine_starts_from_the_codec_in_the_store_and_counts_steps_on(
    pretrained: tuple[dict[str, float], str, list[dict[str, Any]]], tracker: Tracker, tmp_path: Path
) -> None:
    trial = small().finetune(0.003, 1.0)
    _, run_id, reports = run(trial, tracker, tmp_path)
    assert (tmp_path / trial.key / "start" / Path(CHECKPOINT).name).is_file()
    assert not (tmp_path / trial.key / "pretrain").exists()
    assert [each.step for each in tracker._client.get_metric_history(run_id, "train_ocr")] == [3, 4]
    assert reports[0]["stage"] == "finetune"
    assert tracker._client.get_run(run_id).data.tags["parent"] == trial.parent


def test_a_pretraining_cut_off_while_measuring_is_not_trained_again_for_another_stage_two(
    pretrained: tuple[dict[str, float], str, list[dict[str, Any]]], tracker: Tracker, runs: Path
) -> None:
    other = replace(small(), train=replace(small().train, finetune_steps=9, log_every=2, threads=2)).pretrain(0.003)
    assert other.key == small().pretrain(0.003).key
    _, run_id, reports = run(other, tracker, runs)
    assert run_id == pretrained[1]
    assert [each["stage"] for each in reports] == ["measure"]


def test_classical_codecs_and_the_reference_are_measured_alike(tracker: Tracker, runs: Path) -> None:
    (anchor,), reference = small().anchors(), small().reference()
    jpeg, run_id, _ = run(anchor, tracker, runs)
    raw, raw_id, _ = run(reference, tracker, runs)
    assert 0 < jpeg["bpp"] < raw["bpp"]
    assert "psnr_db" not in tracker._client.get_run(raw_id).data.metrics
    assert artifacts(tracker, run_id) == artifacts(tracker, raw_id) == ["comparison.png", "pictures", "rows.csv"]


def test_a_loss_that_is_not_a_number_fails_the_trial_with_step_and_term_and_passes_on(
    tracker: Tracker, runs: Path
) -> None:
    trial = small().pretrain(1e38)
    with pytest.raises(FloatingPointError):
        run(trial, tracker, runs)
    (found,) = tracker._client.search_runs([tracker._experiment], f"tags.trial_key = '{trial.key}'")
    assert found.info.status == "FAILED"
    assert found.data.tags["failure"].startswith("FloatingPointError: ")
    assert "step 1" in found.data.tags["failure"]
    assert artifacts(tracker, found.info.run_id) == ["failure.txt"]
    assert not {record.key: record for record in tracker.records()}[trial.key].finished


def test_a_report_that_interrupts_is_no_failure(tracker: Tracker, runs: Path) -> None:
    def interrupt(event: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    trial = small().pretrain(0.02)
    run_id = tracker.start(trial)
    with pytest.raises(KeyboardInterrupt):
        run_trial(trial, tracker, run_id, runs / trial.key, interrupt)
    assert tracker._client.get_run(run_id).info.status == "KILLED"
    assert not {record.key: record for record in tracker.records()}[trial.key].reason


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 2 MiB of its own."""
    needed(not os.geteuid(), "a disk that is full is made by mounting a small one, which takes root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True).returncode == 0
    needed(mounted, "a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_named_and_the_trial_goes_on_where_there_is_room(
    tracker: Tracker, small_disk: Path, tmp_path: Path
) -> None:
    sweep = small()
    trial = replace(sweep, train=replace(sweep.train, checkpoint_every=1)).pretrain(0.007)
    run_id = tracker.start(trial)
    file = small_disk / trial.key / "state.pt"
    with pytest.raises(OSError, match="No space left on device"):
        run_trial(trial, tracker, run_id, small_disk / trial.key, lambda event: None)
    (failed,) = [each for each in tracker.records() if each.key == trial.key]
    assert failed.reason.startswith(f"FileWriteError: {file} cannot be written (No space left on device)")
    assert not list(file.parent.glob("*.partial"))
    run_trial(trial, tracker, run_id, tmp_path / trial.key, lambda event: None)
    steps = [step for step, _ in tracker.history(run_id, "train_loss")]
    assert steps == [1, 2]


def test_a_training_that_ended_elsewhere_is_measured_from_the_store_without_training_again(
    tracker: Tracker, tmp_path: Path
) -> None:
    trial = replace(small(), train=replace(small().train, seed=3)).pretrain(0.003)
    run_id = tracker.start(trial)
    train_trial(trial, tracker, run_id, tmp_path / "there" / trial.key, lambda event: None, Conditions(gpus=2.0))
    assert tracker._client.get_run(run_id).info.status == "RUNNING"
    cost = tracker.trained(run_id)
    assert cost is not None
    assert cost["gpu_hours"] == pytest.approx(cost["seconds"] / 3600 * 2, rel=0.05)
    reports: list[dict[str, Any]] = []
    metrics = run_trial(trial, tracker, run_id, tmp_path / "here" / trial.key, reports.append)
    assert [each["stage"] for each in reports] == ["measure"]
    assert metrics["gpu_hours"] == cost["gpu_hours"]
    assert metrics["seconds"] > cost["seconds"]
    assert artifacts(tracker, run_id) == ["checkpoint", "comparison.png", "pictures", "rows.csv"]
