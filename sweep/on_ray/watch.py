"""A watch on the Ray processes that a driver started: if one dies, the driver would wait for ever."""

import os
import signal
import threading
from types import TracebackType

import psutil

from tfic.errors import TficError

CHECK_S = 5.0
"""Seconds between two checks."""
NEEDED = ("raylet", "gcs_server")
"""Names of the Ray processes that a sweep needs."""


class RayLostError(TficError, RuntimeError):
    """Ray has not started, or a process of it died under a running sweep."""


class Watch:
    """Checks the Ray processes that this process started, as a context inside `insistent_ctrl_c`.

    When one has died, the block is interrupted as by Ctrl-C, and the context raises RayLostError instead of
    KeyboardInterrupt.
    """

    def __init__(self) -> None:
        family = psutil.Process().children(recursive=True)
        self._processes = {each: each.name() for each in family if each.name() in NEEDED}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._check_processes, name="watch", daemon=True)
        self._lost = ""

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._lost and isinstance(error, KeyboardInterrupt):
            raise RayLostError(
                f"Ray's {self._lost} has died (killed, or out of memory); the same command goes on"
            ) from error

    def _check_processes(self) -> None:
        while not self._stop.wait(CHECK_S):
            for process, name in self._processes.items():
                if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                    self._lost = name
                    os.kill(os.getpid(), signal.SIGINT)
                    return
