"""The processor cores of this machine."""

import os
import sys


def usable_cores() -> int:
    """The number of cores that this process may use: on Linux those that it is pinned to, elsewhere all."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
