"""One trial: make the codec, measure it, and leave everything in the tracking store. No Ray.

uncompressed, classical -> another sweep's result, else --> measure -> store
pretrain ------------------> fit (stage 1) ---------------> measure -> store
finetune -> parent's codec -> fit (stage 2) --------------> measure -> store
control -> parent's codec -> fit (stage 1 goes on) -------> measure -> store
intermediate, halfway -> parent's codec at an earlier step > measure -> store
quality -> parent's codec at another lambda --------------> measure -> store

Where the store has the weights of a training already, measured in another way or on other images, nothing is trained.
A training that holds GPUs ends with its codec in the store (`train_trial`); then it is measured by CPUs alone.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from sweep.spec.trials import Kind, Trial
from sweep.store.schema import INTERMEDIATE_STEPS
from sweep.store.tracking import CHECKPOINT, Tracker
from sweep.trial.conditions import ALONE, Conditions
from sweep.trial.end import end_told
from sweep.trial.hours import Hours
from sweep.trial.provenance import provenance
from sweep.trial.training import Fit, Report, adopt, parent_codec, stored_name, train_codec
from tfic.checkpoints.checkpoint import load, settle
from tfic.config import CODEC_FILE
from tfic.measuring.classical import classical, uncompressed
from tfic.measuring.evaluate import Coder
from tfic.measuring.in_processes import measure
from tfic.ocr.installed import check_installed
from tfic.system import devices
from tfic.training import train
from tfic.training.intermediate import kept

COSTS = ("gpu_hours", "seconds")
"""Metrics of a training's cost; weights that are taken over have cost what they did."""
SHARED = (Kind.UNCOMPRESSED, Kind.CLASSICAL)
"""Kinds of trials of which the sweeps of a store share one measurement: they depend on no lambda and no gamma."""


def run_trial(
    trial: Trial,
    tracker: Tracker,
    run_id: str,
    workdir: Path,
    report: Report,
    conditions: Conditions = ALONE,
    fit: Fit = train.fit,
) -> dict[str, float]:
    """Run one trial to its end, from its last checkpoint if there is one, and return its final metrics.

    Args:
        trial: The codec to make and measure.
        tracker: The sweep's store.
        run_id: The trial's run there.
        workdir: Folder of this trial, absolute; a sibling named after the parent's key may hold the parent's codec.
        report: Takes the events of the trial; an exception that it raises stops the trial.
        conditions: How it runs.
        fit: Trains a codec, as `tfic.training.train.fit` does.

    Raises:
        ValueError: when the parent's codec is nowhere to be found, or the data cannot be read.
        FloatingPointError: when a loss is not a number.
        StoppedByRuleError: when a rule gives the trial up.
        StoreAwayError: when the store is away for longer than `Limits.store_retry_s`.
    """
    began, hours = time.monotonic(), Hours(trial, tracker, run_id, conditions.gpus)
    cost: dict[str, float] = {}

    def make(files: Path) -> dict[str, float]:
        check_installed(trial.config.needed_readers)  # an error before the training, not after it
        # of one that trains, `train_codec` adds the device that did
        tracker.tag(run_id, provenance() | ({} if trial.steps else {"device": devices.name(torch.device("cpu"))}))
        if trial.kind in SHARED and (shared := tracker.measured_elsewhere(trial.key, files)):
            tracker.tag(run_id, shared.tags)
            return shared.metrics | {"seconds": time.monotonic() - began}
        match trial.kind:
            case Kind.UNCOMPRESSED:
                coder: Coder = uncompressed()
            case Kind.CLASSICAL:
                coder = classical(trial.config.codec, trial.quality)
            case Kind.INTERMEDIATE | Kind.HALFWAY:
                coder = _keep(_intermediate_codec(trial, tracker, workdir), files)
            case Kind.QUALITY:
                coder = _keep(_at_lmbda(trial, tracker, workdir), files)
            case Kind.PRETRAIN | Kind.FINETUNE | Kind.CONTROL:
                before = tracker.trained(run_id)
                if before is None:
                    codec, spent = _train(trial, tracker, run_id, workdir, report, conditions, fit, hours, files)
                    coder = load(codec)
                    cost.update(spent)
                else:
                    cost.update(before)
                    here = workdir / CODEC_FILE
                    coder = load(here if here.is_file() else tracker.own_codec(run_id, workdir / "start"))
        report({"stage": "measure"})
        metrics = measure(coder, trial.config, files, conditions.measurers)
        seconds = time.monotonic() - began
        if trial.steps and not cost:
            cost["gpu_hours"] = hours.spent()
        return metrics | cost | {"seconds": seconds + cost.get("seconds", 0.0)}

    metrics = log_trial(tracker, run_id, workdir / "measured", make, hours.spent)
    tracker.drop_state(run_id)
    return metrics


def train_trial(
    trial: Trial,
    tracker: Tracker,
    run_id: str,
    workdir: Path,
    report: Report,
    conditions: Conditions = ALONE,
    fit: Fit = train.fit,
) -> dict[str, float]:
    """Train a trial's codec and put it into the trial's run; `run_trial` then measures it, here or elsewhere.

    Returns what the training has cost: `gpu_hours` of all its attempts, and `seconds`.

    Arguments and errors are those of `run_trial`.
    """
    began, files = time.monotonic(), workdir / "trained"
    hours = Hours(trial, tracker, run_id, conditions.gpus)
    with _emptied(tracker, run_id, files, hours.spent):
        check_installed(trial.config.needed_readers)
        tracker.tag(run_id, provenance())
        _, spent = _train(trial, tracker, run_id, workdir, report, conditions, fit, hours, files)
        cost = {"gpu_hours": hours.spent(), "seconds": time.monotonic() - began} | spent
        tracker.keep_trained(run_id, files, cost)
    return cost


@contextmanager
def _emptied(tracker: Tracker, run_id: str, files: Path, spent: Callable[[], float]) -> Iterator[None]:
    """Empty a folder for a run's artifacts; an error in the block ends the run with its reason and GPU-hours."""
    with end_told(lambda end: end.record(tracker, run_id, spent())):
        shutil.rmtree(files, ignore_errors=True)  # of an attempt that was cut off
        files.mkdir(parents=True)
        yield


def log_trial(
    tracker: Tracker,
    run_id: str,
    files: Path,
    make: Callable[[Path], dict[str, float]],
    spent: Callable[[], float] = lambda: 0.0,
) -> dict[str, float]:
    """Fill a trial's run, end it and return the final metrics. Every trial enters the store through this function.

    Args:
        tracker: The sweep's store.
        run_id: The trial's run there.
        files: Folder for the run's artifacts; what is in it is removed.
        make: Fills that folder and returns the final metrics; if it raises, the run is ended with the reason.
        spent: Returns the GPU-hours of the trial's attempts so far.
    """
    with _emptied(tracker, run_id, files, spent):
        metrics = make(files)
        tracker.finish(run_id, metrics, files)
    return metrics


def keep_codec(codec: Path, files: Path) -> None:
    """Copy a codec to its place among the artifacts of a run, `files`."""
    (files / CHECKPOINT).parent.mkdir()
    shutil.copyfile(codec, files / CHECKPOINT)


def _train(
    trial: Trial,
    tracker: Tracker,
    run_id: str,
    workdir: Path,
    report: Report,
    conditions: Conditions,
    fit: Fit,
    hours: Hours,
    files: Path,
) -> tuple[Path, dict[str, float]]:
    """Train a trial's codec; copy it and its intermediate checkpoints to their places among the run's artifacts.

    Where the store has its weights, nothing is trained. Returns the codec, and what taken-over weights have cost.
    """
    before, spent = adopt(trial, tracker, workdir), {}
    if before is None:
        codec = train_codec(trial, tracker, run_id, workdir, report, conditions, fit, hours)
    else:
        codec = workdir / CODEC_FILE
        tracker.tag(run_id, {"weights_of": before.key, "device": devices.name(torch.device("cpu"))})
        spent = {name: before.metrics[name] for name in COSTS if name in before.metrics}
    keep_codec(codec, files)
    _keep_intermediates(kept(workdir), files, tracker, run_id)
    return codec, spent


def _keep(codec: Path, files: Path) -> Coder:
    keep_codec(codec, files)
    return load(codec)


def _keep_intermediates(codecs: dict[int, Path], files: Path, tracker: Tracker, run_id: str) -> None:
    for step, codec in codecs.items():
        shutil.copyfile(codec, files / stored_name(step))
    if codecs:
        tracker.tag(run_id, {INTERMEDIATE_STEPS: ",".join(map(str, codecs))})


def _at_lmbda(trial: Trial, tracker: Tracker, workdir: Path) -> Path:
    """The codec of the trial's parent at the trial's lambda."""
    parent = parent_codec(trial, tracker, workdir)
    assert parent
    workdir.mkdir(parents=True, exist_ok=True)
    settle(parent, trial.config, workdir / CODEC_FILE)
    return workdir / CODEC_FILE


def _intermediate_codec(trial: Trial, tracker: Tracker, workdir: Path) -> Path:
    """The parent's codec at the trial's step: on this machine if it was trained here, else from the store."""
    here = kept(workdir.parent / trial.parent).get(trial.step)
    return here or tracker.checkpoint(trial.parent, workdir / "start", stored_name(trial.step))
