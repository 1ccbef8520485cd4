"""The plan of a training step: everything in it that needs no network, as a function of settings and step alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tfic.config import Config
from tfic.ocr.training_reader import LineFormat
from tfic.pages.lines import Page
from tfic.training import distributed
from tfic.training.crops import Crops, cuts, draw_crops
from tfic.training.rates import Rates, draw_rates
from tfic.training.reading import Reading, legible, plan_reading, readable


@dataclass(frozen=True)
class Plan:
    """The draws of one step, and what is read in it."""

    noise: int
    """Seed of torch's generator, for quantisation noise."""
    crops: Crops
    """The batch of all workers."""
    rates: Rates | None
    """Rates of the batch; None where all images have the codec's own lambda."""
    reads: bool = False
    """True if the batch has a line to read."""
    readings: tuple[Reading | None, ...] = ()
    """For each reader, what it reads of this worker's part."""
    on_text: Float[Tensor, "B 1 h w"] | None = None
    """The pixels on text (`Crops.on_text`), where they weigh more or less than others."""

    def start(self, device: torch.device) -> tuple[Float[Tensor, "b 3 h w"], Rates | None]:
        """Seed the noise; return this worker's part of the batch, and its rates, on a device."""
        torch.manual_seed(self.noise)
        part, _ = distributed.share(len(self.crops.pixels))
        x = self.crops.on(device)[part.start :: part.step]
        return x, self.rates.part(part, device) if self.rates else None


def planner(config: Config, pages: Sequence[Page], stage: str) -> Callable[[int], Plan]:
    """The function that plans a step of `pretrain`, or of `finetune` without reading, which is that of a control."""
    return lambda step: _drawn(config, pages, stage, step)[0]


def reading_planner(
    config: Config, pages: Sequence[Page], readers: Sequence[LineFormat], on_host: bool
) -> Callable[[int], Plan]:
    """The function that plans a step of `finetune`; `on_host` for the grids of line crops too, else a device has to."""
    train = config.train
    weighted = (train.text_distortion, train.rest_distortion) != (1.0, 1.0)
    size_px = (train.crop_height_px, train.crop_width_px) if on_host else None

    def plan(step: int) -> Plan:
        drawn, rng = _drawn(config, pages, "finetune", step)
        part, _ = distributed.share(train.finetune_batch)
        lines = [(b, line) for b, line in drawn.crops.lines if all(legible(reader, line) for reader in readers[1:])]
        lines = readable(lines, readers[0], rng, train.read_width_px)
        return Plan(
            drawn.noise,
            drawn.crops,
            drawn.rates,
            reads=bool(lines),
            readings=tuple(plan_reading(reader, lines, part, size_px) for reader in readers),
            on_text=drawn.crops.on_text("cpu")[part.start :: part.step] if weighted else None,
        )

    return plan


def generator(config: Config, stage: str, step: int) -> tuple[np.random.Generator, int]:
    """The random generator of one step, equal on all ranks, and the seed of torch's, which depends on the rank too.

    A resumed training draws what it would have drawn.
    """
    seed = [config.train.seed, ("pretrain", "finetune").index(stage), step]
    rng = np.random.default_rng(seed)
    noise = int(rng.integers(2**62))
    if distributed.rank():
        noise = int(np.random.default_rng([*seed, distributed.rank()]).integers(2**62))
    return rng, noise


def _drawn(config: Config, pages: Sequence[Page], stage: str, step: int) -> tuple[Plan, np.random.Generator]:
    """The draws of a step without what is read, and the generator for that."""
    train, (rng, noise) = config.train, generator(config, stage, step)
    finetune = stage == "finetune"
    batch, cut = (train.finetune_batch, cuts(config.data)) if finetune else (train.batch, False)
    crops = draw_crops(pages, rng, batch, train.crop_height_px, train.crop_width_px, finetune, cut)
    rates = draw_rates(rng, batch, config.lmbda) if train.whole_range else None
    return Plan(noise, crops, rates), rng
