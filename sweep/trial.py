"""One trial: make the codec, measure it, and leave everything in the tracking store. No Ray.

uncompressed, classical ----------------------------------> measure -> store
pretrain ------------------> fit (stage 1) ---------------> measure -> store
finetune -> parent's codec -> fit (stage 2) --------------> measure -> store
candidate -> parent's codec at an earlier step -----------> measure -> store
"""

import os
import shutil
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import torch

from sweep import stopping
from sweep.journal import JOURNAL_FILE, Journal
from sweep.limits import Limits
from sweep.provenance import provenance
from sweep.space import Trial
from sweep.tracking import CHECKPOINT, Tracker
from tfic import train, unfinished
from tfic.baselines import classical, uncompressed
from tfic.checkpoint import load
from tfic.config import CODEC_FILE, Config
from tfic.evaluate import measure

Report = Callable[[dict[str, Any]], None]
"""Takes what a trial is doing: `stage`, in training also `step`, `steps`, `bpp`, `loss` and `seconds_left`."""


class Fit(Protocol):
    """Trains a codec, as `tfic.train.fit` does."""

    def __call__(
        self,
        config: Config,
        run: Path,
        report: train.Report,
        start: Path | None = None,
        *,
        every: int = 0,
        saved: Callable[[Path], None] | None = None,
    ) -> Path: ...


@dataclass(frozen=True)
class Conditions:
    """How a trial runs: nothing here decides its result."""

    every: int = 0
    """Steps of stage 2 between codecs that are kept on the way; 0 for none."""
    gpus: float = 0.0
    """GPUs that it holds while it trains; without any, its hours count as those of one."""
    workers: int = 1
    """Processes that share each training step."""
    upload: bool = False
    """Keep the state of an unfinished training in the store too, so that another machine can go on with it."""
    limits: Limits = field(default_factory=Limits)
    """Stop rules and patience."""
    fit: Fit = train.fit
    """What trains."""


def run_trial(
    trial: Trial,
    tracker: Tracker,
    run_id: str,
    workdir: Path,
    report: Report,
    conditions: Conditions = Conditions(),
) -> dict[str, float]:
    """Run one trial to its end, from its last checkpoint if there is one, and return its final metrics.

    Args:
        trial: What to make and measure.
        tracker: The sweep's store.
        run_id: The trial's run there.
        workdir: Folder of this trial, absolute; a sibling named after the parent's key may hold the parent's codec.
        report: Told what is going on; what it raises stops the trial.
        conditions: How it runs.

    Raises:
        ValueError: when the parent's codec is nowhere to be found, or the data cannot be read.
        FloatingPointError: when a loss is not a number.
        StoppedByRuleError: when a rule gives the trial up.
        StoreAwayError: when the store is away for longer than the patience lasts.
    """
    began = time.monotonic()

    def make(files: Path) -> dict[str, float]:
        tracker.tag(run_id, provenance() | {"device": device()})
        match trial.kind:
            case "uncompressed":
                coder: Any = uncompressed()
            case "classical":
                coder = classical(trial.config.codec, trial.quality)
            case "candidate":
                coder = _keep(_kept_codec(trial, tracker, workdir), files)
            case _:
                coder = _keep(_train(trial, tracker, run_id, workdir, report, conditions), files)
                _keep_on_the_way(unfinished.kept(workdir), files, tracker, run_id)
        report({"stage": "measure"})
        metrics = measure(coder, trial.config, files)
        seconds = time.monotonic() - began
        cost = {"gpu_hours": seconds / 3600 * (conditions.gpus or 1)} if trial.steps else {}
        return metrics | cost | {"seconds": seconds}

    metrics = log_trial(tracker, run_id, workdir / "measured", make)
    tracker.drop_state(run_id)
    return metrics


def log_trial(tracker: Tracker, run_id: str, files: Path, make: Callable[[Path], dict[str, float]]) -> dict[str, float]:
    """Fill a trial's run to its end and return the final metrics: the one way in which a trial gets into the store.

    Args:
        tracker: The sweep's store.
        run_id: The trial's run there.
        files: Folder for the run's artifacts; what is in it is removed.
        make: Fills that folder and returns the final metrics; when it raises, the run says why.
    """
    with _EndOnRecord(tracker, run_id):
        shutil.rmtree(files, ignore_errors=True)  # of an attempt that was cut off
        files.mkdir(parents=True)
        metrics = make(files)
        tracker.finish(run_id, metrics, files)
    return metrics


def keep_codec(codec: Path, files: Path) -> None:
    """Copy a codec to where a run keeps it among its artifacts, `files`."""
    (files / CHECKPOINT).parent.mkdir()
    shutil.copyfile(codec, files / CHECKPOINT)


def device() -> str:
    """Name of the device that trains here."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"cpu, {os.cpu_count()} cores"


def reason(error: BaseException) -> str:
    """Why a trial failed, in one sentence that begins with the kind of error."""
    return f"{type(error).__name__}: {error}"


def _keep(codec: Path, files: Path) -> Any:
    keep_codec(codec, files)
    return load(codec)


def _keep_on_the_way(codecs: dict[int, Path], files: Path, tracker: Tracker, run_id: str) -> None:
    for codec in codecs.values():
        shutil.copyfile(codec, (files / CHECKPOINT).with_name(codec.name))
    if codecs:
        tracker.tag(run_id, {"kept": ",".join(map(str, codecs))})


def _train(trial: Trial, tracker: Tracker, run_id: str, workdir: Path, report: Report, conditions: Conditions) -> Path:
    """The trained codec's file; training metrics go to the store by global step."""
    config, limits, journal_file = trial.config, conditions.limits, workdir / JOURNAL_FILE
    _take_up(tracker, run_id, workdir)
    rivals = stopping.rivals(tracker, config.train.finetune_steps) if limits.stop_margin else []
    if conditions.workers > 1:
        batch = config.train.finetune_batch if config.gamma else config.train.batch
        tracker.tag(run_id, {"workers": f"{conditions.workers}, effective batch {batch}"})

    def log(progress: train.Progress) -> None:
        metrics = {
            "train_loss": progress.loss,
            "train_bpp": progress.bpp_estimated,
            "train_mse": progress.mse,
            "train_ocr": progress.ocr,
        }
        journal.add(progress.global_step, metrics)
        report(
            {
                "stage": progress.stage,
                "step": progress.step,
                "steps": progress.steps,
                "bpp": progress.bpp_estimated,
                "loss": progress.loss,
                "seconds_left": progress.seconds_left,
            }
        )
        stopping.check(limits, rivals, progress)

    uploaded: set[Path] = set()

    def saved(state: Path) -> None:
        new = set(unfinished.kept(workdir).values()) - uploaded
        tracker.keep_state(run_id, unfinished.step_of(state), [state, journal_file, *new])
        uploaded.update(new)

    with Journal(journal_file, tracker, run_id, limits.patience_s) as journal:
        return conditions.fit(
            config,
            workdir,
            log,
            _parent_codec(trial, tracker, workdir),
            every=conditions.every,
            saved=saved if conditions.upload else None,
        )


def _take_up(tracker: Tracker, run_id: str, workdir: Path) -> None:
    """Bring here what the store kept of this training, if that is further on than what is here."""
    if (workdir / CODEC_FILE).exists():
        return
    here = workdir / unfinished.STATE_FILE
    step = unfinished.step_of(here) if here.exists() else -1
    for file in tracker.state(run_id, step, workdir):
        file.replace(workdir / file.name)


def _parent_codec(trial: Trial, tracker: Tracker, workdir: Path) -> Path | None:
    """The codec to start from: on this machine if it was trained here, else from the store; None for none."""
    if not trial.parent:
        return None
    here = workdir.parent / trial.parent / CODEC_FILE
    return here if here.is_file() else tracker.checkpoint(trial.parent, workdir / "start")


def _kept_codec(trial: Trial, tracker: Tracker, workdir: Path) -> Path:
    """The codec that a fine-tuning kept at the candidate's step."""
    here = unfinished.kept(workdir.parent / trial.parent).get(trial.step)
    kept = unfinished.kept_file(trial.step)
    return here or tracker.checkpoint(trial.parent, workdir / "start", str(Path(CHECKPOINT).with_name(kept)))


class _EndOnRecord:
    """Writes down how a trial ended that did not finish, and lets the error pass."""

    def __init__(self, tracker: Tracker, run_id: str) -> None:
        self.tracker, self.run_id = tracker, run_id

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, stopping.StoppedByRuleError):
            self.tracker.stop(self.run_id, str(error))
        elif isinstance(error, Exception):
            self.tracker.fail(self.run_id, reason(error), "".join(traceback.format_exception(error)))
        elif error is not None:  # Ctrl-C and the like: no failure
            self.tracker.stop(self.run_id)
