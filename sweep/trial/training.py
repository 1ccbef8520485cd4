"""The training in a trial: from its last state, here or in the store, metrics on their way, rules in force."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sweep.spec.limits import Limits
from sweep.spec.trials import Trial
from sweep.store.tracking import Tracker
from sweep.trial import stopping
from sweep.trial.journal import JOURNAL_FILE, Journal
from tfic import train, training_state
from tfic.config import CODEC_FILE, Config

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
        keep_every: int = 0,
        on_checkpoint: Callable[[Path], None] | None = None,
    ) -> Path: ...


@dataclass(frozen=True)
class Conditions:
    """How a trial runs: nothing here decides its result."""

    keep_every: int = 0
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


ALONE = Conditions()
"""One process, no rules, nothing kept on the way."""


def train_codec(
    trial: Trial, tracker: Tracker, run_id: str, workdir: Path, report: Report, conditions: Conditions
) -> Path:
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

    def on_checkpoint(state: Path) -> None:
        new = set(training_state.kept(workdir).values()) - uploaded
        tracker.keep_state(run_id, training_state.step_of(state), [state, journal_file, *new])
        uploaded.update(new)

    with Journal(journal_file, tracker, run_id, limits.patience_s) as journal:
        return conditions.fit(
            config,
            workdir,
            log,
            _parent_codec(trial, tracker, workdir),
            keep_every=conditions.keep_every,
            on_checkpoint=on_checkpoint if conditions.upload else None,
        )


def _take_up(tracker: Tracker, run_id: str, workdir: Path) -> None:
    """Bring here what the store kept of this training, if that is further on than what is here."""
    if (workdir / CODEC_FILE).exists():
        return
    here = workdir / training_state.STATE_FILE
    step = training_state.step_of(here) if here.exists() else -1
    for file in tracker.state(run_id, step, workdir):
        file.replace(workdir / file.name)


def _parent_codec(trial: Trial, tracker: Tracker, workdir: Path) -> Path | None:
    """The codec to start from: on this machine if it was trained here, else from the store; None for none."""
    if not trial.parent:
        return None
    here = workdir.parent / trial.parent / CODEC_FILE
    return here if here.is_file() else tracker.checkpoint(trial.parent, workdir / "start")
