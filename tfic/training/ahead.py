"""Plans of the steps to come, made by a thread of their own while the present step is computed."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")
AHEAD = 2
"""Steps that are planned beyond the present one."""


class Ahead(Generic[T]):
    """The plan of any step, which is made beforehand where steps are asked for in their order.

    A plan must be a function of its step alone: then nothing depends on when it was made, or where a training resumed.
    """

    def __init__(self, make: Callable[[int], T], steps: int) -> None:
        """Take the function that makes a plan, and the number of steps, beyond which nothing is planned."""
        self._make, self._steps = make, steps
        self._thread = ThreadPoolExecutor(1, "plan")
        self._plans: dict[int, Future[T]] = {}

    def __call__(self, step: int) -> T:
        """The plan of a step; what its making raised is raised here."""
        for other in [each for each in self._plans if not step <= each <= step + AHEAD]:
            self._plans.pop(other).cancel()
        for each in (step, *range(step + 1, min(step + 1 + AHEAD, self._steps))):
            if each not in self._plans:
                self._plans[each] = self._thread.submit(self._make, each)
        return self._plans.pop(step).result()
