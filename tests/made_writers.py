"""What a trial does with a tracking store, for processes that start in a second: without torch and without pytest."""

from pathlib import Path

from sweep.spec.trials import Trial
from sweep.store.tracking import CHECKPOINT, Tracker

STEPS = (2, 4, 6)
"""Steps whose metrics are written."""


def weights(trial: Trial) -> bytes:
    """A megabyte that is this trial's and no other's."""
    return trial.key.encode() * (1_000_000 // len(trial.key))


def fill(uri: str, sweep: str, trial: Trial, run_id: str, folder: Path) -> None:
    """Metrics of a training, a codec and the final metrics."""
    tracker = Tracker(uri, sweep)
    for step in STEPS:
        tracker.log_steps(run_id, [(step, {"train_loss": 1.0 / step})])
    file = folder / trial.key / CHECKPOINT
    file.parent.mkdir(parents=True)
    file.write_bytes(weights(trial))
    tracker.finish(run_id, {"bpp": 0.1, "accuracy": 0.7, "psnr_db": 15.0}, folder / trial.key)
