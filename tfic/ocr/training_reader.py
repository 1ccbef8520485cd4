"""The protocol of readers that codecs are trained against: differentiable, with frozen weights.

A new one is a class like this, a name in `tfic.reader_names.READERS` and a branch in
`tfic.training.reading.build_readers`.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from tfic.ocr.rectify import Transformation
from tfic.system.precision import networks


@dataclass(frozen=True)
class Sight:
    """The output of a reader for L line images."""

    features: tuple[Float[Tensor, "L C h w"], ...]
    """Feature maps, early ones first, whose w positions divide the width of the images evenly; empty if not asked."""
    log_probabilities: Float[Tensor, "L T K"] | None
    """CTC log-probabilities; None if not asked."""


class Spelling(Protocol):
    """The characters that a reader knows."""

    def knows(self, text: str) -> bool:
        """Return True when every character of `text` has a class."""
        ...

    def strangers(self, text: str) -> set[str]:
        """The characters of `text` that have no class."""
        ...

    def encode(self, text: str) -> list[int]:
        """Class indexes of the characters of `text`."""
        ...


class LineFormat(Protocol):
    """The line images that a CTC reader takes and the texts that it can spell: all that a plan of reading needs."""

    @property
    def height_px(self) -> int:
        """Height of a line image."""
        ...

    @property
    def stride_px(self) -> int:
        """Pixels of width for one step of the CTC sequence."""
        ...

    @property
    def transform(self) -> Transformation:
        """Finds the places of lines on a page: a stage of the reader, which may have its own."""
        ...

    @property
    def alphabet(self) -> Spelling:
        """Its characters; class 0 is the blank."""
        ...


class Sighted(Protocol):
    """What looks at line images."""

    def look(self, x: Float[Tensor, "L 3 h W"], features: bool, text: bool) -> Sight:
        """The feature maps, the log-probabilities or both, in one pass; x is RGB in [0, 1]."""
        ...


class TrainingReader(LineFormat, Sighted, Protocol):
    """A frozen CTC reader of line images."""

    def to(self, device: torch.device) -> Any:
        """Move the weights."""
        ...


class AtPrecision:
    """A reader whose network runs at a precision (`tfic.system.precision`); what it gives is float32."""

    def __init__(self, reader: Sighted, precision: str) -> None:
        self._reader, self._precision = reader, precision

    def look(self, x: Float[Tensor, "L 3 h W"], features: bool, text: bool) -> Sight:
        """What the reader sees."""
        with networks(self._precision, x.device):
            seen = self._reader.look(x, features, text)
        log_probabilities = None if seen.log_probabilities is None else seen.log_probabilities.float()
        return Sight(tuple(each.float() for each in seen.features), log_probabilities)
