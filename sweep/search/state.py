"""The state of a trial in a search: one record per trial, which only the search changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sweep.spec.trials import Kind, Trial


class Status(StrEnum):
    """The states of a trial."""

    WAITING = "waiting"
    """Not started yet, cut off by the end of an earlier run, or to be tried again."""
    RUNNING = "running"
    """Given to a slot."""
    FINISHED = "finished"
    """Measured, with its metrics in the store."""
    STOPPED = "stopped"
    """Ended by a stop rule, or its parent was."""
    FAILED = "failed"
    """Failed, and not to be tried again in this run."""
    NOT_RUN = "not run"
    """Never started, because its parent failed."""


@dataclass
class State:
    """A trial and how far it is."""

    trial: Trial
    """The trial."""
    status: Status = Status.WAITING
    """Its state."""
    reason: str = ""
    """The reason why it failed, was stopped or will not run; else ""."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Final metrics; empty unless finished."""
    attempts: int = 0
    """Failed attempts in this run."""
    proposed: bool = False
    """True if Optuna proposed it, beyond the grid."""
    trained_hours: float | None = None
    """GPU-hours of its training, which is done while it is still to be measured; else None."""
    spent_hours: float = 0.0
    """GPU-hours of all its attempts so far, those in earlier runs included."""

    @property
    def end_of_children(self) -> tuple[Status, str] | None:
        """State and reason of the trials that wait for this one, if it was lost; else None."""
        what = {Kind.FINETUNE: "fine-tuning", Kind.CONTROL: "control"}.get(self.trial.kind, "pre-training")
        match self.status:
            case Status.STOPPED:
                return Status.STOPPED, f"its {what} was stopped: {self.reason}"
            case Status.FAILED:
                return Status.NOT_RUN, f"its {what} failed: {self.reason}"
            case Status.NOT_RUN:
                return Status.NOT_RUN, self.reason
        return None

    def end(self, status: Status, reason: str) -> None:
        """Set the state with its reason."""
        self.status, self.reason = status, reason
