"""One trial: make the codec, measure it, and leave everything in the tracking store. No Ray.

uncompressed, classical ----------------------------------> measure -> store
pretrain ------------------> fit (stage 1) ---------------> measure -> store
finetune -> parent's codec -> fit (stage 2) --------------> measure -> store
"""

import os
import shutil
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from sweep.provenance import provenance
from sweep.space import Trial
from sweep.tracking import CHECKPOINT, Tracker
from tfic.baselines import classical, uncompressed
from tfic.checkpoint import load
from tfic.evaluate import measure
from tfic.train import Progress, fit

Report = Callable[[dict[str, Any]], None]
"""Takes what a trial is doing: `stage`, in training also `step`, `steps`, `bpp`, `loss` and `seconds_left`."""


def run_trial(trial: Trial, tracker: Tracker, run_id: str, workdir: Path, report: Report) -> dict[str, float]:
    """Run one trial to its end, from its last checkpoint if `workdir` holds one, and return its final metrics.

    Args:
        trial: What to make and measure.
        tracker: The sweep's store.
        run_id: The trial's run there.
        workdir: Folder of this trial, absolute; a sibling named after the parent's key may hold the parent's codec.
        report: Told what is going on; what it raises stops the trial.

    Raises:
        ValueError: when the parent's codec is nowhere to be found, or the data cannot be read.
        FloatingPointError: when a loss is not a number.
    """
    began = time.monotonic()

    def make(files: Path) -> dict[str, float]:
        tracker.tag(run_id, provenance() | {"device": device()})
        match trial.kind:
            case "uncompressed":
                coder: Any = uncompressed()
            case "classical":
                coder = classical(trial.config.codec, trial.quality)
            case _:
                codec = _train(trial, tracker, run_id, workdir, report)
                keep_codec(codec, files)
                coder = load(codec)
        report({"stage": "measure"})
        return measure(coder, trial.config, files) | {"seconds": time.monotonic() - began}

    return log_trial(tracker, run_id, workdir / "measured", make)


def log_trial(tracker: Tracker, run_id: str, files: Path, make: Callable[[Path], dict[str, float]]) -> dict[str, float]:
    """Fill a trial's run to its end and return the final metrics: the one way in which a trial gets into the store.

    Args:
        tracker: The sweep's store.
        run_id: The trial's run there.
        files: Folder for the run's artifacts; what is in it is removed.
        make: Fills that folder and returns the final metrics; when it raises, the run says why.
    """
    with _FailureOnRecord(tracker, run_id):
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


def _train(trial: Trial, tracker: Tracker, run_id: str, workdir: Path, report: Report) -> Path:
    """The trained codec's file; training metrics go to the store by global step."""

    def log(progress: Progress) -> None:
        metrics = {
            "train_loss": progress.loss,
            "train_bpp": progress.bpp_estimated,
            "train_mse": progress.mse,
            "train_ocr": progress.ocr,
        }
        tracker.log_step(run_id, progress.global_step, metrics)
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

    return fit(trial.config, workdir, log, _parent_codec(trial, tracker, workdir))


def _parent_codec(trial: Trial, tracker: Tracker, workdir: Path) -> Path | None:
    """The codec to start from: on this machine if it was trained here, else from the store; None for stage 1."""
    if not trial.parent:
        return None
    here = workdir.parent / trial.parent / "codec.safetensors"
    return here if here.is_file() else tracker.checkpoint(trial.parent, workdir / "start")


class _FailureOnRecord:
    """Writes down why a trial failed, and lets the failure pass."""

    def __init__(self, tracker: Tracker, run_id: str) -> None:
        self.tracker, self.run_id = tracker, run_id

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            details = "".join(traceback.format_exception(error))
            self.tracker.fail(self.run_id, f"{type(error).__name__}: {error}", details)
        elif error is not None:  # Ctrl-C and the like: no failure
            self.tracker.stop(self.run_id)
