"""What is read in a step of stage 2, and what comes back from it."""

import numpy as np
import pytest
import torch
from made_reading import reading_loss

from tfic.ocr.ppocr import HEIGHT_PX, STRIDE_PX, LineReader
from tfic.ocr.rectify import width_at
from tfic.pages.lines import Line
from tfic.synth import draw
from tfic.training.crops import Crops, draw_crops
from tfic.training.reading import LINE_CLIP_NORM, SQUEEZE, _clip_lines, readable


@pytest.fixture(scope="module")
def reader() -> LineReader:
    return LineReader()


@pytest.fixture(scope="module")
def crops() -> Crops:
    pages = [draw(0, "train", i) for i in range(4)]
    return draw_crops(pages, np.random.default_rng(0), 4, 256, 256, on_text=True)


def test_lines_are_read_within_the_budget_and_one_in_any_case(reader: LineReader, crops: Crops) -> None:
    for seed in range(10):
        lines = readable(crops.lines, reader, np.random.default_rng(seed), 800)
        widest = max(-(-width_at(line.quad, HEIGHT_PX, SQUEEZE) // STRIDE_PX) * STRIDE_PX for _, line in lines)
        assert len(lines) == 1 or widest * len(lines) <= 800
        assert len(readable(crops.lines, reader, np.random.default_rng(seed), 1)) == 1
    everything = readable(crops.lines, reader, np.random.default_rng(0), 1_000_000)
    assert len(everything) == len(crops.lines) > 4


def test_what_the_reader_cannot_spell_is_not_read(reader: LineReader) -> None:
    quad = ((0.0, 0.0), (30.0, 0.0), (30.0, 12.0), (0.0, 12.0))
    lines = [(0, Line("ok", quad)), (0, Line("much too long for its width", quad)), (0, Line("\ue000", quad))]
    assert readable(lines, reader, np.random.default_rng(0), 1_000_000) == lines[:1]
    assert readable([], reader, np.random.default_rng(0), 100) == []


def test_clear_text_costs_little_and_noise_much(reader: LineReader, crops: Crops) -> None:
    lines = readable(crops.lines, reader, np.random.default_rng(1), 800)
    torch.manual_seed(0)
    clear = reading_loss(reader, crops.on("cpu"), lines)
    noisy = reading_loss(reader, torch.rand_like(crops.on("cpu")), lines)
    assert clear < 0.5
    assert noisy > 3


def test_steps_against_the_gradient_make_the_text_easier_to_read(reader: LineReader, crops: Crops) -> None:
    lines = readable(crops.lines, reader, np.random.default_rng(1), 400)
    torch.manual_seed(0)
    x = (crops.on("cpu") + 0.25 * torch.randn_like(crops.on("cpu"))).clamp(0, 1).requires_grad_(True)
    before = reading_loss(reader, x, lines)
    (gradient,) = torch.autograd.grad(before, x)
    with torch.no_grad():
        after = reading_loss(reader, x - 0.02 * gradient.sign(), lines)
    assert after < before


def test_a_line_s_gradient_is_shortened_to_its_limit_and_small_ones_stay() -> None:
    gradient = torch.zeros(2, 3, 4, 5)
    gradient[0, 0, 0, 0], gradient[1, 0, 0, 0] = 100.0, 0.01
    clipped = _clip_lines(gradient, torch.tensor([LINE_CLIP_NORM, LINE_CLIP_NORM]))
    assert clipped[0].norm().item() == pytest.approx(LINE_CLIP_NORM)
    assert torch.equal(clipped[1], gradient[1])
