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
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from sweep.spec.trials import Trial
from sweep.store.tracking import CHECKPOINT, Tracker
from sweep.trial import stopping
from sweep.trial.provenance import provenance
from sweep.trial.training import ALONE, Conditions, Report, train_codec
from tfic import training_state
from tfic.checkpoint import load
from tfic.classical import classical, uncompressed
from tfic.evaluate import measure


def run_trial(
    trial: Trial,
    tracker: Tracker,
    run_id: str,
    workdir: Path,
    report: Report,
    conditions: Conditions = ALONE,
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
                coder = _keep(train_codec(trial, tracker, run_id, workdir, report, conditions), files)
                _keep_on_the_way(training_state.kept(workdir), files, tracker, run_id)
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


def _kept_codec(trial: Trial, tracker: Tracker, workdir: Path) -> Path:
    """The codec that a fine-tuning kept at the candidate's step."""
    here = training_state.kept(workdir.parent / trial.parent).get(trial.step)
    kept = training_state.kept_file(trial.step)
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
