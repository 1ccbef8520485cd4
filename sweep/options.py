"""The options of `python -m sweep.run`: flags over sweep.toml over the recipe."""

import argparse
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sweep.on_ray.resources import Placement
from sweep.spec.axes import Qualities
from sweep.spec.presets import absolute, from_tables, read_toml
from sweep.spec.space import Sweep
from tfic.config import EvalConfig
from tfic.measuring.classical import SETTINGS, installed
from tfic.reader_names import trained_against
from tfic.recipes import RECIPES, recipe
from tfic.strict import unknown_name
from tfic.system import cli
from tfic.system.store_uri import DEFAULT, resolve
from tfic.task_names import trained_for

SPACE = (
    "lmbdas",
    "gammas",
    "lmbda_shares",
    "trials",
    "keep_every",
    "warm_start",
    "seeds",
    "controls",
    "readers",
    "tasks",
)
"""Flags that are settings of [space]."""
RIVALS = tuple(name for name in SETTINGS if name not in ("jpeg", "webp", "avif"))
"""Classical codecs that a sweep compares with when it is asked to."""
LIMITS = ("gpu_hours", "target", "bpp_low", "bpp_high", "stop_margin", "retries")
"""Flags that are settings of [limits]."""


@dataclass(frozen=True)
class Options:
    """The sweep to run, and how."""

    sweep: Sweep
    """The sweep."""
    why: str
    """The reason for this recipe, in brackets; "" if the user named it."""
    uri: str
    """Address of the tracking store, absolute."""
    placement: Placement
    """The machine or cluster, and the resources of a trial."""
    plan: bool
    """Show the plan and run nothing."""
    report: str
    """File of the report that is written and logged at the end; "" for none."""


def parse(arguments: Sequence[str] | None, description: str | None) -> Options:
    """The options of a command line (None: of this process).

    Raises:
        ValueError: for a bad value or an unknown key, with its place.
        SystemExit: for --help, and with code 2 for arguments that the command line does not have.
    """
    args = _parser(description).parse_args(arguments)
    sweep, why = _sweep(args)
    uri = resolve(args.tracking_uri)
    placement = Placement(
        args.address, args.gpus_per_trial, args.workers_per_trial, args.concurrent, args.pretrain_gpus
    )
    return Options(sweep, why, uri, placement, args.plan, args.report or "")


def _sweep(args: argparse.Namespace) -> tuple[Sweep, str]:
    """The sweep that is asked for, and why this recipe if the user did not name it."""
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
    if args.rivals is not None:
        space = replace(space, classical=_with_rivals(space.classical, args.rivals))
    limits = replace(sweep.limits, **_given(args, LIMITS))
    folders: dict[str, Any] = {"train_dir": args.train_data, "test_dir": args.test_data}
    data = absolute(replace(sweep.data, **{key: value for key, value in folders.items() if value is not None}))
    train = sweep.train if args.start is None else replace(sweep.train, start=args.start)
    sweep = replace(sweep, name=args.name or sweep.name, codec=args.codec or sweep.codec, train=train)
    sweep = replace(sweep, space=space, limits=limits, data=data, eval=_read_by(sweep.eval, args.heldout))
    if sweep.codec != recipe(name).codec:
        from tfic.codec import build  # seconds of import, for who names a codec

        build(sweep.codec)
    sweep.check_start()
    _ = sweep.target  # one that cannot be is told while it is cheap
    sweep.grid()  # reads the folders of images, if any, while it is cheap to be told
    return sweep, why


def _with_rivals(qualities: Qualities, names: Sequence[str]) -> Qualities:
    """The qualities, with those of further classical codecs: the named ones, or all that are installed."""
    missing = [name for name in names or RIVALS if name in SETTINGS and not installed(name)]
    if missing:
        sentence = f"{', '.join(missing)} not installed; pip install 'tfic-sweep[rivals]'"
        if names:
            raise ValueError(f"--rivals: {sentence}, or leave them out")
        cli.say(f"Not compared with: {sentence}")
    for name in names:
        if name not in RIVALS:
            raise unknown_name(name, list(RIVALS), "rival")
    added = {name: SETTINGS[name].qualities for name in names or RIVALS if name not in missing}
    return replace(qualities, **{name: getattr(qualities, name) or its for name, its in added.items()})


def _read_by(settings: EvalConfig, names: str | None) -> EvalConfig:
    """The measurement with these held-out readers; None leaves those that it has."""
    if names is None:
        return settings
    asked = [name.strip() for name in names.split(",") if name.strip()]
    others = "+".join(name for name in asked if name != "tesseract")
    return replace(settings, heldout="tesseract" in asked, readers=others)


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


def _weights(text: str) -> list[float]:
    """The numbers of a list such as 0.001,0.003."""
    try:
        return [float(each) for each in text.split(",") if each.strip()]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers, such as 0.001,0.003") from None


class _Collect(argparse.Action):
    """Makes one tuple of `0.1,0.3` or `0.1 0.3`."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        assert isinstance(values, list)
        setattr(namespace, self.dest, tuple(weight for group in values for weight in group))


def _parser(description: str | None) -> argparse.ArgumentParser:
    options = cli.parser("python -m sweep.run", description)
    add = options.add_argument
    add("--recipe", metavar="NAME", help=f"settings by name: {', '.join(RECIPES)}; default demo, with a GPU base")
    tables = "[space], [data], [train], [eval], [limits]"
    add("--config", metavar="FILE", help=f"sweep.toml with recipe, name, codec, {tables}")
    add("--name", help="name of the sweep in the tracking store and of its folder under runs/; default the recipe's")
    add("--tracking-uri", metavar="URI", help=f"MLflow store; default $MLFLOW_TRACKING_URI, else {DEFAULT}")
    for name, about in (
        ("--lmbdas", "weights of distortion, each with its stage 1 (in the demo all share one): 0.001 0.003"),
        ("--gammas", "weights of reading, each with a stage 2 for each lambda (in the demo all share one)"),
        ("--lmbda-shares", "shares of lambda that stage 2 keeps, 0 (the slides') to 1, each with every gamma"),
    ):
        add(name, type=_weights, nargs="+", action=_Collect, metavar="X", help=about)
    # first names of --lmbda-shares and --keep-every
    add("--floors", type=_weights, nargs="+", action=_Collect, dest="lmbda_shares", help=argparse.SUPPRESS)
    add("--every", type=int, dest="keep_every", help=argparse.SUPPRESS)
    add("--trials", type=int, metavar="K", help="fine-tunings that Optuna may propose beyond the grid")
    add(
        "--gpu-hours",
        type=float,
        metavar="H",
        help="start no more training once so many are spent; Optuna proposes until then",
    )
    add(
        "--target", metavar="M>=X", help="propose towards the cheapest codec that holds it: accuracy>=0.95, psnr_db>=30"
    )
    add(
        "--keep-every",
        type=int,
        metavar="K",
        help="write an intermediate checkpoint every K steps of stage 2, measured as a point of its own",
    )
    add(
        "--warm-start",
        type=float,
        metavar="L",
        help="pre-train the other lambdas from the codec of this one; default each from its own start",
    )
    words = 'model from whose weights stage 1 starts, such as zoo/lite-vbr; "" for none; default the recipe\'s'
    add("--start", metavar="MODEL", help=words)
    add("--seeds", type=int, metavar="N", help="train everything in the grid N times, with as many seeds; default 1")
    words = "readers to train against, each alone or as a mix: ppocr easyocr ppocr=1,easyocr=1; default ppocr"
    add("--readers", type=trained_against, nargs="+", metavar="R", help=words)
    words = (
        "machine tasks of stage 2, each alone or as a mix: reading detection reading=1,detection=0.5; default reading"
    )
    add("--tasks", type=trained_for, nargs="+", metavar="T", help=words)
    words = "readers that codecs are judged by, with commas: tesseract,ppocrv4; `python -m tfic readers` lists them"
    add("--heldout", metavar="NAMES", help=words)
    words = "for each lambda also continue stage 1 for the steps of stage 2; --no-controls leaves it"
    add("--controls", action=argparse.BooleanOptionalAction, default=None, help=words)
    words = f"compare with further classical codecs: {', '.join(RIVALS)}; all that are installed where none is named"
    add("--rivals", nargs="*", metavar="NAME", help=words)
    add("--bpp-low", type=float, metavar="B", help="stop a fine-tuning whose rate stays below")
    add("--bpp-high", type=float, metavar="B", help="stop a fine-tuning whose rate stays far above")
    words = "stop a fine-tuning that a finished one beats by this share on rate, reading and distortion alike"
    add("--stop-margin", type=float, metavar="S", help=words)
    add("--retries", type=int, metavar="N", help="most times that a trial that died is tried again; default 2")
    add("--codec", help="codec to train, such as tic-tiny or tic-base")
    add("--train-data", metavar="DIR", help="train on a folder of images with metadata.jsonl")
    add("--test-data", metavar="DIR", help="test on a folder of images with metadata.jsonl")
    words = "GPUs of a trial that trains: a share such as 0.25, or 1, 2, ... of one machine; default 1 if any"
    add("--gpus-per-trial", type=float, metavar="G", help=words)
    words = "GPUs of a trial of stage 1, where it is to hold others than stage 2; default --gpus-per-trial"
    add("--pretrain-gpus", type=float, metavar="G", help=words)
    words = "processes that share each training step; the batch stays what it is; default one per GPU of the trial"
    add("--workers-per-trial", type=int, metavar="N", help=words)
    words = "trials side by side, on GPUs those that train; default as many as fit; on a cluster that grows, as it may"
    add("--concurrent", type=int, metavar="N", help=words)
    add("--address", default="", help="Ray cluster to run on (auto, or host:port); default this machine alone")
    add("--plan", action="store_true", help="show what would run and what is already done, and run nothing")
    words = "at the end write the report into FILE (default report.html) and log it, as analysis.report --log does"
    add("--report", metavar="FILE", nargs="?", const="report.html", help=words)
    return options
