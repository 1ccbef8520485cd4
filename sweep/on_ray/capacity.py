"""Room for one more trial on the machines that Ray sees at the moment."""

import time
from collections.abc import Callable, Iterable, Sequence

from sweep.on_ray.resources import Node, Slot, Slots, count, fits

LOOK_AGAIN_S = 5.0
"""Seconds after which the cluster's nodes are read again: nodes come and go."""


class Capacity:
    """The trials that may run at once.

    Args:
        slots: CPUs and GPUs of each kind of trial.
        concurrent: A fixed number of trials, in a sweep on GPUs of those that hold some, or None for what fits at the
            moment.
        nodes: Returns the cluster's nodes.
        clock: Seconds from any fixed moment.
    """

    def __init__(
        self,
        slots: Slots,
        concurrent: int | None,
        nodes: Callable[[], Sequence[Node]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.slots, self._concurrent, self._nodes, self._clock = slots, concurrent, nodes, clock
        self._looked, self._found = -LOOK_AGAIN_S, tuple[Node, ...]()

    def __call__(self) -> int:
        """Trials of stage 2 side by side, at least one."""
        return self._concurrent or max(1, count(self._there(), self.slots.finetune))

    def room(self, slot: Slot, held: Iterable[Slot]) -> bool:
        """Return True if a trial with this slot may start beside those that hold slots.

        The first one may always: a cluster that has no machine for it is asked for one. Trials that train nothing leave
        a CPU for each training that the GPUs have room for, as long as that leaves any CPU; on which machine Ray puts
        them is Ray's choice. They take no training's place in a fixed number, which holds for either sort.
        """
        slots, taken = self.slots, list(held)
        if self._concurrent is not None:
            if sum(bool(each.gpus) == bool(slot.gpus) for each in taken) >= self._concurrent:
                return False
            if slot.gpus or not (slots.pretrain.gpus or slots.finetune.gpus):
                return True
        if not any(each.gpus or not slot.gpus for each in taken):
            return True
        training = (slots.pretrain, slots.finetune)
        spared = fits(self._there(), (), slots.other, training)
        return fits(self._there(), taken, slot, training if spared else ())

    def waits(self, slot: Slot, held: Iterable[Slot]) -> bool:
        """Return True if a trial with this slot has to wait for a machine, those that hold slots being where they are.

        That is so where the machines are still to come, and where another sweep holds them it is not known here.
        """
        return not fits(self._there(), held, slot)

    def _there(self) -> tuple[Node, ...]:
        if self._clock() - self._looked >= LOOK_AGAIN_S:
            self._found, self._looked = tuple(self._nodes()), self._clock()
        return self._found
