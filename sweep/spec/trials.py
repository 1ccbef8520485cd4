"""Trials: the nodes of the stage tree, each one codec to make and measure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sweep.spec.keys import make_key, weights_digest
from tfic.config import Config, TrainConfig


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
    CONTROL = "control"
    """Stage 1 continued for the steps of stage 2: the baseline that has trained as long as a fine-tuning."""
    HALFWAY = "halfway"
    """A pre-trained codec after half of its steps, which shows how far stage 1 has converged."""
    QUALITY = "quality"
    """The codec of a training for the whole range (`train.whole_range`) at another lambda than its own."""
    INTERMEDIATE = "intermediate"
    """An intermediate checkpoint of a fine-tuning. The tracking store calls this kind "candidate"."""


LEARNED = (Kind.PRETRAIN, Kind.FINETUNE, Kind.CONTROL, Kind.QUALITY, Kind.HALFWAY, Kind.INTERMEDIATE)
"""Kinds of trials whose codec is trained."""
TRAINED = (Kind.PRETRAIN, Kind.FINETUNE, Kind.CONTROL)
"""Kinds of trials that train."""
CHECKPOINTS = (Kind.HALFWAY, Kind.INTERMEDIATE)
"""Kinds that are a codec of their parent's at an earlier step."""
FILLERS = (Kind.CLASSICAL, Kind.QUALITY, *CHECKPOINTS)
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
    """Key of the trial whose codec it starts from, or whose earlier checkpoint it is."""
    quality: int = -1
    """Quality setting of a classical codec."""
    step: int = 0
    """Step of its stage at which an earlier checkpoint was written."""
    decides: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """Everything that decides its result, of which the key has the hash."""
    weights: str = field(default="", compare=False)
    """Digest of what decides its weights: equal for two trials that differ in their measurement alone."""

    @property
    def title(self) -> str:
        """A name for people: `finetune lmbda 0.003 gamma 1`."""
        config = self.config
        weights = f"lmbda {config.lmbda:g} gamma {config.gamma:g}"
        weights += f" lmbda_share {config.train.lmbda_share:g}" if config.train.lmbda_share else ""
        weights += f" for {config.train.tasks}" if config.train.tasks != TrainConfig.tasks else ""
        weights += f" reading {config.train.reading}" if config.train.reading != "ctc" else ""
        weights += f" against {config.train.readers}" if config.train.readers != TrainConfig.readers else ""
        weights += f" {config.train.learns} learns" if config.train.learns != "all" else ""
        for name in ("text_distortion", "rest_distortion"):
            weight = getattr(config.train, name)
            weights += f" {name} {weight:g}" if weight != 1 else ""
        seed = f" seed {config.train.seed}" if config.train.seed else ""
        weights += seed
        match self.kind:
            case Kind.FINETUNE:
                return f"{self.kind} {weights}"
            case Kind.INTERMEDIATE:
                return f"{self.kind} {weights} step {self.step}"
            case Kind.QUALITY:
                kind = Kind.FINETUNE if config.gamma else Kind.CONTROL if config.control else Kind.PRETRAIN
                return f"{kind} {weights if config.gamma else f'lmbda {config.lmbda:g}'} by quality"
            case Kind.HALFWAY:
                return f"{self.kind} lmbda {config.lmbda:g}{seed} step {self.step}"
            case Kind.PRETRAIN | Kind.CONTROL:
                return f"{self.kind} lmbda {config.lmbda:g}{seed}"
            case Kind.CLASSICAL:
                return f"{config.codec} quality {self.quality}"
            case Kind.UNCOMPRESSED:
                return str(self.kind)

    @property
    def steps(self) -> int:
        """Training steps of its own; fine-tunings and controls do not count those that they start from."""
        train = self.config.train
        match self.kind:
            case Kind.PRETRAIN:
                return train.pretrain_steps
            case Kind.FINETUNE | Kind.CONTROL:
                return train.finetune_steps
            case _:
                return 0


def trial_of(
    prefix: str, kind: Kind, decides: Mapping[str, Any], config: Config, parent: Trial | None = None, **more: Any
) -> Trial:
    """A trial with its key; `decides` lacks the parent, whose key decides too."""
    origin, weights = ("", "") if parent is None else (parent.key, parent.weights)
    decides = {**decides, "parent": origin} if origin else decides
    weights = weights_digest(decides, weights)
    return Trial(make_key(prefix, decides), kind, config, origin, decides=decides, weights=weights, **more)
