"""Ctrl-C as an exception that is not lost."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

AGAIN_S = 2.0
"""Seconds after which a Ctrl-C that was lost is raised again."""


@contextlib.contextmanager
def insistent_ctrl_c() -> Iterator[None]:
    """Raise KeyboardInterrupt on Ctrl-C, and again every two seconds until it has left the block.

    Python drops an exception that a signal raises inside a destructor, and Ray's handles have some: the driver would
    then wait for ever for processes that the same Ctrl-C has ended.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in (signal.SIGINT, signal.SIGALRM)}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for each, handler in before.items():
            signal.signal(each, handler)
