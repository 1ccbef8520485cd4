"""The reading loss of a training step: the lines that are read, and the path of their loss back to the pixels."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from tfic.ocr.easyocr import CHARACTERS, EasyOCRLineReader
from tfic.ocr.ppocr import Alphabet, LineReader, alphabet
from tfic.ocr.rectify import Places, Transformation, cut_out, places, width_at
from tfic.ocr.training_reader import LineFormat, Sighted, TrainingReader
from tfic.pages.lines import Line
from tfic.system import devices
from tfic.training import losses, reading_terms
from tfic.training.reading_terms import Truth

CTC = MappingProxyType({"ctc": 1.0})
"""The term of TFIC's own reading loss."""

SQUEEZE = 0.7
"""Share of their width that lines keep in stage 2: reading costs less by as much and is as good (figures in LOG.md)."""
LINE_CLIP_NORM = 5.0
"""Largest norm of the gradient, gamma included, that a line's pixels get from reading, per character. Lines that cannot
be read at all have gradients a thousand times those of the others (figures in LOG.md) and would drown them, and the
rate."""


def build_readers(weights: Mapping[str, float]) -> list[tuple[TrainingReader, float]]:
    """Readers by their names in `tfic.reader_names.READERS`, each with its weight."""
    kinds: dict[str, Callable[[], TrainingReader]] = {"ppocrv6-small": LineReader, "easyocr": EasyOCRLineReader}
    return [(kinds[name](), weight) for name, weight in weights.items()]


@dataclass(frozen=True)
class KnownFormat:
    """The line format of a reader whose weights are not loaded."""

    height_px: int
    stride_px: int
    alphabet: Alphabet
    transform: Transformation = places


def line_formats(names: Iterable[str]) -> list[KnownFormat]:
    """Line formats of readers by their names in `tfic.reader_names.READERS`."""
    kinds = {
        "ppocrv6-small": lambda: KnownFormat(LineReader.height_px, LineReader.stride_px, alphabet()),
        "easyocr": lambda: KnownFormat(EasyOCRLineReader.height_px, EasyOCRLineReader.stride_px, Alphabet(CHARACTERS)),
    }
    return [kinds[name]() for name in names]


def legible(reader: LineFormat, line: Line) -> bool:
    """Return True when a reader can spell a line's text within the line's width."""
    if not line.text or not reader.alphabet.knows(line.text):
        return False
    return losses.ctc_steps(reader.alphabet.encode(line.text)) <= steps_of(line, reader.height_px, reader.stride_px)


def readable(
    lines: Sequence[tuple[int, Line]], reader: LineFormat, rng: np.random.Generator, budget_px: int
) -> list[tuple[int, Line]]:
    """Random lines that the reader can spell, as many as `budget_px` of width allow, one at least if there is any.

    Args:
        lines: lines, each with the index of its image.
        reader: whose alphabet and steps decide what can be spelt.
        rng: random generator.
        budget_px: width in pixels at the reader's height; each line is padded to the widest.
    """
    candidates = [(b, line) for b, line in lines if legible(reader, line)]
    chosen: list[tuple[int, Line]] = []
    widest = 0
    for i in rng.permutation(len(candidates)):
        widest = max(widest, _read_width(candidates[i][1], reader))
        if chosen and widest * (len(chosen) + 1) > budget_px:
            break
        chosen.append(candidates[i])
    return chosen


def _read_width(line: Line, reader: LineFormat) -> int:
    """Width in pixels at which a reader is given a line, in whole steps of its sequence."""
    return steps_of(line, reader.height_px, reader.stride_px) * reader.stride_px


def steps_of(line: Line, height_px: int, stride_px: int) -> int:
    """Steps of a reader's sequence over a line, for a reader of lines of that height and so many pixels a step."""
    return math.ceil(width_at(line.quad, height_px, SQUEEZE) / stride_px)


@dataclass(frozen=True)
class Reading:
    """The lines that a reader reads in a step, of a worker's part of a batch: all that is known without a pixel."""

    where: Places
    """Their places."""
    grid: Float[Tensor, "L h w 2"] | None
    """Grid of their crops on the host; None where a device is to compute it."""
    image_of: Int[Tensor, " L"]
    """For each line its image in the part."""
    targets: list[list[int]]
    """Class indexes of their texts."""
    widths: list[float]
    """Share of the width of a crop that each of them fills."""
    characters: float
    """Characters of all lines of the batch, by the number of workers."""
    limits: Float[Tensor, " L"]
    """Largest norm of the gradient of each line's pixels."""


def plan_reading(
    reader: LineFormat, lines: Sequence[tuple[int, Line]], part: range, size_px: tuple[int, int] | None = None
) -> Reading | None:
    """What a reader is to read of a part of a batch; None where that has no line.

    Args:
        reader: the frozen reader.
        lines: lines, each with the index of its image in the batch.
        part: indexes of the batch's images in this part, from r in steps of the number of parts. The mean of all parts'
            losses, gradients included, is the loss of the whole.
        size_px: height and width of the images, to compute the grid on the host already.
    """
    mine = [(part.index(b), line) for b, line in lines if b in part]
    if not mine:
        return None
    width = max(_read_width(line, reader) for _, line in lines)
    where = reader.transform([line.quad for _, line in mine], reader.height_px, width, SQUEEZE)
    characters = sum(len(reader.alphabet.encode(line.text)) for _, line in lines) / part.step
    targets = [reader.alphabet.encode(line.text) for _, line in mine]
    return Reading(
        where=where,
        grid=torch.from_numpy(where.grid(*size_px)).float() if size_px else None,
        image_of=torch.tensor([b for b, _ in mine]),
        targets=targets,
        widths=[_read_width(line, reader) / width for _, line in mine],
        characters=characters,
        limits=LINE_CLIP_NORM * torch.tensor([len(target) for target in targets]) / characters,
    )


def planned_loss(
    reader: Sighted,
    x_hat: Float[Tensor, "B 3 H W"],
    plan: Reading | None,
    terms: Mapping[str, float] = CTC,
    x: Float[Tensor, "B 3 H W"] | None = None,
) -> Float[Tensor, ""]:
    """`L_OCR` of reconstructions: the lines are cut out at their true place, read, and compared with the truth.

    The gradient of each line's pixels is clipped to `LINE_CLIP_NORM`.

    Args:
        reader: the frozen reader.
        x_hat: the reconstructions of a part of a batch.
        plan: what is read of that part, by `plan_reading`.
        terms: weights of the terms of `tfic.training.reading_terms`.
        x: the originals of `x_hat`; not used where no term needs them.
    """
    if plan is None:
        return 0 * x_hat.sum()  # not a constant: every parameter has a gradient, if of zero, in every part
    image_of = devices.send(plan.image_of, x_hat.device)

    def cut(images: Tensor) -> Tensor:
        return cut_out(images.clamp(0, 1), image_of, plan.where, plan.grid)

    crops, wanted = cut(x_hat), reading_terms.wants(terms)
    original = None
    if reading_terms.needs_original(terms):
        assert x is not None, "a term compares with the original"
        with torch.no_grad():
            original = reader.look(cut(x), *wanted)
    if crops.requires_grad:
        limits = devices.send(plan.limits, crops.device)
        crops.register_hook(lambda gradient: _clip_lines(gradient, limits))
    truth = Truth(plan.targets, plan.widths, plan.characters)
    return reading_terms.reading(terms, reader.look(crops, *wanted), original, truth)


def _clip_lines(gradient: Float[Tensor, "L 3 h w"], limits: Float[Tensor, " L"]) -> Float[Tensor, "L 3 h w"]:
    """Each line's gradient, shortened to its limit."""
    norms = gradient.flatten(1).norm(dim=1).clamp_min(1e-12)
    return gradient * (limits / norms).clamp_max(1).view(-1, 1, 1, 1)
