"""Training of one codec in two stages, killed and resumed as often as need be.

Stage 1 ("pretrain", gamma = 0) minimises `lmbda * 255^2 * MSE + bpp`; stage 2 ("finetune", lambda = 0) starts from its
weights and minimises `bpp + gamma * L_OCR` against the frozen reader.
"""

import json
import math
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from tfic import checkpoint, losses
from tfic.codec import build
from tfic.codec.hyperprior import MeanScaleHyperprior
from tfic.codec.image_codec import ImageCodec
from tfic.codec.klt import start_from_klt
from tfic.config import CODEC_FILE, NO_MATTER, STAGE_2, Config, TrainConfig
from tfic.crops import draw_crops
from tfic.data import train_pages
from tfic.lines import Page
from tfic.ocr.ppocr import LineReader
from tfic.reading import readable, reading_loss

KLT_IMAGES = 32
"""Training images from which a KLT start is computed."""
STATE_FILE = "state.pt"
"""Weights, optimiser and step of an unfinished training."""


@dataclass(frozen=True)
class Progress:
    """Where a training stands."""

    stage: str
    """`pretrain` or `finetune`."""
    step: int
    """Steps done in this stage."""
    steps: int
    """Steps of this stage."""
    global_step: int
    """Steps done in all: stage 2 counts on from the end of stage 1."""
    loss: float
    """The stage's loss, mean since the last report; so are the next three."""
    bpp_estimated: float
    """Estimated bits per pixel of the training crops."""
    mse: float
    """Mean squared error of pixels in [0, 1]."""
    ocr: float
    """Negative log-likelihood of the true text in nats per character; nan in stage 1."""
    seconds_left: float
    """Estimated seconds to the end of this stage."""


Report = Callable[[Progress], None]
_Parts = dict[str, torch.nn.Module | torch.optim.Optimizer]


@dataclass(frozen=True)
class _Stage:
    name: str
    steps: int
    steps_before: int
    learning_rate: float
    averaged: bool
    loss: Callable[[ImageCodec, int], dict[str, Tensor]]
    """Codec and step to the terms `loss`, `bpp_estimated`, `mse` and, in stage 2, `ocr`."""


def fit(config: Config, run: Path, report: Report, start: Path | None = None) -> Path:
    """Train a codec in the directory `run` and return the path of its checkpoint.

    A training that was interrupted in `run` goes on from its last state; a finished one returns at once. On one CPU
    worker the weights are the same, to the bit, whether or not it was interrupted.

    Args:
        config: what to train; with gamma 0 stage 1 alone, else stage 2 from `start`.
        run: directory of this training and no other.
        report: called every `log_every` steps and at the end; what it raises ends the training.
        start: checkpoint of stage 1; when None and gamma > 0, stage 1 is trained first, in `run/pretrain`.

    Raises:
        ValueError: when `run` or `start` belongs to another training.
        FloatingPointError: when a term of the loss is not finite; names step and term.
    """
    run.mkdir(parents=True, exist_ok=True)
    finished = run / CODEC_FILE
    if finished.exists():
        check_same(checkpoint.config_of(finished), config, finished)
        return finished
    if config.train.threads:
        torch.set_num_threads(config.train.threads)
    if config.gamma and start is None:
        start = fit(replace(config, gamma=0.0), run / "pretrain", report)

    pages = train_pages(config.data)
    torch.manual_seed(config.train.seed)
    codec = build(config.codec)
    if config.gamma:
        assert start is not None
        started = checkpoint.config_of(start)
        if (started.codec, started.gamma) != (config.codec, 0.0):
            raise ValueError(
                f"{start} is a {started.codec} with gamma {started.gamma}; "
                f"stage 2 starts from a {config.codec} of stage 1 (gamma 0)"
            )
        codec.load_state_dict(checkpoint.load(start).state_dict())
        stage = _finetune(config, pages)
    else:
        if config.train.klt_start and isinstance(codec, MeanScaleHyperprior) and not (run / STATE_FILE).exists():
            rng = _generator(config, "pretrain", 0)
            sample = draw_crops(pages, rng, KLT_IMAGES, config.data.height_px, config.data.width_px, on_text=False)
            start_from_klt(codec.eval(), sample.on("cpu"), config.lmbda)
        stage = _pretrain(config, pages)
    _run_stage(stage, codec, config, run, report)

    codec = codec.cpu().eval()
    codec.update()
    checkpoint.save(codec, config, finished)
    (run / STATE_FILE).unlink(missing_ok=True)
    return finished


def check_same(found: Config, wanted: Config, path: Path) -> None:
    """Raise ValueError unless both settings give the same codec; `path` is what was found."""

    def decisive(config: Config) -> Config:
        # stage 1 does not know how stage 2 will go on from it
        ignored = NO_MATTER if config.gamma else NO_MATTER | STAGE_2
        return replace(config, train=replace(config.train, **{name: getattr(TrainConfig(), name) for name in ignored}))

    if decisive(found) != decisive(wanted):
        raise ValueError(f"{path} was trained with other settings; give another run directory or remove this one")


def _generator(config: Config, stage: str, step: int) -> np.random.Generator:
    """Chance for one step, and torch's own seeded alike: a resumed training draws what it would have drawn."""
    rng = np.random.default_rng([config.train.seed, ("pretrain", "finetune").index(stage), step])
    torch.manual_seed(int(rng.integers(2**62)))
    return rng


def _pretrain(config: Config, pages: Sequence[Page]) -> _Stage:
    train = config.train

    def loss(codec: ImageCodec, step: int) -> dict[str, Tensor]:
        rng = _generator(config, "pretrain", step)
        crops = draw_crops(pages, rng, train.batch, train.crop_height_px, train.crop_width_px, on_text=False)
        x = crops.on(_device_of(codec))
        result = codec(x)
        bpp, distortion = losses.rate(result.bits(), x), losses.distortion(x, result.x_hat)
        return {"loss": config.lmbda * distortion + bpp, "bpp_estimated": bpp, "mse": distortion / 255**2}

    return _Stage("pretrain", train.pretrain_steps, 0, train.learning_rate, False, loss)


def _finetune(config: Config, pages: Sequence[Page]) -> _Stage:
    train = config.train
    reader = LineReader()

    def loss(codec: ImageCodec, step: int) -> dict[str, Tensor]:
        rng = _generator(config, "finetune", step)
        crops = draw_crops(pages, rng, train.finetune_batch, train.crop_height_px, train.crop_width_px, on_text=True)
        device = _device_of(codec)
        reader.to(device)
        x = crops.on(device)
        result = codec(x, straight_through=True)  # the reader is to see what the decoder will really show
        bpp = losses.rate(result.bits(), x)
        lines = readable(crops.lines, reader, rng, train.read_width_px)
        ocr = reading_loss(reader, result.x_hat, lines) if lines else bpp.new_zeros(())
        distortion = losses.distortion(x, result.x_hat)
        loss = train.finetune_lmbda * config.lmbda * distortion + bpp + config.gamma * ocr
        return {"loss": loss, "bpp_estimated": bpp, "mse": distortion / 255**2, "ocr": ocr}

    return _Stage("finetune", train.finetune_steps, train.pretrain_steps, train.finetune_learning_rate, True, loss)


def _learning_rate(peak: float, step: int, steps: int) -> float:
    """Linear warm-up over the first twentieth, then a cosine from `peak` to a tenth of it."""
    warm_up = max(1, steps // 20)
    if step < warm_up:
        return peak * (step + 1) / warm_up
    return peak * (0.1 + 0.45 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up))))


def _run_stage(stage: _Stage, codec: ImageCodec, config: Config, run: Path, report: Report) -> None:
    """Train `codec` from the run's last state to the end of the stage.

    An averaged stage ends with the mean of the weights over its second half: with few lines a step the gradients of
    reading are noisy, and the mean forgets the noise (Izmailov et al., arXiv 1803.05407; figures in LOG.md).
    """
    codec.to("cuda" if torch.cuda.is_available() else "cpu").train()
    parameters = [p for p in codec.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(parameters, lr=stage.learning_rate)
    average = AveragedModel(codec)
    parts: _Parts = {"codec": codec, "optimiser": optimiser, "average": average}
    first = _load_state(parts, stage, config, run)
    sums: dict[str, float] = {}
    since, started = 0, time.monotonic()
    for step in range(first, stage.steps):
        for group in optimiser.param_groups:
            group["lr"] = _learning_rate(stage.learning_rate, step, stage.steps)
        optimiser.zero_grad(set_to_none=True)
        terms = stage.loss(codec, step)
        for name in reversed(terms):  # the loss itself last: name the term that broke it
            value = float(terms[name].detach())
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"{name} is {value} at step {step + 1} of {stage.steps} of {stage.name}; "
                    "try a lower learning rate, or look at the training images"
                )
            sums[name] = sums.get(name, 0.0) + value
        terms["loss"].backward()
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, config.train.clip_norm))
        if not math.isfinite(norm):
            raise FloatingPointError(
                f"the gradient's norm is {norm} at step {step + 1} of {stage.steps} of {stage.name}"
            )
        optimiser.step()
        if stage.averaged and step >= stage.steps // 2:
            average.update_parameters(codec)

        done, since = step + 1, since + 1
        if done % config.train.log_every == 0 or done == stage.steps:
            left = (time.monotonic() - started) / (done - first) * (stage.steps - done)
            means = {name: total / since for name, total in sums.items()}
            means.setdefault("ocr", math.nan)
            report(Progress(stage.name, done, stage.steps, stage.steps_before + done, **means, seconds_left=left))
            sums, since = {}, 0
        if done % config.train.checkpoint_every == 0 and done < stage.steps:
            _save_state(parts, done, stage, config, run)
    if stage.averaged:
        codec.load_state_dict(average.module.state_dict())


def _save_state(parts: _Parts, step: int, stage: _Stage, config: Config, run: Path) -> None:
    state: dict[str, Any] = {name: part.state_dict() for name, part in parts.items()}
    state |= {"step": step, "stage": stage.name, "config": json.dumps(asdict(config))}
    partial = run / f"{STATE_FILE}.partial"
    torch.save(state, partial)
    partial.replace(run / STATE_FILE)


def _load_state(parts: _Parts, stage: _Stage, config: Config, run: Path) -> int:
    """Take up the run's last state, if there is one; returns the steps already done."""
    path = run / STATE_FILE
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is damaged; remove it, and its training begins again from the start") from error
    check_same(checkpoint.parse_config(state["config"], path), config, path)
    assert state["stage"] == stage.name
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["step"])


def _device_of(codec: ImageCodec) -> torch.device:
    return next(codec.parameters()).device
