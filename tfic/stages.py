"""The loss of one training step.

Stage 1 ("pretrain", gamma = 0) minimises `lmbda * 255^2 * MSE + bpp`; stage 2 ("finetune", lambda = 0) minimises
`bpp + gamma * L_OCR` against frozen readers. A control ("control") goes on with the loss of stage 1 on the steps,
crops, learning rate and averaging of stage 2, so that the two differ in what is minimised and in what learns alone.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module

from tfic import distributed, losses
from tfic.codec.image_codec import Reconstruction
from tfic.config import READING_TERMS, Config
from tfic.crops import cuts, draw_crops
from tfic.lines import Page
from tfic.ocr.training_reader import AtPrecision
from tfic.precision import networks
from tfic.rates import Rates, draw_rates, pixel_loss, weigh_reading
from tfic.reader_names import READERS
from tfic.reading import build_readers, legible, readable, reading_loss
from tfic.weights import parse


@dataclass(frozen=True)
class Stage:
    """One stage of a training."""

    name: str
    """`pretrain`, `finetune` or `control`."""
    steps: int
    """Steps of this stage."""
    steps_before: int
    """Steps of the stages before it."""
    learning_rate: float
    """Peak learning rate of Adam."""
    averaged: float
    """Share of its steps, the last ones, over which weights are averaged; 0 for none."""
    loss: Callable[[Module, int], dict[str, Tensor]]
    """Codec (`distributed.wrap`) and step to the terms `loss`, `bpp_estimated`, `mse` and, in stage 2, `ocr`: those of
    this worker's part of the batch, whose mean over the workers is that of the batch."""


def pretrain(config: Config, pages: Sequence[Page]) -> Stage:
    """Stage 1 on the given pages; a warm start counts as a stage before it."""
    train = config.train

    def loss(codec: Module, step: int) -> dict[str, Tensor]:
        rng = seed_step(config, "pretrain", step)
        crops = draw_crops(pages, rng, train.batch, train.crop_height_px, train.crop_width_px, on_text=False)
        part, factor = distributed.share(train.batch)
        rates = _rates(config, rng, train.batch, _device_of(codec))
        x = crops.on(_device_of(codec))[part.start :: part.step]
        result = _reconstruct(codec, x, rates, train.precision, straight_through=False)
        bpp, distortion = factor * losses.rate(result.bits(), x), factor * losses.distortion(x, result.x_hat)
        loss = factor * pixel_loss(result, x, rates) if rates else config.lmbda * distortion + bpp
        return {"loss": loss, "bpp_estimated": bpp, "mse": distortion / 255**2}

    return Stage(
        "pretrain", train.pretrain_steps, _warm_steps(config), train.learning_rate, train.pretrain_average, loss
    )


def finetune(config: Config, pages: Sequence[Page]) -> Stage:
    """Stage 2 on the given pages."""
    train = config.train
    readers = build_readers(parse(train.readers, READERS, "readers"))
    on = functools.cache(lambda device: [(AtPrecision(r.to(device), train.precision), w) for r, w in readers])
    terms = parse(train.reading, READING_TERMS, "reading")
    weighted = (train.text_distortion, train.rest_distortion) != (1.0, 1.0)

    cut = cuts(config.data)

    def loss(codec: Module, step: int) -> dict[str, Tensor]:
        rng = seed_step(config, "finetune", step)
        crops = draw_crops(pages, rng, train.finetune_batch, train.crop_height_px, train.crop_width_px, True, cut)
        part, factor = distributed.share(train.finetune_batch)
        device = _device_of(codec)
        rates = _rates(config, rng, train.finetune_batch, device)
        x = crops.on(device)[part.start :: part.step]
        result = _reconstruct(codec, x, rates, train.precision)  # readers are to see what the decoder will show
        bpp = factor * losses.rate(result.bits(), x)
        lines = [(b, line) for b, line in crops.lines if all(legible(reader, line) for reader, _ in readers[1:])]
        lines = readable(lines, readers[0][0], rng, train.read_width_px)
        # without a line g_s learns nothing, on one worker; several must agree on which parameters learn
        ocr = bpp.new_zeros(())
        if lines or part.step > 1:
            x_hat = weigh_reading(result.x_hat, rates, config.lmbda) if rates else result.x_hat
            for reader, weight in on(device):
                ocr = ocr + weight * reading_loss(reader, x_hat, lines, part, terms, x)
        distortion = factor * losses.distortion(x, result.x_hat)
        kept, weights = distortion, None
        if weighted:
            on_text = crops.on_text(device)[part.start :: part.step]
            weights = train.rest_distortion + (train.text_distortion - train.rest_distortion) * on_text
            kept = factor * losses.distortion(x, result.x_hat, weights)
        pixels = train.lmbda_share * config.lmbda * kept + bpp
        if rates:
            pixels = factor * pixel_loss(result, x, rates, train.lmbda_share, weights)
        loss = pixels + config.gamma * ocr
        return {"loss": loss, "bpp_estimated": bpp, "mse": distortion / 255**2, "ocr": ocr}

    before = _warm_steps(config) + train.pretrain_steps
    return Stage("finetune", train.finetune_steps, before, train.finetune_learning_rate, 0.5, loss)


def control(config: Config, pages: Sequence[Page]) -> Stage:
    """Stage 1 for as many steps more as stage 2 has, on the same crops."""
    train = config.train
    cut = cuts(config.data)

    def loss(codec: Module, step: int) -> dict[str, Tensor]:
        rng = seed_step(config, "finetune", step)
        crops = draw_crops(pages, rng, train.finetune_batch, train.crop_height_px, train.crop_width_px, True, cut)
        part, factor = distributed.share(train.finetune_batch)
        rates = _rates(config, rng, train.finetune_batch, _device_of(codec))
        x = crops.on(_device_of(codec))[part.start :: part.step]
        result = _reconstruct(codec, x, rates, train.precision)
        bpp, distortion = factor * losses.rate(result.bits(), x), factor * losses.distortion(x, result.x_hat)
        loss = factor * pixel_loss(result, x, rates) if rates else config.lmbda * distortion + bpp
        return {"loss": loss, "bpp_estimated": bpp, "mse": distortion / 255**2}

    before = _warm_steps(config) + train.pretrain_steps
    return Stage("control", train.finetune_steps, before, train.finetune_learning_rate, 0.5, loss)


def of(config: Config, pages: Sequence[Page]) -> Stage:
    """Return the stage that these settings train."""
    if config.control:
        return control(config, pages)
    return (finetune if config.gamma else pretrain)(config, pages)


def seed_step(config: Config, stage: str, step: int) -> np.random.Generator:
    """Return the random generator of one step, equal on all ranks, and seed torch's, for noise, by the rank as well.

    A resumed training draws what it would have drawn.
    """
    seed = [config.train.seed, ("pretrain", "finetune").index(stage), step]
    rng = np.random.default_rng(seed)
    noise = int(rng.integers(2**62))
    if distributed.rank():
        noise = int(np.random.default_rng([*seed, distributed.rank()]).integers(2**62))
    torch.manual_seed(noise)
    return rng


def _rates(config: Config, rng: np.random.Generator, batch: int, device: torch.device) -> Rates | None:
    """Rates of this worker's part of a batch; None where all images have the codec's own lambda."""
    if not config.train.whole_range:
        return None
    part = range(distributed.rank(), batch, distributed.world())
    return draw_rates(rng, batch, config.lmbda).part(part, device)


def _reconstruct(
    codec: Module, x: Tensor, rates: Rates | None, precision: str, straight_through: bool = True
) -> Reconstruction:
    """The forward pass of training, each image at its own rate if it has one."""
    more = {"quality": rates.quality} if rates else {}
    with networks(precision, x.device):
        result: Reconstruction = codec(x, straight_through=straight_through, **more)
    return Reconstruction(result.x_hat.float(), tuple(each.float() for each in result.likelihoods))


def _warm_steps(config: Config) -> int:
    return config.train.pretrain_steps if config.warm_lmbda else 0


def _device_of(codec: Module) -> torch.device:
    return next(codec.parameters()).device
