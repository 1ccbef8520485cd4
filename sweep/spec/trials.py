"""Trials: the nodes of the stage tree, each one codec to make and measure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tfic.config import Config


class Kind(StrEnum):
    """The kinds of trials."""

    UNCOMPRESSED = "uncompressed"
    """The images as they are."""
    CLASSICAL = "classical"
    """A classical codec at one quality."""
    PRETRAIN = "pretrain"
    """Stage 1, the baseline codec of a lambda: from its own start, or from another lambda's codec."""
    FINETUNE = "finetune"
    """Stage 2, from a pre-trained codec."""
    INTERMEDIATE = "intermediate"
    """An intermediate checkpoint of a fine-tuning. The tracking store calls this kind "candidate"."""


LEARNED = (Kind.PRETRAIN, Kind.FINETUNE, Kind.INTERMEDIATE)
"""Kinds of trials whose codec is trained."""
FILLERS = (Kind.CLASSICAL, Kind.INTERMEDIATE)
"""Kinds that train nothing and that no other trial waits for; they run where a slot would be idle."""


@dataclass(frozen=True)
class Trial:
    """One codec to make and measure; it becomes one run in the tracking store."""

    key: str
    """Readable prefix and a hash of all that decides the result; it never changes."""
    kind: Kind
    """The kind of codec."""
    config: Config
    """Settings of the codec and of its measurement; kinds that train nothing use only codec, data and eval."""
    parent: str = ""
    """Key of the trial whose codec it starts from: a fine-tuning's pre-training, an intermediate one's fine-tuning."""
    quality: int = -1
    """Quality setting of a classical codec."""
    step: int = 0
    """Step of stage 2 at which an intermediate checkpoint was written."""
    decides: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """Everything that decides its result, of which the key has the hash."""

    @property
    def title(self) -> str:
        """A name for people: `finetune lmbda 0.003 gamma 1`."""
        config = self.config
        weights = f"lmbda {config.lmbda:g} gamma {config.gamma:g}"
        weights += f" lmbda_share {config.train.lmbda_share:g}" if config.train.lmbda_share else ""
        match self.kind:
            case Kind.FINETUNE:
                return f"{self.kind} {weights}"
            case Kind.INTERMEDIATE:
                return f"{self.kind} {weights} step {self.step}"
            case Kind.PRETRAIN:
                return f"{self.kind} lmbda {config.lmbda:g}"
            case Kind.CLASSICAL:
                return f"{config.codec} quality {self.quality}"
            case Kind.UNCOMPRESSED:
                return str(self.kind)

    @property
    def steps(self) -> int:
        """Training steps of its own; a fine-tuning does not count those it starts from."""
        train = self.config.train
        return {Kind.PRETRAIN: train.pretrain_steps, Kind.FINETUNE: train.finetune_steps}.get(self.kind, 0)
