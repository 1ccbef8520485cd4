"""One driver per sweep: a note in the tracking store that says who drives, renewed as long as the driver lives.

A driver that was killed leaves its note behind. On the same machine the next one sees that the process is gone; from
another machine it must wait until the note is stale.
"""

import getpass
import os
import platform
import threading
import time
from datetime import datetime
from types import TracebackType
from typing import Any

import requests
from mlflow.exceptions import MlflowException

from sweep.store.retry import away
from sweep.store.tracking import Tracker
from tfic.errors import TficError

NOTE = "driver"
"""Name of the note in the store."""
BEAT_S = 20.0
"""Seconds between renewals."""
STALE_S = 90.0
"""Age at which a note that nobody renewed is a dead driver's, in seconds."""
SETTLE_S = 0.5
"""Seconds after which a driver looks whether another one began at the same moment."""


class SweepTakenError(TficError, ValueError):
    """Another driver runs this sweep."""


class Lease:
    """The right to drive a sweep, as a context.

    Raises:
        SweepTakenError: on entering, when another driver has it, naming it.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._own = {"host": platform.node(), "pid": os.getpid(), "user": _user(), "since": time.time()}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._trouble: Exception | None = None

    def __enter__(self) -> "Lease":
        self._refuse_if_taken()
        self._write()
        time.sleep(SETTLE_S)  # of two that begin at once the later one's note stays
        self._refuse_if_taken()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        try:
            if self._is_own(self._tracker.note(NOTE)):
                self._tracker.write_note(NOTE, {})
        except (MlflowException, requests.RequestException) as trouble:
            if not away(trouble):
                raise
            # nobody to tell; the note will be stale soon

    def check(self) -> None:
        """Raise if the right cannot be renewed: SweepTakenError when another driver began while the store was away."""
        if self._trouble is not None:
            raise self._trouble

    def _refuse_if_taken(self) -> None:
        note = self._tracker.note(NOTE)
        if not self._is_own(note) and alive(note):
            name = self._tracker.sweep
            raise SweepTakenError(
                f"sweep {name!r} is being driven by {who(note)}; `python -m sweep.status --name {name}` shows it. "
                f"Stop that one, or choose another --name (a killed driver's hold ends within {STALE_S:.0f} s)"
            )

    def _is_own(self, note: dict[str, Any]) -> bool:
        return all(note.get(name) == value for name, value in self._own.items())

    def _write(self) -> None:
        self._tracker.write_note(NOTE, self._own | {"beat": time.time()})

    def _renew(self) -> None:
        while not self._stop.wait(BEAT_S):
            try:
                note = self._tracker.note(NOTE)
                if note and not self._is_own(note):
                    name = self._tracker.sweep
                    self._trouble = SweepTakenError(f"sweep {name!r} was taken over by {who(note)}; this driver ends")
                    return
                self._write()
            except (MlflowException, requests.RequestException) as error:
                if not away(error):
                    self._trouble = error  # raised by `check`, in the driver's own thread
                    return


def alive(note: dict[str, Any]) -> bool:
    """Whether the driver of a note still lives, as far as can be told from here."""
    if not note:
        return False
    if note["host"] == platform.node() and not _process_exists(int(note["pid"])):
        return False
    return bool(time.time() - note["beat"] < STALE_S)


def who(note: dict[str, Any]) -> str:
    """The driver of a note, for people."""
    since = datetime.fromtimestamp(note["since"]).astimezone().isoformat(" ", "seconds")
    return f"process {note['pid']} of {note['user']} on {note['host']}, since {since}"


def _process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"
