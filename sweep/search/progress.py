"""What a sweep says while it runs: one plain line per event, good in a terminal and in a log, and the time left."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from sweep.search.costs import mean_seconds
from sweep.search.search import Search, front
from sweep.spec.trials import LEARNED, Trial

EVERY_S = 10.0
"""Least time between two progress lines of one trial, in seconds."""


LEAST_BOUND_S = 20.0
"""A lower bound of the time left that is worth saying, in seconds."""


class Progress:
    """Writes lines about the trials of a search.

    Args:
        search: Asked for what is done, running and waiting.
        capacity: How many trials may run side by side at the moment.
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
        self._done_before = len(search.results)

    def started(self, trial: Trial) -> None:
        """A trial was given a slot."""
        self._began[trial.key] = self._clock()
        self._numbers.setdefault(trial.key, self._done_before + len(self._numbers) + 1)
        self._say(trial, "starts", left="")

    def update(self, trial: Trial, event: Mapping[str, Any]) -> None:
        """A trial reports; a line is written when its stage changes, at its end, or after a while."""
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
        """A trial has finished (and the search knows)."""
        took = duration(self._clock() - self._began[trial.key])
        self._say(
            trial, f"done in {took}: bpp {metrics['bpp']:.3f}  accuracy {metrics['accuracy']:.3f}  {_psnr(metrics)}"
        )

    def failed(self, trial: Trial, reason: str, again: bool) -> None:
        """A trial has failed (and the search knows), and is perhaps tried again."""
        retries = self._search.limits.retries
        outlook = f"; tried again, {self._search.attempts[trial.key]} of {retries}" if again else ""
        self._say(trial, f"FAILED: {reason}{outlook}", left="")

    def stopped(self, trial: Trial, reason: str) -> None:
        """A rule has stopped a trial (and the search knows)."""
        self._say(trial, f"stopped: {reason}", left="")

    def note(self, line: str) -> None:
        """Something about the sweep as a whole."""
        self._write(line)

    def _say(self, trial: Trial, text: str, left: str | None = None) -> None:
        total = self._search.total
        number = f"[{self._numbers[trial.key]:>{len(str(total))}}/{total}]"
        left = self.left() if left is None else left
        self._write(f"{number} {trial.title:<34} {text}{f'  ({left} left)' if left else ''}")

    def left(self) -> str:
        """Time left for the sweep: work over slots, each kind as long as its finished ones took on average.

        A lower bound ("over 5 min") while a kind is to come of which none has finished yet; "" when that says nothing.
        """
        search, mean = self._search, mean_seconds(self._search)
        running = [self._remaining(search.trials[key], mean) for key in search.running]
        waiting = [mean.get(trial.kind, math.nan) for trial in search.waiting.values()]
        proposals = search.proposals_left
        fixed = int(proposals) if math.isfinite(proposals) else 0
        waiting += [mean.get("finetune", math.nan)] * fixed
        known = [seconds for seconds in (*running, *waiting) if not math.isnan(seconds)]
        longest = max((seconds for seconds in running if not math.isnan(seconds)), default=0.0)
        seconds = max(sum(known) / self._capacity(), longest)
        if len(known) == len(running) + len(waiting) and math.isfinite(proposals):
            return duration(seconds)
        return f"over {duration(seconds)}" if seconds >= LEAST_BOUND_S else ""

    def _remaining(self, trial: Trial, mean: Mapping[str, float]) -> float:
        """Seconds a running trial still takes: as it says itself, else what its kind takes on average.

        Training says how long it still takes; to be measured then takes as long as a classical codec takes in all.
        """
        now = self._clock()
        if trial.key in self._left:
            left, said = self._left[trial.key]
            return max(0.0, left + mean.get("classical", 0.0) - (now - said))
        return max(0.0, mean.get(trial.kind, math.nan) - (now - self._began.get(trial.key, now)))


def table(search: Search) -> list[str]:
    """The points that no other one beats in both bpp and accuracy, as the lines of a table."""
    lines = [f"{'kind':<14}{'lmbda':>8}{'gamma':>8}{'bpp':>9}{'accuracy':>10}{'PSNR dB':>9}"]
    for key in front(search.results):
        trial, metrics = search.trials[key], search.results[key]
        learned = trial.kind in LEARNED
        name = f"{trial.config.codec} q{trial.quality}" if trial.kind == "classical" else trial.kind
        lmbda = f"{trial.config.lmbda:g}" if learned else "-"
        gamma = f"{trial.config.gamma:g}" if learned else "-"
        psnr = f"{metrics['psnr_db']:.2f}" if "psnr_db" in metrics else "-"
        lines.append(f"{name:<14}{lmbda:>8}{gamma:>8}{metrics['bpp']:>9.3f}{metrics['accuracy']:>10.3f}{psnr:>9}")
    return lines


def duration(seconds: float) -> str:
    """Seconds for people: 45 s, 3 min, 2 h 5 min."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _psnr(metrics: Mapping[str, float]) -> str:
    return f"PSNR {metrics['psnr_db']:.2f} dB" if math.isfinite(metrics.get("psnr_db", math.nan)) else "lossless"
