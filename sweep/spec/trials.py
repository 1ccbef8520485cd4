"""What a trial is: one node of the stage tree, of one of five kinds.

uncompressed            the images as they are
classical               a codec that a user would pick instead, at one quality
pretrain                stage 1, the baseline codec; from its own start or from another lambda's
finetune                stage 2, from a pre-training
candidate               a codec that a fine-tuning kept on its way
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tfic.config import Config

LEARNED = ("pretrain", "finetune", "candidate")
"""Kinds of trials whose codec is trained."""
FILLERS = ("classical", "candidate")
"""Kinds that train nothing and are there to be compared with; they fill the gaps."""


@dataclass(frozen=True)
class Trial:
    """One codec to make and measure; it becomes one run in the tracking store."""

    key: str
    """Name for ever: readable, then a hash of what decides the result."""
    kind: str
    """"uncompressed", "classical", "pretrain", "finetune", or "candidate": a codec kept on the way of a fine-tuning."""
    config: Config
    """What to make and how to measure it; for the kinds that train nothing only codec, data and eval count."""
    parent: str = ""
    """Key of the trial whose codec it starts from: a fine-tuning's pre-training, a candidate's fine-tuning."""
    quality: int = -1
    """Quality setting of a classical codec."""
    step: int = 0
    """Step of stage 2 at which a candidate was kept."""
    decides: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """Everything that decides its result, of which the key has the hash."""

    @property
    def title(self) -> str:
        """What it is, for people: `finetune lmbda 0.003 gamma 1`."""
        config = self.config
        weights = f"lmbda {config.lmbda:g} gamma {config.gamma:g}"
        weights += f" lmbda_share {config.train.lmbda_share:g}" if config.train.lmbda_share else ""
        match self.kind:
            case "finetune":
                return f"finetune {weights}"
            case "candidate":
                return f"candidate {weights} step {self.step}"
            case "pretrain":
                return f"pretrain lmbda {config.lmbda:g}"
            case "classical":
                return f"{config.codec} quality {self.quality}"
        return self.kind

    @property
    def steps(self) -> int:
        """Training steps of its own; a fine-tuning does not count those it starts from."""
        train = self.config.train
        return {"pretrain": train.pretrain_steps, "finetune": train.finetune_steps}.get(self.kind, 0)
