"""The machine tasks of stage 2: each a frozen, differentiable model that looks at x_hat, and a loss.

`L = lambda * L_dist + L_rate + gamma * L`, where the last L is the weighted sum of the losses of `train.tasks`; with
`reading` alone it is TFIC's own `L_OCR`. To add a task: its name in `tfic.task_names`, a class like those below, a
branch in `build_tasks`, and its metric in `tfic.measuring.tasks`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tfic.config import READING_TERMS, TrainConfig
from tfic.ocr.text_map import TextMap
from tfic.ocr.training_reader import AtPrecision, TrainingReader
from tfic.reader_names import READERS
from tfic.system.precision import networks
from tfic.task_names import weights_of
from tfic.training import distributed
from tfic.training.plans import Plan
from tfic.training.reading import build_readers, planned_loss
from tfic.weights import parse


class TrainingTask(Protocol):
    """A frozen, differentiable model and its loss."""

    def loss(self, x_hat: Float[Tensor, "B 3 H W"], x: Float[Tensor, "B 3 H W"], plan: Plan) -> Float[Tensor, ""]:
        """The loss of a worker's part of a batch; its mean over the workers is that of the batch.

        Args:
            x_hat: the reconstructions.
            x: the originals.
            plan: the step, with the lines of text on the originals.
        """
        ...

    def to(self, device: torch.device) -> Any:
        """Move the model."""
        ...


def build_tasks(train: TrainConfig) -> list[tuple[TrainingTask, float]]:
    """The tasks of some settings, each with its weight."""
    kinds: dict[str, Callable[[], TrainingTask]] = {
        "reading": lambda: Reading(
            build_readers(parse(train.readers, READERS, "readers")),
            parse(train.reading, READING_TERMS, "reading"),
            train.precision,
        ),
        "detection": lambda: Detection(train.precision),
    }
    return [(kinds[name](), weight) for name, weight in weights_of(train.tasks).items()]


class Reading:
    """TFIC's own task: the text of true lines, read by one frozen reader or by several."""

    def __init__(
        self, readers: Sequence[tuple[TrainingReader, float]], terms: Mapping[str, float], precision: str
    ) -> None:
        """Take the models.

        Args:
            readers: frozen readers in the order of the plan's readings, each with its weight.
            terms: weight of each term of `tfic.training.reading_terms`.
            precision: number format of the readers.
        """
        self._readers, self._terms, self._precision = readers, terms, precision

    def loss(self, x_hat: Float[Tensor, "B 3 H W"], x: Float[Tensor, "B 3 H W"], plan: Plan) -> Float[Tensor, ""]:
        """The terms of the reading loss, per character of the batch."""
        total = x.new_zeros(())
        # without a line g_s learns nothing, on one worker; several must agree on which parameters learn
        if plan.reads or plan.part.step > 1:
            for (reader, weight), reading in zip(self._readers, plan.readings, strict=True):
                own = planned_loss(AtPrecision(reader, self._precision), x_hat, reading, self._terms, x)
                total = total + weight * own
        return total

    def to(self, device: torch.device) -> "Reading":
        """Move the readers."""
        for reader, _ in self._readers:
            reader.to(device)
        return self


class Detection:
    """The detector's map of the reconstruction is to be that of the original. It needs no line and no label."""

    def __init__(self, precision: str) -> None:
        """Load the detector; `precision` is its number format."""
        self._map, self._precision = TextMap(), precision

    def loss(self, x_hat: Float[Tensor, "B 3 H W"], x: Float[Tensor, "B 3 H W"], plan: Plan) -> Float[Tensor, ""]:
        """`map_divergence` of the part, with its share of the batch."""
        with networks(self._precision, x.device):
            with torch.no_grad():
                wanted = self._map(x).float()
            found = self._map(x_hat.clamp(0, 1)).float()
        return distributed.share(len(plan.crops.places))[1] * map_divergence(found, wanted)

    def to(self, device: torch.device) -> "Detection":
        """Move the detector."""
        self._map.to(device)
        return self


def map_divergence(found: Float[Tensor, "B 1 h w"], wanted: Float[Tensor, "B 1 h w"]) -> Float[Tensor, ""]:
    """`KL(p || q)` of two maps of text, in nats per pixel, p being that of the original; both are given as log-odds."""
    p = wanted.sigmoid()
    text = p * (F.logsigmoid(wanted) - F.logsigmoid(found))
    return (text + (1 - p) * (F.logsigmoid(-wanted) - F.logsigmoid(-found))).mean()
