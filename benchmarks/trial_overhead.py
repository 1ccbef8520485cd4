"""Seconds that a trial loses to starting and logging, against the same training and measuring without a sweep.

    python benchmarks/trial_overhead.py          two minutes

A sweep of one lambda and 8 gammas at recipe `tiny` on Ray, one trial at a time, against `fit` and `measure` of the same
settings in this process, one thread each. Lost is the time from one fine-tuning's end to the next one's end, less the
median of the bare ones; `outside` is the part of it that lies outside of what the trial itself calls its seconds.
Stated limit: 3 s on one worker.
"""

import statistics
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from mlflow.tracking import MlflowClient
from timing import table

from sweep.on_ray import driver
from sweep.on_ray.resources import Placement
from sweep.search.search import Search
from sweep.spec.axes import Qualities, Space
from sweep.spec.presets import preset
from sweep.spec.space import Sweep
from sweep.store.tracking import Tracker
from tfic.checkpoints.checkpoint import load
from tfic.measuring.in_processes import measure
from tfic.training.train import fit

GAMMAS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


def swept() -> Sweep:
    """Recipe `tiny`: one thread a trial, no codecs but the fine-tuned ones, no second reader."""
    sweep = preset("tiny")
    return replace(
        sweep,
        name="overhead",
        space=Space((0.003,), GAMMAS, classical=Qualities((), (), ())),
        eval=replace(sweep.eval, heldout=False),
    )


def bare_s(sweep: Sweep, folder: Path) -> list[float]:
    """Seconds of each fine-tuning and its measuring, one after the other in this process."""
    start = fit(sweep.pretrain(0.003).config, folder / "start", lambda progress: None)
    times: list[float] = []
    for gamma in GAMMAS:
        config, run = sweep.finetune(0.003, gamma).config, folder / f"{gamma:g}"
        began = time.monotonic()
        measure(load(fit(config, run, lambda progress: None, start)), config, run / "measured")
        times.append(time.monotonic() - began)
    return times[1:]  # the first pays for imports and data


def swept_s(sweep: Sweep, folder: Path) -> tuple[list[float], list[float]]:
    """Seconds from each fine-tuning's end to the next one's end, and what each of these trials calls its own."""
    tracker = Tracker(f"sqlite:///{folder}/mlflow.db", sweep.name)
    driver.run(Search(sweep), tracker, folder / "runs", lambda line: None, Placement(concurrent=1))
    client = MlflowClient(tracker.uri)
    experiment = client.get_experiment_by_name(sweep.name)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.kind = 'finetune'", order_by=["end_time ASC"])
    assert len(runs) == len(GAMMAS)
    ends = [run.info.end_time / 1000 for run in runs]
    periods = [after - before for before, after in pairwise(ends)]
    return periods, [run.data.metrics["seconds"] for run in runs[1:]]


def main() -> None:
    """Run both, twice in turn, and print what is lost."""
    sweep, rows = swept(), []
    for turn in ("1", "2"):
        with tempfile.TemporaryDirectory() as folder:
            periods, own = swept_s(sweep, Path(folder))
            bare = bare_s(sweep, Path(folder, "bare"))
        lost = [period - statistics.median(bare) for period in periods]
        outside = [period - seconds for period, seconds in zip(periods, own, strict=True)]
        figures = [statistics.median(each) for each in (bare, own, periods, lost, outside)]
        rows.append([turn, *(f"{each:.2f}" for each in figures), f"{max(lost):.2f}"])
    print(table(["turn", "bare s", "the trial's own s", "end to end s", "lost s", "outside s", "most lost s"], rows))


if __name__ == "__main__":
    main()
