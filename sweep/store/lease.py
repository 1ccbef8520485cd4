"""One driver per sweep: an experiment tag that names the driver, renewed as long as the driver lives.

A driver that was killed leaves its tag behind. On the same machine the next driver sees that the process is gone; on
another machine it must wait until the tag is stale.
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

DRIVER = "driver"
"""Experiment tag that names the driver."""
BEAT_S = 20.0
"""Seconds between renewals."""
STALE_S = 90.0
"""Age in seconds at which a tag that was not renewed counts as a dead driver's."""
SETTLE_S = 0.5
"""Seconds after which a driver checks that no other one began at the same moment."""


class SweepTakenError(TficError, ValueError):
    """Another driver runs this sweep."""


class Lease:
    """The right to drive a sweep, as a context.

    Raises:
        SweepTakenError: on entering, when another driver has it, naming it.
        StoreAwayError: on entering, when the store does not answer.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._own = {"host": platform.node(), "pid": os.getpid(), "user": _user(), "since": time.time()}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._trouble: Exception | None = None

    def __enter__(self) -> "Lease":
        self._tracker.waiting(self._refuse_if_taken)
        self._tracker.waiting(self._write)
        time.sleep(SETTLE_S)  # of two that begin at once, the later one's tag stays
        self._tracker.waiting(self._refuse_if_taken)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        try:
            if self._is_own(self._tracker.experiment_tag(DRIVER)):
                self._tracker.set_experiment_tag(DRIVER, {})
        except (MlflowException, requests.RequestException) as trouble:
            if not away(trouble):
                raise
            # the tag will be stale soon

    def check(self) -> None:
        """Raise if the lease cannot be renewed: SweepTakenError when another driver began while the store was away."""
        if self._trouble is not None:
            raise self._trouble

    def _refuse_if_taken(self) -> None:
        driver = self._tracker.experiment_tag(DRIVER)
        if not self._is_own(driver) and alive(driver):
            name = self._tracker.sweep
            raise SweepTakenError(
                f"sweep {name!r} is being driven by {who(driver)}; `python -m sweep.status --name {name}` shows it. "
                f"Stop that one, or choose another --name (a killed driver's hold ends within {STALE_S:.0f} s)"
            )

    def _is_own(self, driver: dict[str, Any]) -> bool:
        return all(driver.get(name) == value for name, value in self._own.items())

    def _write(self) -> None:
        self._tracker.set_experiment_tag(DRIVER, self._own | {"beat": time.time()})

    def _renew(self) -> None:
        while not self._stop.wait(BEAT_S):
            try:
                driver = self._tracker.experiment_tag(DRIVER)
                if driver and not self._is_own(driver):
                    name = self._tracker.sweep
                    self._trouble = SweepTakenError(f"sweep {name!r} was taken over by {who(driver)}; this driver ends")
                    return
                self._write()
            except (MlflowException, requests.RequestException) as error:
                if not away(error):
                    self._trouble = error  # raised by `check`, in the driver's own thread
                    return


def alive(driver: dict[str, Any]) -> bool:
    """True if the driver that a tag names still lives, as far as this machine can tell."""
    if not driver:
        return False
    if driver["host"] == platform.node() and not _process_exists(int(driver["pid"])):
        return False
    return bool(time.time() - driver["beat"] < STALE_S)


def who(driver: dict[str, Any]) -> str:
    """The driver that a tag names, for people."""
    since = datetime.fromtimestamp(driver["since"]).astimezone().isoformat(" ", "seconds")
    return f"process {driver['pid']} of {driver['user']} on {driver['host']}, since {since}"


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
