"""Intermediate checkpoints: the codecs that a training keeps on its way."""

from dataclasses import dataclass
from pathlib import Path

_PREFIX = "at-"


@dataclass(frozen=True)
class Keep:
    """When a codec is kept."""

    every: int = 0
    """Steps of stage 2 from one to the next; 0 for none."""
    half: bool = False
    """Also after half of the steps of stage 1."""


NOTHING = Keep()


def kept_file(step: int) -> str:
    """Name of the intermediate checkpoint after `step` steps of its stage."""
    return f"{_PREFIX}{step:06d}.safetensors"


def kept(run: Path) -> dict[int, Path]:
    """The intermediate checkpoints in a run directory, by the number of steps, in rising order.

    Each is a checkpoint like the finished one: the mean of the weights where that has begun, else the present weights.
    """
    found = {int(path.stem.removeprefix(_PREFIX)): path for path in run.glob(f"{_PREFIX}*.safetensors")}
    return dict(sorted(found.items()))
