"""The training of a trial: from its last state, here or in the store, with its metrics logged and its rules checked."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from sweep.spec.trials import Kind, Trial
from sweep.store.schema import Record
from sweep.store.tracking import CHECKPOINT, Tracker
from sweep.store.weights import trained
from sweep.trial import stopping
from sweep.trial.conditions import Conditions
from sweep.trial.hours import Hours
from sweep.trial.journal import JOURNAL_FILE, Journal
from sweep.trial.uploads import Uploads
from tfic.config import CODEC_FILE, Config
from tfic.system import devices
from tfic.training import train, training_state
from tfic.training.intermediate import NOTHING, Keep, kept, kept_file

Report = Callable[[dict[str, Any]], None]
"""Takes an event of a trial: `stage`, in training also `step`, `steps`, `bpp`, `loss` and `seconds_left`."""


class Fit(Protocol):
    """Trains a codec, as `tfic.training.train.fit` does."""

    def __call__(
        self,
        config: Config,
        run: Path,
        report: train.Report,
        start: Path | None = None,
        *,
        keep: Keep = NOTHING,
        on_checkpoint: Callable[[Path], None] | None = None,
    ) -> Path: ...


def train_codec(
    trial: Trial,
    tracker: Tracker,
    run_id: str,
    workdir: Path,
    report: Report,
    conditions: Conditions,
    fit: Fit,
    hours: Hours,
) -> Path:
    """Train a trial's codec and return its file; training metrics go to the store by global step."""
    config, limits, journal_file = trial.config, conditions.limits, workdir / JOURNAL_FILE
    _restore(tracker, run_id, workdir)
    rivals = stopping.rivals(tracker, trial) if limits.stop_margin and trial.kind is Kind.FINETUNE else []
    if conditions.workers > 1:
        batch = config.train.finetune_batch if config.from_stage_1 else config.train.batch
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

    def on_checkpoint(state: Path) -> None:
        new = set(kept(workdir).values()) - uploaded
        uploads.put(training_state.step_of(state), [state, journal_file, *new])
        uploaded.update(new)

    def keep(step: int, files: Sequence[Path]) -> None:
        tracker.keep_state(run_id, step, files)

    with (
        Journal(journal_file, tracker, run_id, limits.store_retry_s, hours.spent) as journal,
        Uploads(keep, workdir) as uploads,
    ):
        codec = fit(
            config,
            workdir,
            log,
            parent_codec(trial, tracker, workdir),
            keep=conditions.keep,
            on_checkpoint=on_checkpoint if conditions.upload else None,
        )
    devices.release_memory()  # measuring does without, and other trials may share the GPU
    for tag, name in (("train_lines", train.LINES_FILE), ("device", train.DEVICE_FILE)):
        file = workdir / name
        if file.is_file():
            tracker.tag(run_id, {tag: file.read_text(encoding="utf-8").strip()})
    return codec


def adopt(trial: Trial, tracker: Tracker, workdir: Path) -> Record | None:
    """Take a trial's weights from a finished run of the same training, if the store has one, and return that run.

    Its codec and intermediate checkpoints come into the working folder, as if they had been trained there.

    Raises:
        ValueError: when that run has lost one of them.
    """
    before = trained(tracker.records()).get(trial.weights)
    if before is None or before.key == trial.key:
        return None
    if (workdir / CODEC_FILE).exists():
        return before
    steps = before.intermediate_steps
    names = {CODEC_FILE: CHECKPOINT} | {kept_file(step): stored_name(step) for step in steps}
    found = {name: tracker.checkpoint(before.key, workdir / "start", stored) for name, stored in names.items()}
    for name in reversed(names):  # the codec last: where it is, all is
        found[name].replace(workdir / name)
    return before


def stored_name(step: int) -> str:
    """Name, among the artifacts of a run, of the intermediate checkpoint after `step` steps."""
    return str(Path(CHECKPOINT).with_name(kept_file(step)))


def _restore(tracker: Tracker, run_id: str, workdir: Path) -> None:
    """Download the state of this training from the store, if it is of a later step than the one here."""
    if (workdir / CODEC_FILE).exists():
        return
    here = workdir / training_state.STATE_FILE
    step = training_state.step_of(here) if here.exists() else -1
    for file in tracker.state(run_id, step, workdir):
        file.replace(workdir / file.name)


def parent_codec(trial: Trial, tracker: Tracker, workdir: Path) -> Path | None:
    """The codec to start from: on this machine if it was trained here, else from the store; None for none."""
    if not trial.parent:
        return None
    here = workdir.parent / trial.parent / CODEC_FILE
    return here if here.is_file() else tracker.checkpoint(trial.parent, workdir / "start")
