"""Training of one codec, stage by stage (`tfic.training.stages`), killed and resumed as often as need be."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tfic.checkpoints import checkpoint, header, models
from tfic.codec import VARIABLE_RATE, build
from tfic.codec.hyperprior import MeanScaleHyperprior
from tfic.codec.image_codec import ImageCodec
from tfic.codec.klt import start_from_klt
from tfic.codec.variable_rate import VariableRate
from tfic.config import (
    CODEC_FILE,
    CONTROL,
    NO_MATTER,
    STAGE_2,
    TESTED_ON,
    Config,
    DataConfig,
    EvalConfig,
    TrainConfig,
    check_batch,
    half,
)
from tfic.data import train_pages
from tfic.differing import differences
from tfic.ocr.installed import check_installed
from tfic.pages.lines import Page
from tfic.system import devices, precision
from tfic.system.devices import ANY, Device
from tfic.training import distributed, plans, stages, starts, teachable, training_state
from tfic.training.crops import draw_crops
from tfic.training.intermediate import NOTHING, Keep, kept_file
from tfic.training.stages import Stage
from tfic.training.steps import Steps
from tfic.training.training_state import STATE_FILE

LINES_FILE = "train_lines.txt"
"""Name of the file in a run directory that says how many lines of the training set stage 2 can read."""
DEVICE_FILE = "device.txt"
"""Name of the file in a run directory that names the device which trained."""
KLT_IMAGES = 32
"""Training images from which a KLT start is computed."""


@dataclass(frozen=True)
class Progress:
    """The progress of a training."""

    stage: str
    """`pretrain`, `finetune` or `control`."""
    step: int
    """Steps done in this stage."""
    steps: int
    """Steps of this stage."""
    global_step: int
    """Steps done in all: stage 2 and controls count on from the end of stage 1, and that from its warm start's."""
    loss: float
    """The stage's loss, mean since the last report; so are the next three."""
    bpp_estimated: float
    """Estimated bits per pixel of the training crops."""
    mse: float
    """Mean squared error of pixels in [0, 1]."""
    ocr: float
    """Negative log-likelihood of the true text in nats per character, or the sum of the stage's terms; nan without."""
    seconds_left: float
    """Estimated seconds to the end of this stage."""


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class _Callbacks:
    """The caller's directory and callbacks."""

    run: Path
    report: Report
    keep_every: int
    on_checkpoint: Callable[[Path], None] | None
    owner: Path | None
    """Checkpoint of the codec whose decoder is kept; None where all learns."""
    start: str
    """Fingerprint of the checkpoint that the training started from; "" for none."""


def fit(
    config: Config,
    run: Path,
    report: Report,
    start: Path | None = None,
    *,
    keep: Keep = NOTHING,
    on_checkpoint: Callable[[Path], None] | None = None,
    device: Device = ANY,
) -> Path:
    """Train a codec in the directory `run` and return the path of its checkpoint.

    A training that was interrupted in `run` goes on from its last state, `run / STATE_FILE`, whoever put it there; a
    finished one returns at once. On one CPU worker the weights are the same, to the bit, whether or not it was
    interrupted.

    Where there is a process group (`distributed`) every rank calls this and trains on its part of each batch; the
    settings' batch is that of all. Rank 0 alone reads and writes files and calls `report` and `on_checkpoint`. Numbers
    of workers differ in quantisation noise only.

    Args:
        config: the settings; with gamma 0 stage 1 alone, else stage 2 from `start`; a control starts there too.
        run: directory of this training and no other.
        report: called every `log_every` steps and at the end; what it raises ends the training.
        start: checkpoint to start from: of stage 1 for stage 2 and controls; for stage 1 with warm_lmbda, of the
            pre-training with that lambda. When it is None, that is trained first, in `run/pretrain` or `run/warm`.
        keep: when to keep the codec on the way.
        on_checkpoint: called with the path of the state after each time that it was written.
        device: the device to train on.

    Raises:
        NoGpuError: when a GPU was given and PyTorch cannot use one.
        ReaderMissingError: when a reader that stage 2 is taught by is not installed.
        ValueError: when `run` or `start` belongs to another training, that in `run` had another start, a batch has
            fewer images than there are workers, or no line of the training set can be read where reading is a task.
        FloatingPointError: when a term of the loss is not finite; names step and term.
        distributed.WorkerFailedError: when another rank raised.
    """
    name = "finetune_batch" if config.from_stage_1 else "batch"
    check_batch(name, getattr(config.train, name), distributed.world())
    if config.train.whole_range and config.codec not in VARIABLE_RATE:
        raise ValueError(
            f"whole_range is true for codec {config.codec}, which has one rate; take {' or '.join(VARIABLE_RATE)}"
        )
    finished = run / CODEC_FILE
    if distributed.broadcast_from_rank0(lambda: _is_finished(finished, config, start)):
        return finished
    here = device.here()
    if config.train.threads:
        torch.set_num_threads(config.train.threads)
    if config.gamma and config.train.reads:
        with distributed.sync_errors():
            check_installed(config.train.teachers)  # before stage 1, not after it
            lines = teachable.of_settings(config).sentence()
            if distributed.rank() == 0:
                (run / LINES_FILE).write_text(lines + "\n", encoding="utf-8")
    if start is None and config.from_stage_1:
        first = replace(config, gamma=0.0, control=False)
        start = fit(first, run / "pretrain", report, on_checkpoint=on_checkpoint, device=device)
    elif start is None and config.warm_lmbda:
        first = replace(config, lmbda=config.warm_lmbda, warm_lmbda=0.0)
        start = fit(first, run / "warm", report, on_checkpoint=on_checkpoint, device=device)

    with distributed.sync_errors():
        pages = train_pages(config.data)
        stage = stages.of(config, pages)
        if distributed.rank() == 0:
            (run / DEVICE_FILE).write_text(devices.name(here) + "\n", encoding="utf-8")
    state = distributed.broadcast_from_rank0(lambda: _state(run / STATE_FILE, config, start))
    codec = _untrained(config, start, pages, fresh=not state)
    owner = start if config.gamma and config.train.learns == "encoder" else None
    if owner:
        codec.freeze_decoder()
    elif not (config.from_stage_1 or config.train.pretrain_steps):
        # nothing is trained: its files are the foundation's
        owner = distributed.broadcast_from_rank0(lambda: models.find(config.train.start))
    keep_every = keep.every if config.gamma else half(stage.steps) if keep.half and not config.control else 0
    parent = start if config.from_stage_1 or config.warm_lmbda else None
    begun = distributed.broadcast_from_rank0(lambda: starts.fingerprint(parent))
    callbacks = _Callbacks(run, report, keep_every, on_checkpoint, owner, begun)
    with precision.matrix_products(config.train.precision, here):
        _run_stage(stage, codec.to(here), state, config, callbacks)
    distributed.broadcast_from_rank0(lambda: _finish(codec, config, finished, owner, begun))
    return finished


def check_same(found: Config, wanted: Config, path: Path) -> None:
    """Raise ValueError unless both settings give the same codec, however measured; `path` is what was found."""

    def decisive(config: Config) -> dict[str, Any]:
        # stage 1 does not know how stage 2 will go on from it
        ignored = NO_MATTER if config.gamma else NO_MATTER | STAGE_2 - (CONTROL if config.control else frozenset())
        train = replace(config.train, **{name: getattr(TrainConfig(), name) for name in ignored})
        data = replace(config.data, **{name: getattr(DataConfig(), name) for name in TESTED_ON})
        return asdict(replace(config, train=train, data=data, eval=EvalConfig()))

    if changed := differences(decisive(found), decisive(wanted)):
        raise ValueError(
            f"{path} was trained with other settings ({', '.join(changed)}); give another run directory or remove this "
            "one"
        )


def _is_finished(finished: Path, config: Config, start: Path | None) -> bool:
    """Return True when the training is done; make its directory when it is not."""
    finished.parent.mkdir(parents=True, exist_ok=True)
    if finished.exists():
        found = header.read(finished)
        check_same(found.config, config, finished)
        starts.check(found.start, start, finished)
    return finished.exists()


def _finish(codec: ImageCodec, config: Config, finished: Path, owner: Path | None, start: str) -> None:
    checkpoint.save(training_state.ready(codec, owner), config, finished, start)
    (finished.parent / STATE_FILE).unlink(missing_ok=True)


def _state(path: Path, config: Config, start: Path | None) -> bytes:
    """A state file, which must be of this very training and start; b"" where there is none."""
    if not path.exists():
        return b""
    data, settings, begun = training_state.read(path)
    check_same(settings, config, path)
    starts.check(begun, start, path)
    return data


def _untrained(config: Config, start: Path | None, pages: Sequence[Page], *, fresh: bool) -> ImageCodec:
    """The codec before the first step, with the weights of its start, or drawn; if `fresh`, a KLT start may follow."""
    torch.manual_seed(config.train.seed)
    codec = build(config.codec)
    if config.from_stage_1 or config.warm_lmbda:
        assert start is not None
        codec.load_state_dict(distributed.broadcast_from_rank0(lambda: starts.parent(start, config)))
    elif config.train.start:
        codec.load_state_dict(distributed.broadcast_from_rank0(lambda: starts.foundation(config)))
    elif config.train.klt_start and isinstance(codec, MeanScaleHyperprior) and fresh:
        rng, noise = plans.generator(config, "pretrain", 0)
        torch.manual_seed(noise)
        sample = draw_crops(pages, rng, KLT_IMAGES, config.data.height_px, config.data.width_px, on_text=False)
        try:
            start_from_klt(codec.eval(), sample.on("cpu"), config.lmbda)
        except ValueError as error:
            raise ValueError(f"codec {config.codec}: {error}; set train.klt_start to false") from error
    if isinstance(codec, VariableRate):
        codec.settle(config.lmbda)
    return codec


def _run_stage(stage: Stage, codec: ImageCodec, state: bytes, config: Config, callbacks: _Callbacks) -> None:
    """Train `codec` from a state (or b"") to the end of the stage."""
    train = config.train
    steps = Steps(stage, codec, train.clip_norm, state, train.compiled)
    started = written = time.monotonic()
    for step in range(steps.first, stage.steps):
        steps.take(step)
        done = step + 1
        reporting = done % train.log_every == 0 or done == stage.steps
        if reporting:
            means = {"ocr": math.nan} | steps.means()
            left = (time.monotonic() - started) / (done - steps.first) * (stage.steps - done)
            progress = Progress(stage.name, done, stage.steps, stage.steps_before + done, **means, seconds_left=left)
            with distributed.sync_errors():
                if distributed.rank() == 0:
                    callbacks.report(progress)
        if done < stage.steps:
            writing = done % train.checkpoint_every == 0
            if train.checkpoint_minutes:
                due = partial(_passed, written, train.checkpoint_minutes)
                writing = reporting and distributed.broadcast_from_rank0(due)
            _leave(steps, done, stage, config, callbacks, writing=writing)
            written = time.monotonic() if writing else written
    if stage.averaged:
        codec.load_state_dict(steps.average.module.state_dict())


def _passed(since: float, minutes: float) -> bool:
    return time.monotonic() >= since + 60 * minutes


def _leave(steps: Steps, done: int, stage: Stage, config: Config, callbacks: _Callbacks, *, writing: bool) -> None:
    """Write what is due after so many steps: a codec to keep, and the state if `writing`."""
    keeping = bool(callbacks.keep_every) and done % callbacks.keep_every == 0
    if not (keeping or writing):
        return
    steps.check()
    with distributed.sync_errors():
        if distributed.rank() == 0:
            parts, pattern = steps.parts, steps.average.module
            if keeping:  # before the state, from which a resumed training goes on
                codec = pattern if steps.averaging(done - 1) else parts["codec"]
                assert isinstance(codec, ImageCodec)
                file = callbacks.run / kept_file(done)
                training_state.keep(codec, pattern, config, file, callbacks.owner, callbacks.start)
            if writing:
                state = training_state.write(parts, stage.name, done, config, callbacks.run, callbacks.start)
                if callbacks.on_checkpoint:
                    callbacks.on_checkpoint(state)
