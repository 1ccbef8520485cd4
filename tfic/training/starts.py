"""Weights that a training starts from: of another training, or of a trained model."""

from pathlib import Path

from torch import Tensor

from tfic.checkpoints import checkpoint, header, models
from tfic.config import Config


def fingerprint(start: Path | None) -> str:
    """Fingerprint of the weights of the checkpoint that a training starts from; "" for none."""
    return header.read(start).fingerprint if start else ""


def check(found: str, start: Path | None, path: Path) -> None:
    """Raise ValueError when what is at `path` has started from other weights than those at `start`.

    Args:
        found: fingerprint that `path` recorded of its start; "" where it recorded none.
        start: the checkpoint to start from; one that is not there, or None, is not compared.
        path: a state or a checkpoint.
    """
    if found and start and start.is_file() and found != fingerprint(start):
        raise ValueError(
            f"{path} was trained from weights {found}, and {start} has weights {fingerprint(start)}; give the start "
            "that it had, another run directory, or remove this one"
        )


def parent(start: Path, config: Config) -> dict[str, Tensor]:
    """Weights of the checkpoint of another training; ValueError when it is not the one that `config` wants."""
    found = checkpoint.config_of(start)
    stage, wanted = "stage 1", f"with lambda {config.warm_lmbda}, gamma 0"
    if config.from_stage_1:
        stage, wanted = "a control" if config.control else "stage 2", "of stage 1 (gamma 0)"
    other_lmbda = not config.from_stage_1 and found.lmbda != config.warm_lmbda
    if (found.codec, found.from_stage_1) != (config.codec, False) or other_lmbda:
        what = "a control of a" if found.control else "a"
        raise ValueError(
            f"{start} is {what} {found.codec} with lambda {found.lmbda}, gamma {found.gamma}; "
            f"{stage} starts from a {config.codec} {wanted}"
        )
    return checkpoint.load(start).state_dict()


def foundation(config: Config) -> dict[str, Tensor]:
    """Weights of the model that `train.start` names; ValueError when it is of another codec."""
    path = models.find(config.train.start)
    found = checkpoint.config_of(path)
    if found.codec != config.codec:
        raise ValueError(
            f"start is {config.train.start}, a {found.codec}; a {config.codec} starts from one of its own kind: set "
            f"codec to {found.codec}, or start to another model"
        )
    return checkpoint.load(path).state_dict()
