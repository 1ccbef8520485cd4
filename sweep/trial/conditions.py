"""The conditions under which a trial runs. None of them decides its result."""

from dataclasses import dataclass, field

from sweep.spec.limits import Limits
from tfic.training.intermediate import NOTHING, Keep


@dataclass(frozen=True)
class Conditions:
    """Processes, GPUs, checkpoints and rules of a trial."""

    keep: Keep = NOTHING
    """Intermediate checkpoints."""
    gpus: float = 0.0
    """GPUs that it holds while it trains; without any, its hours count as those of one."""
    workers: int = 1
    """Processes that share each training step."""
    measurers: int = 1
    """Processes that measure."""
    upload: bool = False
    """Also keep the state of an unfinished training in the store, so that it can resume on another machine."""
    limits: Limits = field(default_factory=Limits)
    """Stop rules and retries."""


ALONE = Conditions()
"""One process, no rules, no intermediate checkpoints."""
