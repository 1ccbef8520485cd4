"""What the engine costs at 1,000 finished trials: asking and telling, the tracking store, planning anew after a stop.

    python benchmarks/bookkeeping.py         three minutes

A sweep of 12 lambdas x 24 gammas and proposals beyond, nothing trained: metrics from a formula, a store in SQLite.
Times are of the CPU, so that a busy machine changes them little. Stated limits: ask, tell and bookkeeping at most 20 ms
a trial, planning a 1,000-trial sweep from the store at most 10 s.
"""

import math
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from timing import table

from sweep.search.plan import plan
from sweep.search.search import Search
from sweep.search.state import Status
from sweep.spec.axes import Qualities, Space
from sweep.spec.presets import preset
from sweep.spec.space import Sweep
from sweep.spec.trials import Trial
from sweep.store.tracking import Tracker

FINISHED = 1000
MEASURED = 100


def swept() -> Sweep:
    """The sweep of the slides' scale, with as many proposals as bring it past 1,000 trials."""
    lmbdas = tuple(float(f"{0.0005 * 1.4**i:.3g}") for i in range(12))
    gammas = tuple(float(f"{0.01 * 1.4**i:.3g}") for i in range(24))
    space = Space(lmbdas, gammas, trials=FINISHED, classical=Qualities((), (), ()))
    return replace(preset("tiny"), name="bookkeeping", space=space)


def metrics_of(trial: Trial, rng: np.random.Generator) -> dict[str, float]:
    """More bits for a larger lambda, better reading and lower PSNR for a larger gamma; noise as of few test images."""
    bpp = 0.05 + 20 * trial.config.lmbda + rng.normal(0, 0.003)
    accuracy = 1 - math.exp(-(2 + math.log1p(trial.config.gamma)) * 5 * bpp) + rng.normal(0, 0.01)
    psnr_db = 25 + 10 * bpp - math.log1p(trial.config.gamma)
    more = {f"measure_{i}": 1.0 for i in range(15)}  # a real trial has a dozen other measures
    return {"bpp": bpp, "accuracy": accuracy, "psnr_db": psnr_db, "seconds": 60.0} | more


@contextmanager
def timed(times_ms: list[float]) -> Iterator[None]:
    """Append the CPU time of a block in ms."""
    began = time.process_time()
    yield
    times_ms.append(1000 * (time.process_time() - began))


def asked(search: Search) -> Trial:
    """The next trial, which there is."""
    trial = search.ask()
    assert isinstance(trial, Trial)
    return trial


def row(name: str, times_ms: list[float], limit: str) -> list[str]:
    """A line of the table: median, 95th percentile and maximum."""
    late = float(np.quantile(times_ms, 0.95))
    return [name, f"{statistics.median(times_ms):.1f}", f"{late:.1f}", f"{max(times_ms):.1f}", limit]


def main() -> None:
    """Run a sweep without training and print what a trial of it costs the driver."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        uri = f"sqlite:///{folder}/mlflow.db"
        sweep, empty = swept(), Path(folder, "files")
        empty.mkdir()
        search, tracker = Search(sweep), Tracker(uri, sweep.name)
        asking: list[float] = []
        telling: list[float] = []
        starting: list[float] = []
        finishing: list[float] = []
        while len(search.trials(Status.FINISHED)) < FINISHED + MEASURED:
            with timed(asking):
                trial = asked(search)
            metrics = metrics_of(trial, rng)
            with timed(starting):
                run_id = tracker.start(trial, search.states[trial.key].proposed)
            with timed(finishing):
                tracker.finish(run_id, metrics, empty)
            with timed(telling):
                search.tell(trial.key, metrics)
        both = [a + t for a, t in zip(asking, telling, strict=True)]
        rows = [
            row(f"ask and tell, trials {FINISHED} to {FINISHED + MEASURED}", both[FINISHED:], "20"),
            row(f"ask and tell, all {len(both)}", both, "20"),
            row("store: start a run", starting[FINISHED:], ""),
            row("store: finish it, without files", finishing[FINISHED:], ""),
        ]
        replanning: list[float] = []
        for _ in range(5):
            with timed(replanning):
                plan(Search(sweep, Tracker(uri, sweep.name).records()))
        rows.append(row(f"plan anew from {len(both)} runs", replanning, "10,000"))
        print(table(["ms", "median", "95 %", "most", "limit"], rows))


if __name__ == "__main__":
    main()
