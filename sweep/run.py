"""`python -m sweep.run`: sweep lambda and gamma, go on with a sweep, or show what it would do.

    python -m sweep.run                          the demo on a machine without a GPU, `base` on one with
    python -m sweep.run --plan                   what would run, and what is already done
    python -m sweep.run --gammas 0.1 0.3 1.0     grows the sweep; what is finished is not run again
    python -m sweep.run --config sweep.toml      settings from a file (flags win over it)
    python -m sweep.run --gpu-hours 20 --target "accuracy>=0.95"      the cheapest codec that reads so well

Exit codes: 0 all done, 1 some trials failed (the others are done) or the store or Ray went away, 2 bad input,
130 stopped by Ctrl-C.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli import bad_input, say
from sweep.on_ray.resources import Placement
from sweep.options import parser, settings
from sweep.search.plan import plan
from sweep.search.progress import table
from sweep.search.search import Search, Turn
from sweep.spec.space import Sweep
from sweep.spec.target import Target
from sweep.spec.trials import LEARNED
from tfic.store_uri import check_reachable, resolve, shown, sqlite_file

if TYPE_CHECKING:
    from sweep.store.tracking import Tracker


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    args = parser(__doc__).parse_args(arguments)
    try:
        return _main(args)
    except KeyboardInterrupt:
        say("\nStopped before anything was run. The same command begins again.")
        return 130


def _main(args: argparse.Namespace) -> int:
    try:
        sweep, why = settings(args)
        uri, tracker = _open(args, sweep)
        search = Search(sweep, tracker.records() if tracker is not None else [])
    except (ValueError, OSError) as error:
        return bad_input(error)
    say(f"Sweep {sweep.name!r}, recipe {sweep.recipe!r}{why}, tracked in {shown(uri)}")
    if args.plan:
        for line in plan(search):
            say(line)
        return 0
    if search.waiting or search.proposals_left:
        assert tracker is not None
        code = _run(args, sweep, search, tracker)
        if code:
            return code
    else:
        say(f"All {search.total} trials are finished; nothing to run.")
    return _conclude(search, uri)


def _open(args: argparse.Namespace, sweep: Sweep) -> tuple[str, "Tracker | None"]:
    """The store's address and the sweep in it; None for a plan of a sweep whose database does not exist yet."""
    from sweep.store.tracking import Tracker

    uri = resolve(args.tracking_uri)
    check_reachable(uri)
    file = sqlite_file(uri)
    if args.plan and file is not None and not file.exists():
        return uri, None
    return uri, Tracker(uri, sweep.name, sweep.limits.patience_s, say)


def _run(args: argparse.Namespace, sweep: Sweep, search: Search, tracker: "Tracker") -> int:
    """Run what is left; the exit code if the caller has nothing more to say, else 0."""
    from sweep.on_ray.watch import RayLostError
    from sweep.store.lease import Lease
    from sweep.store.retry import StoreAwayError
    from sweep.store.tracking import SETTINGS

    done = len(search.results)
    total = f"{search.total} trials" if math.isfinite(search.proposals_left) else "Trials until the budget is spent"
    say(f"{total}{f', {done} finished before' if done else ''}. Ctrl-C stops; the same command goes on.")
    try:
        placement = Placement(args.address, args.gpus_per_trial, args.workers_per_trial, args.concurrent)
        with Lease(tracker) as lease:
            tracker.write_note(SETTINGS, asdict(sweep))
            from tfic import data  # here and below: seconds of import, for who has something to run

            say("Looking at the images; synthetic ones are drawn on all cores the first time.")
            images = len(data.train_pages(sweep.data)), len(data.test_pages(sweep.data))
            say(f"{images[0]:,} images to train on, {images[1]:,} to test on. Starting Ray.")
            from sweep.on_ray import driver

            driver.run(search, tracker, Path("runs", sweep.name).absolute(), say, placement, lease.check)
    except (StoreAwayError, RayLostError) as error:
        bad_input(error)
        return 1
    except (ValueError, OSError) as error:
        return bad_input(error)
    except KeyboardInterrupt:
        left = len(search.waiting) + len(search.running)
        say(f"\nStopped with {len(search.results)} trials finished and {left} left. The same command goes on.")
        return 130
    return 0


def _conclude(search: Search, uri: str) -> int:
    """Print the front, what did not run and what to look at next; the exit code."""
    assert search.ask() is Turn.DONE
    say("\nNo other codec reads more at fewer bits than these:")
    for line in table(search):
        say(line)
    if search.target:
        say(_winner(search, search.target))
    for key, reason in search.stopped.items():
        say(f"stopped: {search.trials[key].title} ({key}): {reason}")
    if search.over_budget:
        left = f"; {len(search.waiting)} trials of the grid were not started" if search.waiting else ""
        say(f"The {search.limits.gpu_hours:g} GPU-hours are spent ({search.spent_hours:.3g}){left}.")
    lost = search.failed | search.not_run
    for key, reason in lost.items():
        print(f"failed: {search.trials[key].title} ({key}): {reason}", file=sys.stderr, flush=True)
    if lost:
        print(f"{len(lost)} of {search.total} trials failed; the same command tries them again.", file=sys.stderr)
    say(f"\nReport: python -m analysis.report --name {search.sweep.name} --tracking-uri {shown(uri)}")
    say(f"MLflow: mlflow ui --backend-store-uri {shown(uri)}")
    return 1 if lost else 0


def _winner(search: Search, target: Target) -> str:
    """The codec that a target was set for, or that there is none."""
    learned = {key: metrics for key, metrics in search.results.items() if search.trials[key].kind in LEARNED}
    best = target.best(learned)
    if best is None:
        return f"No codec that was trained holds {target}."
    metrics = search.results[best]
    return (
        f"Best codec that holds {target}: {search.trials[best].title} ({best}), "
        f"bpp {metrics['bpp']:.3f}, accuracy {metrics['accuracy']:.3f}"
    )


if __name__ == "__main__":
    sys.exit(main())
