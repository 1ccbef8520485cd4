"""The plan of a training step: everything in it that needs no network, as a function of settings and step alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from tfic.config import Config
from tfic.ocr.training_reader import LineFormat
from tfic.pages.lines import Page
from tfic.training import distributed
from tfic.training.crops import Crops, cuts, draw_crops, in_unit
from tfic.training.held import Held
from tfic.training.rates import Rates, draw_rates
from tfic.training.reading import Reading, legible, plan_reading, readable


@dataclass(frozen=True)
class Plan:
    """The draws of one step, and what is read in it."""

    noise: int
    """Seed of torch's generator, for quantisation noise."""
    crops: Crops
    """The batch of all workers."""
    part: range
    """Indexes of this worker's crops."""
    pixels: UInt8[Tensor, "b 3 h w"] | Held
    """Their pixels, or the training set on the device that trains."""
    rates: Rates | None
    """Rates of the batch; None where all images have the codec's own lambda."""
    reads: bool = False
    """True if the batch has a line to read."""
    readings: tuple[Reading | None, ...] = ()
    """For each reader, what it reads of this worker's part."""
    on_text: UInt8[Tensor, "b 1 h w"] | None = None
    """The pixels on text (`Crops.on_text`), where they weigh more or less than others."""

    def start(self, device: torch.device) -> tuple[Float[Tensor, "b 3 h w"], Rates | None]:
        """Seed the noise; return this worker's part of the batch, and its rates, on a device."""
        torch.manual_seed(self.noise)
        if isinstance(self.pixels, Held):
            x = self.pixels.crops(torch.from_numpy(self.crops.places[self.part]), self.crops.size_px)
        else:
            x = in_unit(self.pixels, device)
        return x, self.rates.part(self.part, device) if self.rates else None


def planner(config: Config, pages: Sequence[Page], stage: str, held: Held | None = None) -> Callable[[int], Plan]:
    """The function that plans a step of `pretrain`, or of `finetune` without reading, which is that of a control.

    Args:
        config: the settings.
        pages: the training set.
        stage: one of the two.
        held: the same set on the device that trains; None to cut crops on the host.
    """
    return lambda step: _drawn(config, pages, stage, step, held)[0]


def reading_planner(
    config: Config, pages: Sequence[Page], readers: Sequence[LineFormat], on_host: bool, held: Held | None = None
) -> Callable[[int], Plan]:
    """The function that plans a step of `finetune`; `on_host` for the grids of line crops too, else a device has to."""
    train = config.train
    weighted = (train.text_distortion, train.rest_distortion) != (1.0, 1.0)
    size_px = (train.crop_height_px, train.crop_width_px) if on_host else None

    def plan(step: int) -> Plan:
        drawn, rng = _drawn(config, pages, "finetune", step, held)
        lines = [(b, line) for b, line in drawn.crops.lines if all(legible(reader, line) for reader in readers[1:])]
        lines = readable(lines, readers[0], rng, train.read_width_px) if readers else []
        return replace(
            drawn,
            reads=bool(lines),
            readings=tuple(plan_reading(reader, lines, drawn.part, size_px) for reader in readers),
            on_text=drawn.crops.on_text(drawn.part) if weighted else None,
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


def _drawn(
    config: Config, pages: Sequence[Page], stage: str, step: int, held: Held | None
) -> tuple[Plan, np.random.Generator]:
    """The draws of a step without what is read, and the generator for that."""
    train, (rng, noise) = config.train, generator(config, stage, step)
    finetune = stage == "finetune"
    batch, cut = (train.finetune_batch, cuts(config.data)) if finetune else (train.batch, False)
    crops = draw_crops(pages, rng, batch, train.crop_height_px, train.crop_width_px, finetune, cut)
    rates = draw_rates(rng, batch, config.lmbda) if train.whole_range else None
    part, _ = distributed.share(batch)
    return Plan(noise, crops, part, held or crops.cut(part), rates), rng
