"""How reading teaches a codec: which lines are read in a step, and how their loss comes back to the pixels."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tfic import losses
from tfic.lines import Line
from tfic.ocr.ppocr import HEIGHT_PX, STRIDE_PX, LineReader
from tfic.ocr.rectify import rectify, width_at

SQUEEZE = 0.7
"""Share of their width that lines keep in stage 2: reading costs less by as much and is as good (figures in LOG.md)."""
LINE_CLIP_NORM = 5.0
"""Largest norm of the gradient, gamma included, that a line's pixels get from reading, per character. Lines that cannot
be read at all have gradients a thousand times those of the others (figures in LOG.md) and would drown them, and the
rate."""


def readable(
    lines: Sequence[tuple[int, Line]], reader: LineReader, rng: np.random.Generator, budget_px: int
) -> list[tuple[int, Line]]:
    """Random lines that the reader can spell, as many as `budget_px` of width allow, one at least if there is any.

    Args:
        lines: lines, each with the index of its image.
        reader: whose alphabet and steps decide what can be spelt.
        rng: where chance comes from.
        budget_px: width in pixels at the reader's height; each line is padded to the widest.
    """

    def fits(line: Line) -> bool:
        if not line.text or not reader.alphabet.knows(line.text):
            return False
        return losses.ctc_steps(reader.alphabet.encode(line.text)) <= _read_width(line) // STRIDE_PX

    candidates = [(b, line) for b, line in lines if fits(line)]
    chosen: list[tuple[int, Line]] = []
    for i in rng.permutation(len(candidates)):
        widest = max(_read_width(line) for _, line in [*chosen, candidates[i]])
        if chosen and widest * (len(chosen) + 1) > budget_px:
            break
        chosen.append(candidates[i])
    return chosen


def _read_width(line: Line) -> int:
    """Width in pixels at which the reader is given a line, in whole steps of its sequence."""
    return math.ceil(width_at(line.quad, HEIGHT_PX, SQUEEZE) / STRIDE_PX) * STRIDE_PX


def reading_loss(
    reader: LineReader,
    x_hat: Float[Tensor, "B 3 H W"],
    lines: Sequence[tuple[int, Line]],
    part: range | None = None,
) -> Float[Tensor, ""]:
    """`L_OCR` of reconstructions: the lines cut out where they truly stand, read, and held against their true text.

    The gradient of each line's pixels is clipped to `LINE_CLIP_NORM`.

    Args:
        reader: who reads.
        x_hat: the reconstructions.
        lines: lines, each with the index of its image in the batch.
        part: indexes of the batch's images that `x_hat` holds, from r in steps of the number of parts; None for all.
            The mean of all parts' losses, gradients included, is the loss of the whole.
    """
    part = range(x_hat.shape[0]) if part is None else part
    mine = [(part.index(b), line) for b, line in lines if b in part]
    if not mine:
        return 0 * x_hat.sum()  # not a constant: every parameter has a gradient, if of zero, in every part
    width = max(_read_width(line) for _, line in lines)
    crops = rectify(x_hat.clamp(0, 1), [line.quad for _, line in mine], [b for b, _ in mine], HEIGHT_PX, width, SQUEEZE)
    characters = sum(len(reader.alphabet.encode(line.text)) for _, line in lines) / part.step
    targets = [reader.alphabet.encode(line.text) for _, line in mine]
    if crops.requires_grad:
        lengths = torch.tensor([len(target) for target in targets], device=crops.device)
        limits = LINE_CLIP_NORM * lengths / characters
        crops.register_hook(lambda gradient: _clip_lines(gradient, limits))
    return losses.reading(reader(crops), targets, characters)


def _clip_lines(gradient: Float[Tensor, "L 3 h w"], limits: Float[Tensor, " L"]) -> Float[Tensor, "L 3 h w"]:
    """Each line's gradient, shortened to its limit."""
    norms = gradient.flatten(1).norm(dim=1).clamp_min(1e-12)
    return gradient * (limits / norms).clamp_max(1).view(-1, 1, 1, 1)
