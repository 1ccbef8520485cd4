"""The state of an unfinished training, from which it resumes, and its codec as a checkpoint."""

import copy
import io
import json
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch.nn import Module
from torch.optim import Optimizer

from tfic.checkpoints import checkpoint, header
from tfic.codec.image_codec import ImageCodec
from tfic.config import TRAINING_VERSION, Config
from tfic.strict import from_mapping
from tfic.system.files import write_whole

STATE_FILE = "state.pt"
"""Weights, optimiser and step of an unfinished training."""
Parts = dict[str, Module | Optimizer]
"""The modules and optimisers of a training, by name."""


def write(parts: Parts, stage: str, step: int, config: Config, run: Path, start: str = "") -> Path:
    """Write the state of a training after `step` steps of a stage, whole or not at all, and return its path.

    `start` is the fingerprint of the checkpoint that it started from; "" for none.
    """
    state: dict[str, Any] = {name: part.state_dict() for name, part in parts.items()}
    state |= {"step": step, "stage": stage, "config": json.dumps(asdict(config)), "start": start}
    state["training_version"] = TRAINING_VERSION
    path = run / STATE_FILE
    data = io.BytesIO()  # torch's own writer does not say that a disk is full
    torch.save(state, data)
    write_whole(path, data.getbuffer())
    return path


def read(path: Path) -> tuple[bytes, Config, str]:
    """A state as `restore` takes it, the settings of its training, and the fingerprint of its start ("": not known).

    Raises:
        ValueError: when it is damaged, or of a version that trains otherwise.
    """
    data, state = _read(path)
    if (version := state.get("training_version", 1)) != TRAINING_VERSION:
        raise ValueError(
            f"{path} was begun by version {version} of training, and this program has version {TRAINING_VERSION} "
            "with other weights; end it with the program that began it, or remove it to begin again"
        )
    return data, from_mapping(Config(), header.settings(state["config"], path), str(path)), state.get("start", "")


def step_of(path: Path) -> int:
    """Steps that were done when a state was written.

    Raises:
        ValueError: when it is damaged.
    """
    return int(_read(path)[1]["step"])


def restore(parts: Parts, stage: str, data: bytes) -> int:
    """Load a state into the parts and return the number of steps that were done."""
    state = _loaded(data)
    assert state["stage"] == stage
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["step"])


def keep(
    codec: Module, pattern: Module, config: Config, file: Path, owner: Path | None = None, start: str = ""
) -> None:
    """Write an intermediate checkpoint; `pattern` is a codec that was never run, to be copied.

    For `owner` see `ready`, for `start` `checkpoint.save`.
    """
    copied = copy.deepcopy(pattern)
    assert isinstance(copied, ImageCodec)
    copied.load_state_dict(codec.state_dict())
    checkpoint.save(ready(copied, owner), config, file, start)


def ready(codec: ImageCodec, owner: Path | None = None) -> ImageCodec:
    """Make a trained codec ready to code, on the CPU.

    Args:
        codec: the codec, which is changed.
        owner: checkpoint of the codec whose decoder it kept while it was trained, coding tables included; its files are
            that codec's.
    """
    codec.cpu().eval()
    if owner is None:
        codec.update()
    else:
        codec.share_decoder(checkpoint.load(owner))
    return codec


def _read(path: Path) -> tuple[bytes, dict[str, Any]]:
    data = path.read_bytes()
    try:
        return data, _loaded(data)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is damaged; remove it, and its training begins again from the start") from error


def _loaded(data: bytes) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return state
