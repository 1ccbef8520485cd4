"""A training step does not wait for a GPU; one that is not finite changes nothing and is raised when it is read."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from tfic.codec.image_codec import Reconstruction
from tfic.training import averaging
from tfic.training.loss_sums import LossSums
from tfic.training.stages import Stage
from tfic.training.steps import Steps, learning_rate

STAGES = ("tic-small 96 pretrain", "tic-tiny 256 finetune", "lite-vbr 256 finetune")
"""Codec, side of a crop in pixels, and stage."""
MASK_BYTES = 2 * 256 * 256
"""The pixels on text of two crops in stage 2, a byte each."""


@pytest.fixture(scope="module")
def census() -> dict[str, Any]:
    """What a step of each stage asks of a pretend GPU, in a process of its own, since that changes torch."""
    arguments = [word for each in STAGES for word in each.split()]
    program = [sys.executable, "-W", "ignore", str(Path(__file__).parent / "census.py"), *arguments]
    done = subprocess.run(program, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.slow
def test_a_step_of_stage_1_waits_for_nothing_and_sends_the_places_of_its_crops_alone(census: dict[str, Any]) -> None:
    found = census["tic-small pretrain"]["gpu"]
    assert found["step"] == {}
    assert list(found["sent"].values()) == [2 * 3 * 8], "two crops: page, top and left; no pixel"
    assert found["operations"] > 1000, "it did run there"


@pytest.mark.slow
def test_a_step_of_stage_2_waits_for_the_lengths_that_ctc_copies_and_sends_no_pixel(census: dict[str, Any]) -> None:
    found = census["tic-tiny finetune"]["gpu"]
    assert [place.partition(" at ")[0] for place in found["step"]] == ["CTC copies its lengths"] * 2
    assert sum(found["step"].values()) == 2, "once forward, once backward"
    mask, *others = sorted(found["sent"].values(), reverse=True)
    assert mask == MASK_BYTES
    assert sum(others) < 4096, "places of crops and lines, and texts"


@pytest.mark.slow
def test_a_step_of_the_demo_waits_for_nothing(census: dict[str, Any]) -> None:
    """Every rate at once, the encoder alone, the distance of features, and the detector."""
    assert census["lite-vbr finetune"]["gpu"]["step"] == {}


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["tic-small pretrain", "tic-tiny finetune", "lite-vbr finetune"])
def test_terms_are_read_at_once_when_they_are_reported_and_are_those_of_the_cpu(
    census: dict[str, Any], stage: str
) -> None:
    assert list(census[stage]["gpu"]["report"].values()) == [1]
    assert census[stage]["gpu"]["means"] == pytest.approx(census[stage]["cpu"]["means"], rel=1e-5)


def terms(loss: float, mse: float = 1.0) -> dict[str, Tensor]:
    return {"loss": torch.tensor(loss), "mse": torch.tensor(mse)}


def test_sums_are_means_since_the_last_report() -> None:
    sums, norm = LossSums(), torch.tensor(1.0)
    for step, loss in enumerate((1.0, 2.0, 6.0)):
        assert not sums.add(terms(loss), norm, step)
    assert sums.read(9, "pretrain") == {"loss": 3.0, "mse": 1.0}
    sums.add(terms(5.0), norm, 3)
    assert sums.read(9, "pretrain") == {"loss": 5.0, "mse": 1.0}


@pytest.mark.parametrize(
    ("found", "norm", "sentence"),
    [
        (terms(math.inf), 1.0, "loss is inf at step 2 of 9 of pretrain; try a lower learning rate"),
        (terms(math.nan, math.nan), 1.0, "mse is nan at step 2 of 9"),
        (terms(1.0), math.nan, "the gradient's norm is nan at step 2 of 9 of pretrain$"),
    ],
)
def test_the_first_step_that_is_not_finite_is_named_however_many_follow(
    found: dict[str, Tensor], norm: float, sentence: str
) -> None:
    sums = LossSums()
    flags = [
        sums.add(*each)
        for each in (
            (terms(1.0), torch.tensor(1.0), 0),
            (found, torch.tensor(norm), 1),
            (terms(math.nan), torch.tensor(math.nan), 2),
            (terms(1.0), torch.tensor(1.0), 3),
        )
    ]
    assert list(map(float, flags)) == [0, 1, 1, 1], "nothing is learnt from what came after either"
    for read in (sums.check, sums.read):
        with pytest.raises(FloatingPointError, match=sentence):
            read(9, "pretrain")


class Scale(torch.nn.Module):
    """The least codec: one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Reconstruction:
        return Reconstruction(self.weight * x, (torch.ones(1),))


def stage(loss: Callable[[Tensor, int], Tensor]) -> Stage:
    def terms(codec: torch.nn.Module, step: int) -> dict[str, Tensor]:
        return {"loss": loss(codec(torch.ones(1)).x_hat.sum(), step)}

    return Stage("pretrain", 8, 0, 0.1, 0.5, terms, spoiled=lambda codec: terms(codec, 0))


def test_a_step_that_is_not_finite_changes_no_weight_and_no_later_one_does() -> None:
    codec: Any = Scale()
    steps = Steps(stage(lambda x, step: x * (math.nan if step == 2 else 1.0)), codec, 1.0)
    weights = []
    for step in range(4):
        steps.take(step)
        weights.append(codec.weight.item())
    assert 1 > weights[0] > weights[1] == weights[2] == weights[3]
    with pytest.raises(FloatingPointError, match="loss is nan at step 3 of 8"):
        steps.check()


def test_the_average_is_that_of_torch_to_the_bit() -> None:
    torch.manual_seed(1)
    codec = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.BatchNorm1d(5))
    ours, theirs = AveragedModel(codec), AveragedModel(codec)
    for _ in range(7):
        for weight in codec.parameters():
            weight.data.add_(torch.randn_like(weight))
        averaging.add(ours, codec)
        theirs.update_parameters(codec)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items())


def test_the_learning_rate_warms_up_and_falls_to_a_tenth() -> None:
    rates = [learning_rate(1.0, step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(1 / 50)
    assert max(rates) == pytest.approx(1.0)
    assert rates.index(max(rates)) in (49, 50)
    assert rates[-1] == pytest.approx(0.1, abs=1e-3)
