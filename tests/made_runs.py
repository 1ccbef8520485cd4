"""Run directories as they come from elsewhere, and the sweep that they belong to."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from sweep.presets import preset
from sweep.space import Qualities, Space, Sweep
from tfic import checkpoint
from tfic.codec import build
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
    sweep = small()
    return Config(sweep.codec, lmbda, gamma, replace(sweep.data, **data), sweep.train, sweep.eval)


def untrained(folder: Path, settings: Config) -> Path:
    """A run directory whose codec is as chance made it."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    codec = build(settings.codec).eval()
    codec.update()
    checkpoint.save(codec, settings, folder / "codec.safetensors")
    return folder
