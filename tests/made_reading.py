"""The reading loss of lines, planned and read at once."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from tfic.ocr.training_reader import TrainingReader
from tfic.pages.lines import Line
from tfic.training.reading import CTC, plan_reading, planned_loss


def reading_loss(
    reader: TrainingReader,
    x_hat: Tensor,
    lines: Sequence[tuple[int, Line]],
    part: range | None = None,
    terms: Mapping[str, float] = CTC,
    x: Tensor | None = None,
) -> Tensor:
    plan = plan_reading(reader, lines, range(x_hat.shape[0]) if part is None else part)
    return planned_loss(reader, x_hat, plan, terms, x)
