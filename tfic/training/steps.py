"""The steps of one stage of a training: what is computed in each, on the device, without waiting for it.

CTC alone waits, in the forward and in the backward pass of stage 2: torch copies the lengths of texts for it.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.optim.swa_utils import AveragedModel

from tfic.codec.image_codec import ImageCodec
from tfic.training import averaging, distributed, training_state
from tfic.training.loss_sums import LossSums
from tfic.training.stages import Stage
from tfic.training.training_state import Parts


class Steps:
    """A codec in one stage of its training, with its optimiser and the average of its weights.

    An averaged stage is to end with the mean of the weights over the share of it that it names (`averaging`).
    """

    def __init__(
        self, stage: Stage, codec: ImageCodec, clip_norm: float, state: bytes = b"", compiled: bool = False
    ) -> None:
        """Go on from a state, or from the beginning.

        Args:
            stage: the stage.
            codec: the codec to train, on its device.
            clip_norm: largest norm of a step's gradient.
            state: the state of a training (`tfic.training.training_state.read`); b"" for none.
            compiled: compile the transforms; nothing on the CPU.
        """
        self._stage, self._clip_norm = stage, clip_norm
        self._codec = codec.train()
        self._parameters = [p for p in codec.parameters() if p.requires_grad]
        self._optimiser = torch.optim.Adam(self._parameters, lr=stage.learning_rate, fused=True)
        self.average = AveragedModel(codec)
        self.parts: Parts = {"codec": codec, "optimiser": self._optimiser, "average": self.average}
        self.first = training_state.restore(self.parts, stage.name, state) if state else 0
        if compiled and next(codec.parameters()).device.type != "cpu":
            compile_transforms(codec)
        self._shared = distributed.wrap(codec)
        self._sums = LossSums()
        self._unseen: Exception | None = None

    def take(self, step: int) -> None:
        """Take one step, counted from 0; when it is not finite, it and those after it change no weight."""
        stage, optimiser = self._stage, self._optimiser
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(stage.learning_rate, step, stage.steps)
        optimiser.zero_grad(set_to_none=True)
        terms = self._terms(step)
        terms["loss"].backward()
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._clip_norm)
        broken = self._sums.add(terms, norm, step)
        setattr(optimiser, "found_inf", broken)  # noqa: B010 - as GradScaler does; Adam declares no such attribute
        optimiser.step()
        if self.averaging(step):
            averaging.add(self.average, self._codec)

    def _terms(self, step: int) -> dict[str, Tensor]:
        """The terms of a step; `Stage.spoiled` where, beside other workers, its images cannot be read any more.

        The others wait in this step for the gradients of this worker: the next look at the terms tells them why.
        """
        if self._unseen is None:
            try:
                return self._stage.loss(self._shared, step)
            except (OSError, ValueError) as error:
                if distributed.world() == 1:
                    raise
                self._unseen = error
        return self._stage.spoiled(self._shared)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What spoiled a step, instead of the term that it spoiled, where a worker could not read its images."""
        try:
            yield
        except FloatingPointError:
            with distributed.sync_errors():
                if self._unseen is not None:
                    raise self._unseen from None
            raise

    def averaging(self, step: int) -> bool:
        """Return True when the weights after a step, counted from 0, are part of the average."""
        stage = self._stage
        return bool(stage.averaged) and step >= int((1 - stage.averaged) * stage.steps)

    def means(self) -> dict[str, float]:
        """The mean of each term since the last call, over all ranks; to be called on all of them.

        Raises:
            FloatingPointError: when a step since then was not finite; names step and term.
            OSError, ValueError: when this worker could not read its images in a step since then.
            distributed.WorkerFailedError: when another one could not.
        """
        with self._explained():
            return self._sums.read(self._stage.steps, self._stage.name)

    def check(self) -> None:
        """Raise as `means` does, and forget nothing; to be called on all ranks before weights are kept."""
        with self._explained():
            self._sums.check(self._stage.steps, self._stage.name)


def compile_transforms(codec: ImageCodec, **how: Any) -> None:
    """Compile the transforms of a codec, each as one graph; its weights and their names stay.

    Args:
        codec: the codec, which is changed.
        how: settings of `torch.compile`.
    """
    for name in ("g_a", "g_s", "h_a", "h_s"):
        if isinstance(transform := getattr(codec, name, None), Module):
            transform.compile(fullgraph=True, dynamic=False, **how)


def learning_rate(peak: float, step: int, steps: int) -> float:
    """Linear warm-up over the first twentieth, then a cosine from `peak` to a tenth of it."""
    warm_up = max(1, steps // 20)
    if step < warm_up:
        return peak * (step + 1) / warm_up
    return peak * (0.1 + 0.45 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up))))
