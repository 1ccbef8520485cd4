"""What one step of training minimises, in either of the two stages.

Stage 1 ("pretrain", gamma = 0) minimises `lmbda * 255^2 * MSE + bpp`; stage 2 ("finetune", lambda = 0) minimises
`bpp + gamma * L_OCR` against the frozen reader.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module

from tfic import distributed, losses
from tfic.config import Config
from tfic.crops import draw_crops
from tfic.lines import Page
from tfic.ocr.ppocr import LineReader
from tfic.reading import readable, reading_loss


@dataclass(frozen=True)
class Stage:
    """One of the two stages."""

    name: str
    """`pretrain` or `finetune`."""
    steps: int
    """Steps of this stage."""
    steps_before: int
    """Steps of the stages before it."""
    learning_rate: float
    """Peak learning rate of Adam."""
    averaged: bool
    """Whether it ends with the mean of the weights over its second half."""
    loss: Callable[[Module, int], dict[str, Tensor]]
    """Codec (`distributed.wrap`) and step to the terms `loss`, `bpp_estimated`, `mse` and, in stage 2, `ocr`: those of
    this worker's part of the batch, whose mean over the workers is that of the batch."""


def pretrain(config: Config, pages: Sequence[Page]) -> Stage:
    """Stage 1 on the given pages; a warm start counts as a stage before it."""
    train = config.train

    def loss(codec: Module, step: int) -> dict[str, Tensor]:
        rng = seed_step(config, "pretrain", step)
        crops = draw_crops(pages, rng, train.batch, train.crop_height_px, train.crop_width_px, on_text=False)
        x = crops.on(_device_of(codec))[distributed.rank() :: distributed.world()]
        result = codec(x)
        bpp, distortion = losses.rate(result.bits(), x), losses.distortion(x, result.x_hat)
        return {"loss": config.lmbda * distortion + bpp, "bpp_estimated": bpp, "mse": distortion / 255**2}

    return Stage("pretrain", train.pretrain_steps, _warm_steps(config), train.learning_rate, False, loss)


def finetune(config: Config, pages: Sequence[Page]) -> Stage:
    """Stage 2 on the given pages."""
    train = config.train
    reader = LineReader()

    def loss(codec: Module, step: int) -> dict[str, Tensor]:
        rng = seed_step(config, "finetune", step)
        crops = draw_crops(pages, rng, train.finetune_batch, train.crop_height_px, train.crop_width_px, on_text=True)
        part = range(distributed.rank(), train.finetune_batch, distributed.world())
        device = _device_of(codec)
        reader.to(device)
        x = crops.on(device)[part.start :: part.step]
        result = codec(x, straight_through=True)  # the reader is to see what the decoder will really show
        bpp = losses.rate(result.bits(), x)
        lines = readable(crops.lines, reader, rng, train.read_width_px)
        # without a line g_s learns nothing, on one worker; several must agree on which parameters learn
        ocr = reading_loss(reader, result.x_hat, lines, part) if lines or part.step > 1 else bpp.new_zeros(())
        distortion = losses.distortion(x, result.x_hat)
        loss = train.lmbda_share * config.lmbda * distortion + bpp + config.gamma * ocr
        return {"loss": loss, "bpp_estimated": bpp, "mse": distortion / 255**2, "ocr": ocr}

    before = _warm_steps(config) + train.pretrain_steps
    return Stage("finetune", train.finetune_steps, before, train.finetune_learning_rate, True, loss)


def seed_step(config: Config, stage: str, step: int) -> np.random.Generator:
    """Chance for one step, the same on all ranks, and torch's own, for noise, seeded by the rank as well.

    A resumed training draws what it would have drawn.
    """
    seed = [config.train.seed, ("pretrain", "finetune").index(stage), step]
    rng = np.random.default_rng(seed)
    noise = int(rng.integers(2**62))
    if distributed.rank():
        noise = int(np.random.default_rng([*seed, distributed.rank()]).integers(2**62))
    torch.manual_seed(noise)
    return rng


def _warm_steps(config: Config) -> int:
    return config.train.pretrain_steps if config.warm_lmbda else 0


def _device_of(codec: Module) -> torch.device:
    return next(codec.parameters()).device
