"""The loss of one training step.

Stage 1 ("pretrain", gamma = 0) minimises `lmbda * 255^2 * MSE + bpp`; stage 2 ("finetune") minimises
`bpp + gamma * L_OCR` against frozen readers, or with the loss of another machine task (`tfic.training.tasks`), and
keeps a share of the distortion (`lmbda_share`, 0 in the paper). A
control ("control") goes on with the loss of stage 1 on the steps, crops, learning rate and averaging of stage 2, so
that the two differ in what is minimised and in what learns alone.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Module

from tfic.codec.image_codec import Reconstruction
from tfic.config import Config, TrainConfig
from tfic.pages.lines import Page
from tfic.reader_names import READERS
from tfic.system import devices
from tfic.system.precision import networks
from tfic.training import distributed, losses
from tfic.training.ahead import Ahead
from tfic.training.held import held
from tfic.training.plans import Plan, planner, reading_planner
from tfic.training.rates import Rates, pixel_loss, weigh_reading
from tfic.training.reading import line_formats
from tfic.training.tasks import build_tasks
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
    spoiled: Callable[[Module], dict[str, Tensor]]
    """The same terms of a worker that cannot see its part of the batch: none is finite, and so no gradient of any
    worker, which spoils the step for all and lets none wait."""


def pretrain(config: Config, pages: Sequence[Page]) -> Stage:
    """Stage 1 on the given pages; a warm start counts as a stage before it."""
    train = config.train
    loss = _without_reading(config, pages, "pretrain", straight_through=False)
    spoiled = _spoiled(train, train.batch, "bpp_estimated", "mse")
    return Stage(
        "pretrain",
        train.pretrain_steps,
        _warm_steps(config),
        train.learning_rate,
        train.pretrain_average,
        loss,
        spoiled,
    )


def finetune(config: Config, pages: Sequence[Page]) -> Stage:
    """Stage 2 on the given pages."""
    train = config.train
    tasks = build_tasks(train)
    on = functools.cache(lambda device: [(task.to(device), weight) for task, weight in tasks])
    formats = line_formats(parse(train.readers, READERS, "readers")) if train.reads else []

    @functools.cache
    def plans(device: torch.device) -> Ahead[Plan]:
        here = held(config, pages, 2, device)
        return Ahead(reading_planner(config, pages, formats, device.type == "cpu", here), train.finetune_steps)

    def loss(codec: Module, step: int) -> dict[str, Tensor]:
        device = _device_of(codec)
        plan = plans(device)(step)
        x, rates = plan.start(device)
        _, factor = distributed.share(train.finetune_batch)
        result = _reconstruct(codec, x, rates, train.precision)  # models are to see what the decoder will show
        bpp = factor * losses.rate(result.bits(), x)
        x_hat = weigh_reading(result.x_hat, rates, config.lmbda) if rates else result.x_hat
        ocr = torch.stack([weight * task.loss(x_hat, x, plan) for task, weight in on(device)]).sum()
        distortion = factor * losses.distortion(x, result.x_hat)
        weights = None
        if plan.on_text is not None:
            on_text = devices.send(plan.on_text, device).float()
            weights = train.rest_distortion + (train.text_distortion - train.rest_distortion) * on_text
        if rates:
            pixels = factor * pixel_loss(result, x, rates, train.lmbda_share, weights)
        else:
            kept = distortion if weights is None else factor * losses.distortion(x, result.x_hat, weights)
            pixels = train.lmbda_share * config.lmbda * kept + bpp
        loss = pixels + config.gamma * ocr
        return {"loss": loss, "bpp_estimated": bpp, "mse": distortion / 255**2, "ocr": ocr}

    before = _warm_steps(config) + train.pretrain_steps
    spoiled = _spoiled(train, train.finetune_batch, "bpp_estimated", "mse", "ocr")
    return Stage("finetune", train.finetune_steps, before, train.finetune_learning_rate, 0.5, loss, spoiled)


def control(config: Config, pages: Sequence[Page]) -> Stage:
    """Stage 1 for as many steps more as stage 2 has, on the same crops."""
    train = config.train
    loss = _without_reading(config, pages, "finetune", straight_through=True)
    before = _warm_steps(config) + train.pretrain_steps
    spoiled = _spoiled(train, train.finetune_batch, "bpp_estimated", "mse")
    return Stage("control", train.finetune_steps, before, train.finetune_learning_rate, 0.5, loss, spoiled)


def of(config: Config, pages: Sequence[Page]) -> Stage:
    """Return the stage that these settings train."""
    if config.control:
        return control(config, pages)
    return (finetune if config.gamma else pretrain)(config, pages)


def _without_reading(
    config: Config, pages: Sequence[Page], stage: str, straight_through: bool
) -> Callable[[Module, int], dict[str, Tensor]]:
    """The loss of `Stage` for pixels and bits alone, on the crops of `pretrain` or of `finetune`."""
    train, first = config.train, stage == "pretrain"
    steps, batch = (train.pretrain_steps, train.batch) if first else (train.finetune_steps, train.finetune_batch)

    @functools.cache
    def plans(device: torch.device) -> Ahead[Plan]:
        return Ahead(planner(config, pages, stage, held(config, pages, 1 if first else 2, device)), steps)

    def loss(codec: Module, step: int) -> dict[str, Tensor]:
        device = _device_of(codec)
        x, rates = plans(device)(step).start(device)
        _, factor = distributed.share(batch)
        result = _reconstruct(codec, x, rates, config.train.precision, straight_through)
        bpp, distortion = factor * losses.rate(result.bits(), x), factor * losses.distortion(x, result.x_hat)
        loss = factor * pixel_loss(result, x, rates) if rates else config.lmbda * distortion + bpp
        return {"loss": loss, "bpp_estimated": bpp, "mse": distortion / 255**2}

    return loss


def _spoiled(train: TrainConfig, batch: int, *names: str) -> Callable[[Module], dict[str, Tensor]]:
    """`Stage.spoiled` for the terms of these names beside `loss`."""

    def terms(codec: Module) -> dict[str, Tensor]:
        part, _ = distributed.share(batch)
        x = torch.zeros(len(part), 3, train.crop_height_px, train.crop_width_px, device=_device_of(codec))
        result = _reconstruct(codec, x, None, train.precision)
        nothing = math.nan * (losses.rate(result.bits(), x) + losses.distortion(x, result.x_hat))
        return dict.fromkeys(("loss", *names), nothing)

    return terms


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
