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
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.plan import plan
from sweep.presets import absolute, from_tables, read_toml
from sweep.progress import table
from sweep.search import Search, Turn
from sweep.space import LEARNED, Sweep
from sweep.target import Target
from sweep.terminal import Parser, bad_input, say
from tfic.recipes import RECIPES, recipe

if TYPE_CHECKING:
    from sweep.tracking import Tracker

STORE = "sqlite:///mlflow.db"
"""Tracking store in the working folder."""
SPACE = ("lmbdas", "gammas", "floors", "trials", "every", "warm_start")
"""Flags that are settings of [space]."""
LIMITS = ("gpu_hours", "target", "bpp_low", "bpp_high", "stop_margin", "retries")
"""Flags that are settings of [limits]."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    args = _parser().parse_args(arguments)
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
    say(f"Sweep {sweep.name!r}, recipe {sweep.recipe!r}{why}, tracked in {uri}")
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


def settings(args: argparse.Namespace) -> tuple[Sweep, str]:
    """The sweep that is asked for, flags over sweep.toml over the recipe, and why this recipe if nobody named it.

    Raises:
        ValueError: for a bad value or an unknown key, with its place.
    """
    tables = read_toml(Path(args.config)) if args.config else {}
    name, why = args.recipe or tables.get("recipe"), ""
    if not name:
        found = gpus()
        name = "base" if found else "demo"
        why = f" ({found} GPU{'s' if found > 1 else ''} found)" if found else " (no GPU found)"
    if not isinstance(name, str):
        raise ValueError(f"{args.config}: recipe is {name!r}; it must be one of {', '.join(RECIPES)}")
    sweep = from_tables(tables, args.config or "", name)
    space = replace(sweep.space, **_given(args, SPACE))
    limits = replace(sweep.limits, **_given(args, LIMITS))
    if limits.target:
        Target.parse(limits.target)
    folders: dict[str, Any] = {"train_dir": args.train_data, "test_dir": args.test_data}
    data = absolute(replace(sweep.data, **{key: value for key, value in folders.items() if value is not None}))
    sweep = replace(sweep, name=args.name or sweep.name, codec=args.codec or sweep.codec)
    sweep = replace(sweep, space=space, limits=limits, data=data)
    if sweep.codec != recipe(name).codec:
        from tfic.codec import build  # seconds of import, for who names a codec

        build(sweep.codec)
    sweep.grid()  # reads the folders of images, if any, while it is cheap to be told
    return sweep, why


def _given(args: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """The settings of these names that flags were given for."""
    return {name: value for name in names if (value := getattr(args, name)) is not None}


def gpus() -> int:
    """GPUs that this process may use, counted without loading CUDA."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([each for each in visible.split(",") if each.strip() not in ("", "-1")])
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines()) if listed.returncode == 0 else 0


def _open(args: argparse.Namespace, sweep: Sweep) -> tuple[str, "Tracker | None"]:
    """The store's address and the sweep in it; None for a plan of a sweep whose database does not exist yet."""
    from sweep.addresses import absolute_uri, check_reachable, sqlite_file
    from sweep.tracking import Tracker

    uri = absolute_uri(args.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or STORE)
    check_reachable(uri)
    file = sqlite_file(uri)
    if args.plan and file is not None and not file.exists():
        return uri, None
    return uri, Tracker(uri, sweep.name, sweep.limits.patience_s, say)


def _run(args: argparse.Namespace, sweep: Sweep, search: Search, tracker: "Tracker") -> int:
    """Run what is left; the exit code if the caller has nothing more to say, else 0."""
    from sweep.lease import Lease
    from sweep.patience import StoreAwayError
    from sweep.tracking import SETTINGS
    from sweep.watch import RayLostError

    done = len(search.results)
    total = f"{search.total} trials" if math.isfinite(search.proposals_left) else "Trials until the budget is spent"
    say(f"{total}{f', {done} finished before' if done else ''}. Ctrl-C stops; the same command goes on.")
    try:
        with Lease(tracker) as lease:
            tracker.write_note(SETTINGS, asdict(sweep))
            from tfic import data  # here and below: seconds of import, for who has something to run

            say("Looking at the images; synthetic ones are drawn on all cores the first time.")
            images = len(data.train_pages(sweep.data)), len(data.test_pages(sweep.data))
            say(f"{images[0]:,} images to train on, {images[1]:,} to test on. Starting Ray.")
            from sweep import tune

            placement = tune.Placement(args.address, args.gpus_per_trial, args.workers_per_trial, args.concurrent)
            tune.run(search, tracker, Path("runs", sweep.name).absolute(), say, placement, lease.check)
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
    say(f"\nReport: python -m analysis.report --name {search.sweep.name} --tracking-uri {uri}")
    say(f"MLflow: mlflow ui --backend-store-uri {uri}")
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


def _weights(text: str) -> list[float]:
    """Numbers between commas."""
    try:
        return [float(each) for each in text.split(",") if each.strip()]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers, such as 0.001,0.003") from None


class _Collect(argparse.Action):
    """Joins `0.1,0.3` and `0.1 0.3` into one tuple."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        assert isinstance(values, list)
        setattr(namespace, self.dest, tuple(weight for group in values for weight in group))


def _parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = Parser(
        prog="python -m sweep.run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--recipe", metavar="NAME", help=f"settings by name: {', '.join(RECIPES)}; default demo, with a GPU base")
    add("--config", metavar="FILE", help="sweep.toml with recipe, name, codec, [space], [data], [train], [eval]")
    add("--name", help="name of the sweep in the tracking store and of its folder under runs/; default the recipe's")
    add("--tracking-uri", metavar="URI", help=f"MLflow store; default $MLFLOW_TRACKING_URI, else {STORE}")
    for name, about in (
        ("--lmbdas", "weights of distortion, each pre-trained once: 0.001,0.003 or 0.001 0.003"),
        ("--gammas", "weights of reading, each fine-tuned from every lambda"),
        ("--floors", "shares of lambda that stage 2 keeps, 0 (the slides') to 1, each with every gamma"),
    ):
        add(name, type=_weights, nargs="+", action=_Collect, metavar="X", help=about)
    add("--trials", type=int, metavar="K", help="fine-tunings that Optuna may propose beyond the grid")
    add(
        "--gpu-hours",
        type=float,
        metavar="H",
        help="start nothing that trains once so many are spent; proposes until then",
    )
    add(
        "--target", metavar="M>=X", help="propose towards the cheapest codec that holds it: accuracy>=0.95, psnr_db>=30"
    )
    add(
        "--every",
        type=int,
        metavar="K",
        help="keep and measure the codec every K steps of stage 2 as a point of its own",
    )
    add(
        "--warm-start",
        type=float,
        metavar="L",
        help="pre-train the other lambdas from the codec of this one; default no",
    )
    add("--bpp-low", type=float, metavar="B", help="stop a fine-tuning whose rate stays below")
    add("--bpp-high", type=float, metavar="B", help="stop a fine-tuning whose rate stays far above")
    words = "stop a fine-tuning that a finished one beats by this share on rate, reading and distortion alike"
    add("--stop-margin", type=float, metavar="S", help=words)
    add("--retries", type=int, metavar="N", help="how often a trial that died is tried again; default 2")
    add("--codec", help="codec to train, such as tic-tiny or tic-base")
    add("--train-data", metavar="DIR", help="train on a folder of images with metadata.jsonl")
    add("--test-data", metavar="DIR", help="test on a folder of images with metadata.jsonl")
    add("--gpus-per-trial", type=float, metavar="G", help="GPUs of a trial that trains, 0.25 to 8; default 1 if any")
    words = "processes that share each training step; the batch stays what it is; default one per GPU of the trial"
    add("--workers-per-trial", type=int, metavar="N", help=words)
    words = "trials side by side; default as many as fit; on a cluster that grows, as many as it may grow to"
    add("--concurrent", type=int, metavar="N", help=words)
    add("--address", default="", help="Ray cluster to run on (auto, or host:port); default this machine alone")
    add("--plan", action="store_true", help="show what would run and what is already done, and run nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
