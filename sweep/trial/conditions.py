"""The conditions under which a trial runs. None of them decides its result."""

from dataclasses import dataclass, field

from sweep.spec.limits import Limits


@dataclass(frozen=True)
class Conditions:
    """Processes, GPUs, checkpoints and rules of a trial."""

    keep_every: int = 0
    """Steps of stage 2 between intermediate checkpoints; 0 for none."""
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
    keep_half: bool = False
    """Keep the codec of stage 1 after half of its steps."""


ALONE = Conditions()
"""One process, no rules, no intermediate checkpoints."""
