"""Run directories as they come from elsewhere, and the sweep that they belong to and are ingested into."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from made_files import saved_codec
from mlflow import MlflowClient
from mlflow.entities import Run

from sweep.ingest import main
from sweep.spec.axes import Qualities, Space
from sweep.spec.presets import preset
from sweep.spec.space import Sweep
from sweep.store.tracking import Tracker
from tfic.config import Config, EvalConfig


def small() -> Sweep:
    """The sweep that the run directories belong to."""
    base = preset("tiny")
    steps = {"pretrain_steps": 1, "finetune_steps": 1, "read_width_px": 300, "klt_start": False}
    return replace(
        base,
        space=Space((0.003,), (1.0,), classical=Qualities((10,), (), ())),
        data=replace(base.data, train_count=4, test_count=2),
        train=replace(base.train, **steps),
        eval=EvalConfig(detect_side_px=256, heldout=False, pictures=1),
    )


def config(lmbda: float = 0.003, gamma: float = 0.0, **data: Any) -> Config:
    """The settings of one of its trainings."""
    sweep = small()
    return Config(sweep.codec, lmbda, gamma, replace(sweep.data, **data), sweep.train, sweep.eval)


def untrained(folder: Path, settings: Config) -> Path:
    """A run directory whose codec is as chance made it."""
    saved_codec(folder / "codec.safetensors", settings)
    return folder


def ingest(tracker: Tracker, *arguments: object) -> int:
    """Ingest into a sweep, and return the exit code."""
    return main([*map(str, arguments), "--name", tracker.sweep, "--tracking-uri", tracker.uri])


def runs(tracker: Tracker) -> dict[str, Run]:
    """The runs of a sweep by key, one each."""
    client = MlflowClient(tracking_uri=tracker.uri)
    experiment = client.get_experiment_by_name(tracker.sweep)
    listed = client.search_runs([experiment.experiment_id]) if experiment else []
    assert len({run.data.tags["trial_key"] for run in listed}) == len(listed)
    return {run.data.tags["trial_key"]: run for run in listed}
