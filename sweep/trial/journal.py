"""Training metrics: each is a line on disk first, then part of a batch that a thread of its own sends to the store.

With each batch goes the tag of the GPU-hours that the training has spent.

So training never waits for the store, a kill loses nothing, and each global step arrives once: steps that the store has
already are not sent again, and steps that a resumed training repeats are not written again.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

import requests
from mlflow.exceptions import MlflowException

from sweep.store.retry import RETRY_EVERY_S, StoreAwayError, away
from sweep.store.tracking import Entry, Tracker
from tfic.system.store_uri import first_line, shown

JOURNAL_FILE = "metrics.jsonl"
"""Name of a training's journal in its directory."""
LAST_DELIVERY_S = 5.0
"""Longest to wait for the last delivery of a training that failed, in seconds; the next attempt sends the rest."""


class Journal:
    """The training metrics of one run, as a context: on leaving it they are in the store.

    Args:
        file: The file for them; metrics that an earlier attempt left in it are delivered first.
        tracker: The sweep's store.
        run_id: The trial's run there.
        retry_s: The longest to wait, on leaving, for a store that is away.
        spent_hours: Returns the GPU-hours that the training has spent so far.
    """

    def __init__(
        self,
        file: Path,
        tracker: Tracker,
        run_id: str,
        retry_s: float,
        spent_hours: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._tracker, self._run_id, self._retry_s, self._spent_hours = tracker, run_id, retry_s, spent_hours
        file.parent.mkdir(parents=True, exist_ok=True)
        self._entries = _read(file)
        self._file = file.open("a", encoding="utf-8")
        self._wake = threading.Condition()
        self._closing = self._repeated = False
        self._delivered = 0
        self._trouble: Exception | None = None
        self._fatal = False
        self._thread = threading.Thread(target=self._deliver, name="journal", daemon=True)

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write down metrics at a global step, unless an earlier attempt did.

        Raises:
            MlflowException: when the store refuses them, or earlier ones.
        """
        self._raise_if_refused()
        repeated = bool(self._entries) and step <= self._entries[-1][0]
        if not repeated:
            self._file.write(json.dumps({"step": step, **metrics}) + "\n")
            self._file.flush()
        with self._wake:
            self._repeated = repeated
            self._entries += [] if repeated else [(step, metrics)]
            self._wake.notify_all()

    def __enter__(self) -> "Journal":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        wait_s = self._retry_s if error is None else min(LAST_DELIVERY_S, self._retry_s)
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        self._thread.join(wait_s)
        self._file.close()
        if error is None:
            self._raise_if_refused()
            if self._delivered < len(self._entries):
                uri = self._tracker.uri
                reason = first_line(self._trouble, uri) if self._trouble else "no answer"
                raise StoreAwayError(
                    f"tracking store {shown(uri)} has not taken the training metrics for {wait_s:.0f} s ({reason}); "
                    "the same command goes on"
                ) from self._trouble

    def _raise_if_refused(self) -> None:
        if self._fatal and self._trouble is not None:
            raise self._trouble

    def _has_work(self) -> bool:
        return self._closing or self._repeated or self._delivered < len(self._entries)

    def _deliver(self) -> None:
        """Send new entries to the store until closed and all are sent; try again while the store is away.

        At a repeated step the hours alone are sent.
        """
        sent: int | None = None
        while not self._fatal:
            with self._wake:
                self._wake.wait_for(self._has_work)
                entries: list[Entry] = self._entries[self._delivered :]
                repeated, self._repeated = self._repeated, False
            if not (entries or repeated):
                return
            try:
                if sent is None:
                    sent = self._tracker.last_step(self._run_id)
                new = [each for each in entries if each[0] > sent]
                self._tracker.log_steps(self._run_id, new, self._spent_hours())
                self._delivered += len(entries)
            except (MlflowException, requests.RequestException) as error:
                self._trouble, self._fatal = error, not away(error)
                sent = None  # the store may have taken some of it before it went away
                time.sleep(RETRY_EVERY_S)


def _read(file: Path) -> list[Entry]:
    """The entries of a journal; a last line that a kill cut short is removed, also on disk."""
    if not file.exists():
        return []
    *lines, torn = file.read_bytes().split(b"\n")
    if torn:
        os.truncate(file, file.stat().st_size - len(torn))
    found = [json.loads(line) for line in lines]
    return [(entry.pop("step"), entry) for entry in found]
