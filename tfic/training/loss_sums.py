"""The terms of the loss since the last report, summed on the device that computes them.

Reading a number from a GPU waits for all that it was asked to do. So terms are added up there and read when they are
reported; a step that is not finite is noted there, with its terms, and changes no weight (`LossSums.add`).
"""

import math

import torch
from torch import Tensor

from tfic.training import distributed

NORM = "the gradient's norm"


class LossSums:
    """Sums of the terms of the steps since the last `read`, and the first step that was not finite."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._sums, self._broken = torch.zeros(0), torch.zeros(0)
        self._since = 0

    def add(self, terms: dict[str, Tensor], norm: Tensor, step: int) -> Tensor:
        """Add the terms of a step, whose gradient has that norm.

        Returns:
            A number on the device, 1 when a term or the norm of this or of an earlier step is not finite, else 0; as
            the `found_inf` of an optimiser it keeps the weights from being changed.
        """
        values = torch.stack([*(term.detach() for term in terms.values()), norm.detach()]).double()
        if not self._names:
            self._names = list(terms)
            self._sums, self._broken = torch.zeros_like(values), torch.zeros_like(values)
            self._at = torch.full_like(values[:1], math.inf)
        now = values.isfinite().all().logical_not() & self._at.isinf()
        self._broken = torch.where(now, values, self._broken)
        self._at = torch.where(now, torch.full_like(self._at, step), self._at)
        self._sums = self._sums + values
        self._since += 1
        return self._at.isfinite().float().squeeze(0)

    def read(self, steps: int, stage: str) -> dict[str, float]:
        """The mean of each term over the steps since the last call and over the ranks; to be called on all of them.

        Raises:
            FloatingPointError: when a step was not finite; names that step of `steps` of the stage, and the term.
        """
        rows = self._rows(steps, stage)
        since, self._since = self._since, 0
        self._sums = torch.zeros_like(self._sums)
        return {name: sum(row[i] for row in rows) / len(rows) / since for i, name in enumerate(self._names)}

    def check(self, steps: int, stage: str) -> None:
        """Raise as `read` does and forget nothing; to be called on all ranks."""
        self._rows(steps, stage)

    def _rows(self, steps: int, stage: str) -> list[list[float]]:
        """The sums of each rank."""
        rows = distributed.gather(torch.cat([self._sums, self._broken, self._at]))
        count = len(self._names) + 1
        first = min(rows, key=lambda row: row[-1])
        if math.isfinite(first[-1]):
            values = dict(zip((*self._names, NORM), first[count : 2 * count], strict=True))
            names = [NORM] if all(math.isfinite(values[name]) for name in self._names) else self._names[::-1]
            name = next(each for each in names if not math.isfinite(values[each]))  # the loss itself last
            hint = "" if name == NORM else "; try a lower learning rate, or look at the training images"
            raise FloatingPointError(
                f"{name} is {values[name]} at step {int(first[-1]) + 1} of {steps} of {stage}{hint}"
            )
        return rows
