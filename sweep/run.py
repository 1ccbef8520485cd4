"""`python -m sweep.run`: sweep lambda and gamma, resume or grow a sweep, or show its plan.

    python -m sweep.run                          the demo on a machine without a GPU, `base` on one with
    python -m sweep.run --plan                   what would run, and what is already done
    python -m sweep.run --gammas 0.1 0.3 1.0     grows the sweep; what is finished is not run again
    python -m sweep.run --config sweep.toml      settings from a file (flags win over it)
    python -m sweep.run --report                 also writes report.html at the end and logs it to MLflow
    python -m sweep.run --gpu-hours 20 --target "accuracy>=0.95"      the cheapest codec that reads so well

Exit codes: 0 all done, 1 some trials failed (the others are done) or the store or Ray went away, 2 bad input,
130 stopped by Ctrl-C.
"""

import sys

from tfic.system import extras

if __name__ == "__main__":  # before the imports that need the extra
    sys.exit(extras.run("sweep.run", None, "sweep"))

import math
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.on_ray.resources import Placement
from sweep.options import Options, parse
from sweep.search.front import table
from sweep.search.plan import memory_line, plan
from sweep.search.search import Search, Turn
from sweep.search.state import Status
from sweep.spec.space import Sweep
from sweep.spec.target import Target
from sweep.spec.trials import LEARNED
from tfic.ocr.installed import check_installed
from tfic.system.cli import bad_input, piped, say
from tfic.system.store_uri import check_reachable, shown, sqlite_file

if TYPE_CHECKING:
    from sweep.store.lease import Lease
    from sweep.store.tracking import Tracker


@piped
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        return _main(arguments)
    except KeyboardInterrupt:
        say("\nStopped before any trial was started. The same command begins again.")
        return 130


def _main(arguments: Sequence[str] | None) -> int:
    try:
        options = parse(arguments, __doc__)
        sweep = options.sweep
        if not (options.plan or options.placement.address):  # those of a cluster are asked for by each trial there
            check_installed(name for trial in sweep.grid() for name in trial.config.needed_readers)
        tracker = _open(options.uri, sweep, options.plan)
        search = Search(sweep, tracker.records() if tracker is not None else [])
    except ConnectionError as error:  # the store went away while it was read
        bad_input(error)
        return 1
    except (ValueError, OSError) as error:
        return bad_input(error)
    say(f"Sweep {sweep.name!r}, recipe {sweep.recipe!r}{options.why}, tracked in {shown(options.uri)}")
    if options.plan:
        try:
            lines = _training_lines(search) if sweep.data.train_dir else []
        except (ValueError, OSError) as error:
            return bad_input(error)
        placement = options.placement
        gpus = placement.gpus_per_trial or placement.workers_per_trial or 1
        first = gpus if placement.pretrain_gpus is None else placement.pretrain_gpus or 1  # 0: one process on the CPU
        lines.append(memory_line(sweep, first, gpus))
        for line in [*plan(search), *lines]:
            say(line)
        return 0
    assert tracker is not None
    if not _all_finished(search):
        search, code = _run(search, tracker, options.placement)
        if code:
            return code
    return conclude(search, tracker, options)


def conclude(search: Search, tracker: "Tracker", options: Options) -> int:
    """Say what came of a sweep and where to look, and write the report that is asked for; return the exit code."""
    code = _say_results(search)
    _show_views(tracker, options)
    reported = report(tracker.sweep, options.uri, options.report) if options.report and search.results else 0
    return code or reported


def _show_views(tracker: "Tracker", options: Options) -> None:
    """Print the commands and addresses that show the sweep."""
    from sweep.store import view
    from sweep.store.retry import StoreAwayError

    uri = shown(options.uri)
    if not options.report:
        say(f"\nReport: python -m analysis.report --name {options.sweep.name} --tracking-uri {uri}")
    try:
        experiment = tracker.keep_view()
    except StoreAwayError as error:
        say(f"The columns of MLflow's page were not kept: {error}")
        return
    if uri.startswith("http"):
        say(f"MLflow: {view.link(uri, experiment)}")
    else:
        say(f"MLflow: mlflow ui --backend-store-uri {uri}, then {view.link('http://127.0.0.1:5000', experiment)}")


def report(name: str, uri: str, file: str) -> int:
    """Write the report of a sweep into a file and log it to the store, as a process of its own: 0, or 1 if it fails."""
    command = [sys.executable, "-m", "analysis.report", "--log", "--name", name, "--tracking-uri", uri, "--out", file]
    return 1 if subprocess.run(command).returncode else 0


def _open(uri: str, sweep: Sweep, plan: bool) -> "Tracker | None":
    """The sweep's runs in the store at an address; None for a plan, if the store is a database that does not exist."""
    from sweep.store.tracking import Tracker  # a second of import

    check_reachable(uri)
    file = sqlite_file(uri)
    if plan and file is not None and not file.exists():
        return None
    return Tracker(uri, sweep.name, sweep.limits.store_retry_s, say)


def _training_lines(search: Search) -> list[str]:
    """How many lines of the training images stage 2 can read, if it is still to run for any lambda.

    Raises:
        ValueError: when there is none.
    """
    configs = [trial.config for trial in search.trials(Status.WAITING) if trial.kind == "finetune"]
    configs += [search.sweep.finetune(search.sweep.space.lmbdas[0], 1.0).config] if search.proposals_left else []
    config = next((each for each in configs if each.train.reads), None)
    if config is None:
        return []
    from tfic.training import teachable  # seconds of import

    return [f"Stage 2: {teachable.of_settings(config).sentence()}."]


def _all_finished(search: Search) -> bool:
    """True if nothing is left to run, which is said then."""
    if search.trials(Status.WAITING) or search.proposals_left:
        return False
    say(f"All {search.total} trials are finished; nothing to run.")
    return True


def _run(search: Search, tracker: "Tracker", placement: Placement) -> tuple[Search, int]:
    """Run the trials that are left: the search at the end, and the exit code if the command ends here, else 0."""
    from sweep.on_ray.watch import RayLostError
    from sweep.store.lease import Lease
    from sweep.store.retry import StoreAwayError, in_a_sentence

    code = 0
    try:
        with in_a_sentence(tracker.uri), Lease(tracker) as lease:
            search = Search(search.sweep, tracker.records())  # an earlier driver may have finished more meanwhile
            if not _all_finished(search):
                _drive(search, tracker, placement, lease)
    except (StoreAwayError, RayLostError) as error:
        bad_input(error)
        code = 1
    except (ValueError, OSError) as error:
        code = bad_input(error)
    except KeyboardInterrupt:
        left, done = len(search.trials(Status.WAITING, Status.RUNNING)), len(search.trials(Status.FINISHED))
        say(f"\nStopped with {done} trials finished and {left} left. The same command goes on.")
        code = 130
    return search, code


def _drive(search: Search, tracker: "Tracker", placement: Placement, lease: "Lease") -> None:
    """Run the trials that are left, with the right to drive the sweep."""
    from sweep.store import settings

    sweep, done = search.sweep, len(search.trials(Status.FINISHED))
    total = f"{search.total} trials" if math.isfinite(search.proposals_left) else "Trials until the budget is spent"
    say(f"{total}{f', {done} finished before' if done else ''}. Ctrl-C stops; the same command goes on.")
    tracker.waiting(lambda: settings.keep(tracker, asdict(sweep)))
    from tfic import data  # here and below: seconds of import, only if there is something to run

    say("Looking at the images; synthetic ones are drawn on all cores the first time.")
    images = len(data.train_pages(sweep.data)), len(data.test_pages(sweep.data))
    say(f"{images[0]:,} images to train on, {images[1]:,} to test on.")
    for line in _training_lines(search):
        say(line)
    say("Starting Ray.")
    from sweep.on_ray import driver

    driver.run(search, tracker, Path("runs", sweep.name).absolute(), say, placement, lease.check)


def _say_results(search: Search) -> int:
    """Print the front, and the trials that did not finish; the exit code."""
    turn = search.ask()  # ends what stands on a lost trial
    assert turn is Turn.DONE
    say("\nNo other codec reads more at fewer bits than these:")
    for line in table(search):
        say(line)
    if search.target:
        say(_best(search, search.target))
    for key, reason in search.reasons(Status.STOPPED).items():
        say(f"stopped: {search.states[key].trial.title} ({key}): {reason}")
    if search.over_budget:
        waiting = len(search.trials(Status.WAITING))
        left = f"; {waiting} trials of the grid were not started" if waiting else ""
        say(f"The {search.limits.gpu_hours:g} GPU-hours are spent ({search.spent_hours:.3g}){left}.")
    lost = search.reasons(Status.FAILED) | search.reasons(Status.NOT_RUN)
    for key, reason in lost.items():
        print(f"failed: {search.states[key].trial.title} ({key}): {reason}", file=sys.stderr, flush=True)
    if lost:
        print(f"{len(lost)} of {search.total} trials failed; the same command tries them again.", file=sys.stderr)
    return 1 if lost else 0


def _best(search: Search, target: Target) -> str:
    """A sentence with the best trained codec that holds a target, or that there is none."""
    learned = {key: each for key, each in search.results.items() if search.states[key].trial.kind in LEARNED}
    best = target.best(learned)
    if best is None:
        return f"No codec that was trained holds {target}."
    metrics = search.results[best]
    return (
        f"Best codec that holds {target}: {search.states[best].trial.title} ({best}), "
        f"bpp {metrics['bpp']:.3f}, accuracy {metrics['accuracy']:.3f}"
    )
