"""The end of a trial that did not finish: decided here, in one place, for the tracking store and for Ray."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mlflow.exceptions import MlflowException

from sweep.store.schema import SPENT
from sweep.store.tracking import Tracker
from sweep.trial.stopping import StoppedByRuleError
from tfic.errors import ImageUnsuitedError


@dataclass(frozen=True)
class End:
    """The end of a trial that did not finish."""

    stage: str
    """`stopped` by a rule, `failed`, or `cut off` by Ctrl-C and the like."""
    reason: str = ""
    """The rule with its numbers, or the error in one sentence that begins with its type; "" if cut off."""
    retryable: bool = False
    """True if another attempt may succeed."""
    details: str = ""
    """Traceback of a failure."""

    @classmethod
    def of(cls, error: BaseException) -> "End":
        """The end that an error means."""
        if isinstance(error, StoppedByRuleError):
            return cls("stopped", str(error))
        if not isinstance(error, Exception):
            return cls("cut off")
        # the same settings and data give these again; another subclass, such as StoreUnreachableError, may pass
        retryable = not (isinstance(error, ImageUnsuitedError) or type(error) in (FloatingPointError, ValueError))
        return cls("failed", f"{type(error).__name__}: {error}", retryable, "".join(traceback.format_exception(error)))

    @property
    def event(self) -> dict[str, Any]:
        """The end as a report of the trial."""
        return {"stage": self.stage, "reason": self.reason, "retryable": self.retryable}

    def record(self, tracker: Tracker, run_id: str, spent_hours: float) -> None:
        """End the trial's run in the tracking store, with the GPU-hours of its attempts so far."""
        if spent_hours:
            tracker.tag(run_id, {SPENT: f"{spent_hours:.9g}"})
        if self.stage == "failed":
            tracker.fail(run_id, self.reason, self.details)
        else:
            tracker.stop(run_id, self.reason)


@contextmanager
def end_told(tell: Callable[[End], None]) -> Iterator[None]:
    """Tell the end of a block that raises; the error passes through, also where a failure cannot be told."""
    try:
        yield
    except BaseException as error:
        _tell(tell, error)
        raise


def _tell(tell: Callable[[End], None], error: BaseException) -> None:
    end = End.of(error)
    try:
        tell(end)
    except (OSError, MlflowException) as trouble:
        if end.stage != "failed":
            raise
        error.add_note(f"Nor could this be told: {type(trouble).__name__}: {trouble}")
