"""The terms of the reading loss: nothing to gain on the original, more to lose the worse a line looks."""

import numpy as np
import pytest
import torch
from made_reading import reading_loss

from tfic.config import READING_TERMS, TrainConfig
from tfic.ocr.ppocr import HEIGHT_PX, LineReader
from tfic.ocr.rectify import width_at
from tfic.synth import draw
from tfic.training.crops import Crops, draw_crops
from tfic.training.reading import CTC, readable
from tfic.training.reading_terms import Truth, divergence, feature_distance
from tfic.weights import parse


@pytest.fixture(scope="module")
def reader() -> LineReader:
    return LineReader()


@pytest.fixture(scope="module")
def crops() -> Crops:
    pages = [draw(0, "train", i) for i in range(2)]
    return draw_crops(pages, np.random.default_rng(0), 2, 256, 256, on_text=True)


def loss(reader: LineReader, crops: Crops, x_hat: torch.Tensor, terms: dict[str, float]) -> torch.Tensor:
    lines = readable(crops.lines, reader, np.random.default_rng(1), 600)
    return reading_loss(reader, x_hat, lines, None, terms, crops.on("cpu"))


@torch.no_grad()
def test_one_pass_gives_the_text_of_the_reader_and_four_maps_of_falling_height(reader: LineReader) -> None:
    x = torch.rand(2, 3, 48, 320)
    both, maps = reader.look(x, features=True, text=True), reader.look(x, features=True, text=False)
    assert both.log_probabilities is not None
    assert torch.equal(both.log_probabilities, reader(x))
    assert maps.log_probabilities is None
    assert [each.shape[1:] for each in both.features] == [(96, 12, 80), (192, 6, 80), (384, 3, 80), (120, 1, 40)]
    assert all(torch.equal(a, b) for a, b in zip(both.features, maps.features, strict=True))
    assert reader.look(x, features=False, text=True).features == ()


@pytest.mark.parametrize("name", ["features", "logits"])
@torch.no_grad()
def test_the_original_costs_nothing_and_noise_the_more_the_stronger_it_is(
    reader: LineReader, crops: Crops, name: str
) -> None:
    torch.manual_seed(0)
    x, noise = crops.on("cpu"), torch.randn(2, 3, 256, 256)
    costs = [float(loss(reader, crops, x + strength * noise, {name: 1.0})) for strength in (0.0, 0.01, 0.1)]
    assert costs[0] == pytest.approx(0, abs=1e-5)
    assert 0 < 2 * costs[1] < costs[2]


@torch.no_grad()
def test_a_sum_is_the_weighted_sum_of_its_terms_in_one_pass(reader: LineReader, crops: Crops) -> None:
    torch.manual_seed(0)
    x_hat = crops.on("cpu") + 0.1 * torch.randn(2, 3, 256, 256)
    alone = {name: float(loss(reader, crops, x_hat, {name: 1.0})) for name in READING_TERMS}
    joined = float(loss(reader, crops, x_hat, {"ctc": 1.0, "features": 0.5, "logits": 2.0}))
    assert joined == pytest.approx(alone["ctc"] + 0.5 * alone["features"] + 2 * alone["logits"], rel=1e-4)
    assert float(loss(reader, crops, x_hat, dict(CTC))) == alone["ctc"]


@pytest.mark.parametrize("name", READING_TERMS)
def test_a_step_against_the_gradient_of_each_term_lowers_it(reader: LineReader, crops: Crops, name: str) -> None:
    torch.manual_seed(0)
    x_hat = (crops.on("cpu") + 0.2 * torch.randn(2, 3, 256, 256)).clamp(0, 1).requires_grad_(True)
    before = loss(reader, crops, x_hat, {name: 1.0})
    (gradient,) = torch.autograd.grad(before, x_hat)
    with torch.no_grad():
        assert loss(reader, crops, x_hat - 0.01 * gradient.sign(), {name: 1.0}) < before


def test_the_distance_of_features_is_the_formula_and_padding_does_not_count() -> None:
    wanted, found = torch.randn(2, 3, 4, 10), torch.randn(2, 3, 4, 10)
    truth = Truth(targets=[[1], [1, 2, 3]], widths=[1.0, 0.5], characters=4.0)
    short, short_found = wanted[1, :, :, :5], found[1, :, :, :5]
    expected = [
        (found[0] - wanted[0]).square().mean() / wanted[0].var(unbiased=False),
        (short_found - short).square().mean() / short.var(unbiased=False),
    ]
    assert float(feature_distance([found], [wanted], truth)) == pytest.approx(float(expected[0] + 3 * expected[1]) / 4)
    found[1, :, :, 5:] = 99
    assert float(feature_distance([found], [wanted], truth)) == pytest.approx(float(expected[0] + 3 * expected[1]) / 4)


def test_the_divergence_is_that_of_what_the_original_reads() -> None:
    p, q = (torch.randn(1, 4, 5).log_softmax(-1) for _ in range(2))
    truth = Truth(targets=[[1, 2]], widths=[0.5], characters=2.0)
    expected = (p[0, :2].exp() * (p[0, :2] - q[0, :2])).sum() / 2
    assert float(divergence(q, p, truth)) == pytest.approx(float(expected), rel=1e-5)


def test_parts_of_a_batch_have_in_the_mean_the_loss_of_the_whole(reader: LineReader, crops: Crops) -> None:
    line = min((line for b, line in crops.lines if b == 0), key=lambda line: width_at(line.quad, HEIGHT_PX))
    x, lines = crops.on("cpu")[:1].expand(2, -1, -1, -1), [(0, line), (1, line)]
    torch.manual_seed(0)
    x_hat = x + torch.tensor([0.05, 0.2]).view(2, 1, 1, 1) * torch.randn(2, 3, 256, 256)
    terms = {"ctc": 1.0, "features": 1.0, "logits": 1.0}
    whole = reading_loss(reader, x_hat, lines, None, terms, x)
    parts = [reading_loss(reader, x_hat[r : r + 1], lines, range(r, 2, 2), terms, x[r : r + 1]) for r in range(2)]
    assert float(sum(parts)) / 2 == pytest.approx(float(whole), rel=1e-4)
    assert float(parts[0]) != pytest.approx(float(parts[1]), rel=0.1)


def test_a_sum_of_terms_is_written_with_weights() -> None:
    assert parse("ctc", READING_TERMS, "reading") == {"ctc": 1.0}
    assert parse("0.5*ctc + 2*features", READING_TERMS, "reading") == {"ctc": 0.5, "features": 2.0}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("words", r"reading is 'words'; 'words' is none of ctc, features, logits; write ctc, or a sum such as"),
        ("", "'' is none of"),
        ("ctc+ctc", "ctc is in it twice; add its weights up"),
        ("0*ctc", "the weight of ctc must be a positive number"),
        ("*ctc", "the weight of ctc must be a positive number"),
        ("a*ctc", "the weight of ctc must be a positive number"),
    ],
)
def test_another_sum_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TrainConfig(reading=text)


def test_other_learners_and_readers_are_refused() -> None:
    with pytest.raises(ValueError, match="learns is 'decoder'; it must be all or encoder"):
        TrainConfig(learns="decoder")
    with pytest.raises(ValueError, match="readers is 'me'; 'me' is none of ppocrv6-small"):
        TrainConfig(readers="me")
