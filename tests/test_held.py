"""A GPU that trains holds the pixels of its training set, and crops are those of the host to the bit."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from tfic.config import Config
from tfic.pages.lines import Page
from tfic.recipes import recipe
from tfic.synth import draw
from tfic.training import held, memory
from tfic.training.crops import draw_crops

PAGES = [draw(0, "train", i, 64, 80) for i in range(5)]
CPU = torch.device("cpu")


def settings(**train: object) -> Config:
    tiny = recipe("tiny")
    return replace(tiny, train=replace(tiny.train, **train))


@pytest.mark.parametrize("size_px", [(64, 80), (32, 48), (64, 16), (100, 90), (40, 96)])
def test_crops_of_any_size_are_those_that_the_host_cuts(
    size_px: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "CHUNK_BYTES", 2 * 3 * 64 * 80)  # two pages at a time
    crops = draw_crops(PAGES, np.random.default_rng(1), 7, *size_px, on_text=True)
    x, wanted = held.Held(PAGES, CPU).crops(torch.from_numpy(crops.places), size_px), crops.on("cpu")
    assert torch.equal(x, wanted)
    assert x.stride() == wanted.stride(), "in the same order in memory"


def test_the_cpu_holds_no_set_twice_and_another_device_does() -> None:
    assert held.held(settings(), PAGES, 1, CPU) is None
    assert held.held(settings(), PAGES, 1, torch.device("meta")) is not None


@pytest.mark.parametrize(
    ("pages", "stage", "train", "worth"),
    [
        (PAGES, 1, {"pretrain_steps": 3, "batch": 2}, True),
        (PAGES, 1, {"pretrain_steps": 2, "batch": 2}, False),
        (PAGES, 2, {"pretrain_steps": 2, "finetune_steps": 5, "finetune_batch": 1}, True),
        ([*PAGES, draw(0, "train", 9, 64, 64)], 1, {}, False),
    ],
)
def test_images_of_one_size_are_held_where_a_stage_takes_as_many_crops(
    pages: Sequence[Page], stage: int, train: dict[str, int], worth: bool
) -> None:
    assert held.is_worth_it(settings(**train), pages, stage, float("inf")) is worth


@pytest.mark.parametrize("codec", ["tic-tiny", "bmshj2018-factorized"])
def test_a_set_needs_room_beside_the_training(codec: str) -> None:
    config = replace(settings(), codec=codec)
    pixels = memory.set_bytes(len(PAGES), 64, 80)
    assert pixels == sum(page.image.nbytes for page in PAGES)
    beside = memory.training_bytes(codec, config.train, 1)
    beside = pixels if beside is None else beside  # never counted: no more than half
    assert held.is_worth_it(config, PAGES, 1, pixels + beside)
    assert not held.is_worth_it(config, PAGES, 1, pixels + beside - 1)
