"""Limits of a sweep: budget, target, stop rules, retries. They decide no result, so they are not part of a key."""

import math
from dataclasses import dataclass

from sweep.spec.trials import Trial
from tfic.config import check_at_least
from tfic.strict import renamed


@dataclass(frozen=True)
class Limits:
    """Budget, target, stop rules and retries of a sweep."""

    gpu_hours: float = 0.0
    """GPU-hours, or on machines without GPUs hours of a slot, after which nothing more is started; 0 for no end."""
    target: str = ""
    """A bound for the codec that is sought, such as `accuracy>=0.95`: proposals look for the cheapest that meets it."""
    retries: int = 2
    """Most times that a trial whose process or machine died is tried again, each time from its last checkpoint."""
    bpp_low: float = 0.0
    """Rate below which no codec is of interest; a fine-tuning that stays below is stopped. 0 for none."""
    bpp_high: float = 0.0
    """Rate above which no codec is of interest; a fine-tuning that stays far above is stopped. 0 for none."""
    stop_margin: float = 0.0
    """Stop a fine-tuning that a finished one beats by this share on rate, reading and distortion at once; 0 for never.
    0.1 means by 10 % on each of them, at the same step, on the same crops."""
    store_retry_s: float = renamed(1800.0, first="patience_s")
    """Seconds to wait for a tracking store that has gone away or is locked; training goes on meanwhile."""

    def __post_init__(self) -> None:
        for name in ("gpu_hours", "retries", "bpp_low", "bpp_high", "stop_margin", "store_retry_s"):
            check_at_least(name, getattr(self, name), 0)
        if self.bpp_high and self.bpp_low >= self.bpp_high:
            raise ValueError(f"bpp_low is {self.bpp_low:g} and bpp_high {self.bpp_high:g}; low must be below high")

    @property
    def budget_hours(self) -> float:
        """The budget in GPU-hours; infinite when there is none."""
        return self.gpu_hours or math.inf

    @property
    def stops(self) -> bool:
        """True if a rule may stop a trial."""
        return bool(self.bpp_low or self.bpp_high or self.stop_margin)


def gpu_hours(trial: Trial, seconds: float, gpus: float) -> float:
    """GPU-hours of a trial that held so many GPUs; without GPUs, the hours of a slot. 0 for one that trains nothing."""
    return seconds / 3600 * (gpus or 1) if trial.steps else 0.0
