"""Progress of a sweep: one line per event, for terminals and logs, and an estimate of the time left."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from sweep.search.costs import mean_seconds
from sweep.search.search import Search
from sweep.search.state import Status
from sweep.spec.trials import Kind, Trial

EVERY_S = 10.0
"""Least time between two progress lines of one trial, in seconds."""
LEAST_BOUND_S = 20.0
"""Least lower bound of the time left that is told, in seconds."""


class ProgressLines:
    """Writes lines about the trials of a search.

    Args:
        search: The trials and their states.
        capacity: Returns how many trials may run side by side now.
        write: Takes a line.
        clock: Seconds from any fixed moment.
    """

    def __init__(
        self,
        search: Search,
        capacity: Callable[[], int],
        write: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._search, self._capacity, self._write, self._clock = search, capacity, write, clock
        self._began: dict[str, float] = {}
        self._numbers: dict[str, int] = {}
        self._left: dict[str, tuple[float, float]] = {}
        self._written: dict[str, tuple[str, float]] = {}
        self._done_before = len(search.trials(Status.FINISHED))

    def asked(self, trial: Trial, *, waits: bool) -> None:
        """A trial is to start; tell it where it `waits` for a machine first, which counts as no work."""
        self._began.pop(trial.key, None)
        self._numbers.setdefault(trial.key, self._done_before + len(self._numbers) + 1)
        if waits:
            self._say(trial, "waits for a machine", left="")

    def started(self, trial: Trial) -> None:
        """Tell that a trial has its slot; not again where it goes on in another one to be measured."""
        if trial.key not in self._began:
            self._began[trial.key] = self._clock()
            self._say(trial, "starts", left="")

    def update(self, trial: Trial, event: Mapping[str, Any]) -> None:
        """Tell what a trial reports: when its stage changes, at its last step, and every ten seconds."""
        now = self._clock()
        if "seconds_left" in event:
            self._left[trial.key] = (float(event["seconds_left"]), now)
        stage, before = event["stage"], self._written.get(trial.key, ("", -math.inf))
        if before[0] == stage and now - before[1] < EVERY_S and event.get("step") != event.get("steps"):
            return
        self._written[trial.key] = (stage, now)
        if "step" in event:
            numbers = f"bpp {event['bpp']:.3f}  loss {event['loss']:.4g}"
            self._say(trial, f"{stage} step {event['step']} of {event['steps']}  {numbers}")
        else:
            self._say(trial, f"{stage}s on the test images")

    def finished(self, trial: Trial, metrics: Mapping[str, float]) -> None:
        """Tell that a trial has finished; the search knows already."""
        now = self._clock()
        took = duration(now - self._began.get(trial.key, now))
        self._say(
            trial, f"done in {took}: bpp {metrics['bpp']:.3f}  accuracy {metrics['accuracy']:.3f}  {_psnr(metrics)}"
        )

    def failed(self, trial: Trial, reason: str, again: bool) -> None:
        """Tell that a trial has failed, and whether it is tried again; the search knows already."""
        retries = self._search.limits.retries
        outlook = f"; tried again, {self._search.states[trial.key].attempts} of {retries}" if again else ""
        self._say(trial, f"FAILED: {reason}{outlook}", left="")

    def stopped(self, trial: Trial, reason: str) -> None:
        """Tell that a rule has stopped a trial; the search knows already."""
        self._say(trial, f"stopped: {reason}", left="")

    def note(self, line: str) -> None:
        """Write a line about the sweep as a whole."""
        self._write(line)

    def _say(self, trial: Trial, text: str, left: str | None = None) -> None:
        total = self._search.total
        number = f"[{self._numbers[trial.key]:>{len(str(total))}}/{total}]"
        left = self.left() if left is None else left
        self._write(f"{number} {trial.title:<34} {text}{f'  ({left} left)' if left else ''}")

    def left(self) -> str:
        """Return the time left, for people: the mean time of the finished trials of each kind, over the slots.

        A lower bound ("over 5 min") while no trial of some kind has finished yet; "" when the bound is too low to help.
        """
        search, mean = self._search, mean_seconds(self._search)
        running = [self._remaining(trial, mean) for trial in search.trials(Status.RUNNING)]
        waiting = [mean.get(trial.kind, math.nan) for trial in search.trials(Status.WAITING)]
        proposals = search.proposals_left
        fixed = int(proposals) if math.isfinite(proposals) else 0
        waiting += [mean.get(Kind.FINETUNE, math.nan)] * fixed
        known = [seconds for seconds in (*running, *waiting) if not math.isnan(seconds)]
        longest = max((seconds for seconds in running if not math.isnan(seconds)), default=0.0)
        seconds = max(sum(known) / self._capacity(), longest)
        if len(known) == len(running) + len(waiting) and math.isfinite(proposals):
            return duration(seconds)
        return f"over {duration(seconds)}" if seconds >= LEAST_BOUND_S else ""

    def _remaining(self, trial: Trial, mean: Mapping[Kind, float]) -> float:
        """Seconds that a running trial still takes: as it reports itself, else the mean of its kind.

        A training reports the seconds to its end; the measurement after it is taken to last as long as a whole
        classical trial.
        """
        now = self._clock()
        if trial.key in self._left:
            left, said = self._left[trial.key]
            return max(0.0, left + mean.get(Kind.CLASSICAL, 0.0) - (now - said))
        return max(0.0, mean.get(trial.kind, math.nan) - (now - self._began.get(trial.key, now)))


def duration(seconds: float) -> str:
    """Seconds for people: 45 s, 3 min, 2 h 5 min."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _psnr(metrics: Mapping[str, float]) -> str:
    return f"PSNR {metrics['psnr_db']:.2f} dB" if math.isfinite(metrics.get("psnr_db", math.nan)) else "lossless"
