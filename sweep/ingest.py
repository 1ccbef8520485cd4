"""`python -m sweep.ingest`: take run directories that were trained elsewhere into a sweep, once, as trials like others.

    python -m sweep.ingest runs --name slurm     run directories of `tfic train`, at runs and in all folders under it
    python -m sweep.ingest runs --classical      also the classical codecs on the same test images, to compare with

Each training that has ended becomes a finished trial under the key that `python -m sweep.run` gives to its settings, so
that a sweep of the same name finds it done and fine-tunes from its codec. Its measurement is read from RUN/measured,
where `python -m tfic evaluate RUN RUN/measured` puts it, or made there. Wall time, training curve and machine are not
recorded in a run directory, so the trial has none. Do not ingest into a sweep that is running.

Exit codes: 0 all done, 1 some directories failed (the others are done), 2 bad input, 130 stopped by Ctrl-C.
"""

import sys

from tfic.system import extras

if __name__ == "__main__":  # before the imports that need the extra
    sys.exit(extras.run("sweep.ingest", None, "sweep"))

import argparse
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.spec.space import Sweep
from sweep.spec.trials import Trial
from tfic.measuring.row import COMPARISON_FILE, PICTURES, ROWS_FILE
from tfic.system import cli
from tfic.system.cli import bad_input, piped, say
from tfic.system.store_uri import DEFAULT, resolve, shown

if TYPE_CHECKING:
    from sweep.run_directories import Finished
    from sweep.store.tracking import Tracker


@piped
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        return _main(arguments)
    except KeyboardInterrupt:
        say("\nStopped. The same command goes on.")
        return 130


def _main(arguments: Sequence[str] | None) -> int:
    args = _parser().parse_args(arguments)
    try:
        if not args.folder.is_dir():
            raise ValueError(f"{args.folder}: no such folder; give a run directory, or a folder of them")
        name = _name(args.name, args.folder)
        from sweep import run_directories  # here and below: seconds of import
        from sweep.store.retry import in_a_sentence
        from sweep.store.tracking import Tracker

        ended, unfinished = run_directories.find(args.folder)
        if not (ended or unfinished):
            raise ValueError(f"{args.folder}: no run directory there or in its folders; `tfic train` makes one")
        tracker = Tracker(resolve(args.tracking_uri), name)
        done = {record.key for record in tracker.records() if record.finished}
    except (ValueError, OSError) as error:
        return bad_input(error)
    say(f"Sweep {name!r}, tracked in {shown(tracker.uri)}")
    outcomes = Counter(unfinished=len(unfinished))
    for folder in unfinished:
        say(f"{folder}: not finished, left")
    classical: dict[str, Trial] = {}
    for folder in ended:
        try:
            run = run_directories.finished(folder, name, args.train_data, args.test_data)
            classical |= {each.key: each for each in (run.sweep.reference(), *run.sweep.anchors())}
            with in_a_sentence(tracker.uri):
                outcome = "in the store already" if run.trial.key in done else _ingest(run, tracker, args.measure)
            done |= {run.trial.key} if outcome == "ingested" else set()
        except (ValueError, OSError) as error:
            outcome = "failed"
            _failed(str(folder), error)
        outcomes[outcome] += 1
    if args.classical:
        for trial in classical.values():
            outcomes["in the store already" if trial.key in done else _measure(trial, tracker)] += 1
    return _conclude(outcomes, tracker)


def _name(given: str | None, folder: Path) -> str:
    """The name of the sweep: the given one, else that of the folder."""
    if given:
        return Sweep(name=given).name
    try:
        return Sweep(name=folder.resolve().name).name
    except ValueError as error:
        raise ValueError(f"{error}; give --name") from error


def _ingest(run: "Finished", tracker: "Tracker", measuring: bool) -> str:
    """Put a run directory into the store, measured first if necessary; return its outcome in words."""
    from sweep import run_directories
    from sweep.trial.run import keep_codec, log_trial
    from tfic.checkpoints.checkpoint import load
    from tfic.measuring.in_processes import measure
    from tfic.measuring.row import means

    trial, measured = run.trial, run.folder / run_directories.MEASURED_FOLDER
    rows, codec = run_directories.measurement(run), load(run.checkpoint)
    if not rows and not measuring:
        say(f"{run.folder}: not measured, left")
        return "not measured"

    if not rows:
        say(f"{run.folder}: measures {run.checkpoint.name} on the test images of its settings")
    run_id = tracker.start(trial)

    def make(files: Path) -> dict[str, float]:
        tracker.tag(run_id, {"ingested": str(run.checkpoint)})
        metrics = means(rows) if rows else measure(codec, trial.config, measured)
        keep_codec(run.checkpoint, files)
        for name in (ROWS_FILE, COMPARISON_FILE):
            if (measured / name).is_file():
                shutil.copyfile(measured / name, files / name)
        if (measured / PICTURES).is_dir():
            shutil.copytree(measured / PICTURES, files / PICTURES)
        return metrics

    with tempfile.TemporaryDirectory(prefix="tfic-ingest-") as scratch:
        metrics = log_trial(tracker, run_id, Path(scratch, "files"), make)
    say(f"{run.folder}: {trial.title} is {trial.key}, {_point(metrics)}")
    return "ingested"


def _measure(trial: Trial, tracker: "Tracker") -> str:
    """Run a trial that trains nothing, as the sweep does; return its outcome in words."""
    from sweep.trial.run import run_trial

    with tempfile.TemporaryDirectory(prefix="tfic-ingest-") as scratch:
        try:
            metrics = run_trial(trial, tracker, tracker.start(trial), Path(scratch), lambda event: None)
        except (ValueError, OSError) as error:
            _failed(trial.title, error)
            return "failed"
    say(f"{trial.title} is {trial.key}, {_point(metrics)}")
    return "measured"


def _point(metrics: dict[str, float]) -> str:
    return f"bpp {metrics['bpp']:.3f}, accuracy {metrics['accuracy']:.3f}"


def _failed(what: str, error: Exception) -> None:
    print(f"failed: {what}: {' '.join(str(error).split())}", file=sys.stderr, flush=True)


def _conclude(outcomes: Counter[str], tracker: "Tracker") -> int:
    """Print the outcomes and the next command; return the exit code."""
    told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items() if count)
    if outcomes["ingested"] or outcomes["measured"]:
        say(f"{told}\nReport: python -m analysis.report --name {tracker.sweep} --tracking-uri {shown(tracker.uri)}")
    else:
        say(told if outcomes["failed"] else f"nothing to ingest: {told}")
    return 1 if outcomes["failed"] else 0


def _parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser("python -m sweep.ingest", __doc__)
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="a run directory, or a folder with some at any depth")
    add("--name", metavar="SWEEP", help="name of the sweep in the tracking store; default that of the folder")
    add("--tracking-uri", metavar="URI", help=f"MLflow store; default $MLFLOW_TRACKING_URI, else {DEFAULT}")
    add("--train-data", default="", metavar="DIR", help="where the training images of the runs lie here, if a folder")
    add("--test-data", default="", metavar="DIR", help="where the test images of the runs lie here, if a folder")
    words = "measure what has no measurement yet; --no-measure leaves it"
    add("--measure", action=argparse.BooleanOptionalAction, default=True, help=words)
    add("--classical", action="store_true", help="also measure the classical codecs on the same test images")
    return parser
