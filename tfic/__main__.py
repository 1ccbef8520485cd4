"""`python -m tfic`: draw or import images, train one codec, measure it, encode and decode files, read text.

    python -m tfic synth OUT --count 100 --split test
    python -m tfic import manual.pdf OUT --dpi 150             # PDF, ICDAR, LMDB or a folder; --scan: as if scanned
    python -m tfic train RUN --recipe demo --lmbda 0.0032 --gamma 2
    torchrun --nproc-per-node 2 -m tfic train RUN ...          # on two workers, one for each GPU if there are any
    python -m tfic evaluate RUN OUT
    python -m tfic encode page.png page.tfic --model RUN
    python -m tfic encode scans coded --model RUN              # a folder, or a glob: 'scans/**/*.png'
    python -m tfic decode page.tfic page.png --model RUN
    python -m tfic info page.tfic
    python -m tfic read page.tfic --model RUN
    python -m tfic export encoder.onnx --model RUN --height 256 --width 256

A model is a codec.safetensors, a run directory that has one, runs:/RUN_ID, models:/NAME/VERSION or zoo/NAME.
Exit codes: 0 done, 1 the training or some of many files failed, 2 bad input, 130 stopped by Ctrl-C.
"""

import argparse
import signal
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfic.checkpoints import models
from tfic.commands import arguments
from tfic.config import Config, DataConfig
from tfic.reader_names import trained_against
from tfic.recipes import RECIPES, recipe
from tfic.system import extras
from tfic.system.cli import bad_input, piped
from tfic.system.cores import usable_cores
from tfic.task_names import measured_tasks, trained_for

if TYPE_CHECKING:
    from tfic.training.train import Progress


@piped
def main(given: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    args = _parser().parse_args(given)
    warnings.filterwarnings("ignore", module="PIL")  # of metadata that make no difference to pixels
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names and texts that the terminal has no letters for
    try:
        return args.run(args) or 0
    except ModuleNotFoundError as error:
        return extras.refuse(error)
    except (ValueError, OSError) as error:
        return bad_input(error)
    except FloatingPointError as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nstopped; {args.stopped}", file=sys.stderr)
        return 130


def _synth(args: argparse.Namespace) -> None:
    from tfic.data import draw_set, write_folder

    if args.count < 1:
        raise ValueError(f"--count is {args.count}; it must be at least 1")
    folders = {"background_dir": args.backgrounds, "font_dir": args.fonts}
    size_px = {"height_px": args.height, "width_px": args.width}
    data = DataConfig(**size_px, seed=args.seed, document_share=args.documents, **folders)
    write_folder(draw_set(args.split, args.count, data), args.out)
    print(f"{args.count} {args.split} images and metadata.jsonl in {args.out}")


def _import(args: argparse.Namespace) -> None:
    from tfic.importing.scan_look import look_of
    from tfic.importing.source import import_pages

    look = look_of(args.scan, args.skew, args.blur, args.noise, args.jpeg, args.seed)
    options = {"dpi": args.dpi, "pictures": args.images, "limit": args.limit, "skip_bad": args.skip_bad}
    print(f"{import_pages(args.source, args.out, look, **options).sentence()}; in {args.out}")


def _config(args: argparse.Namespace) -> Config:
    config = replace(recipe(args.recipe), lmbda=args.lmbda, gamma=args.gamma)
    data = replace(config.data, train_dir=args.train_data, test_dir=args.test_data)
    start = "" if args.gamma else args.start
    given: dict[str, Any] = {"start": start, "readers": trained_against(args.readers), "tasks": trained_for(args.tasks)}
    train = replace(config.train, seed=args.seed, **{name: value for name, value in given.items() if value})
    if train.start:
        train = replace(train, start=models.pinned(train.start))
    measured = replace(config.eval, tasks=measured_tasks([train.tasks], config.eval.tasks))
    return replace(config, codec=args.codec or config.codec, data=data, train=train, eval=measured)


def _train(args: argparse.Namespace) -> None:
    from tfic.ocr.installed import check_installed
    from tfic.system.devices import Device, cpu_instead
    from tfic.training import distributed, teachable
    from tfic.training.train import fit

    config, device = _config(args), Device(args.device)
    check_installed(config.train.teachers if config.gamma else ())
    start = models.find(args.start) if args.start and args.gamma else None
    with distributed.join(device):
        if distributed.rank() == 0 and (why := cpu_instead(device)):
            print(f"warning: {why}", file=sys.stderr, flush=True)
        if config.gamma and config.train.reads and distributed.rank() == 0:
            print(teachable.of_settings(config).sentence(), flush=True)
        path = fit(config, args.out, _print_progress, start, device=device)
        if distributed.rank() == 0:
            print(f"trained codec: {path}")


def _print_progress(progress: "Progress") -> None:
    ocr = "" if progress.ocr != progress.ocr else f"  ocr {progress.ocr:.3f}"
    print(
        f"{progress.stage} {progress.step:,}/{progress.steps:,}  loss {progress.loss:.3f}  "
        f"bpp_estimated {progress.bpp_estimated:.3f}{ocr}  {progress.seconds_left:.0f} s left",
        flush=True,
    )


def _evaluate(args: argparse.Namespace) -> None:
    from tfic.checkpoints import checkpoint
    from tfic.measuring.in_processes import measure, processes_for
    from tfic.measuring.row import ROWS_FILE, read_rows

    path = models.find(args.model, args.tracking_uri)
    config, codec = checkpoint.config_of(path), checkpoint.load(path)
    if args.test_data:
        config = replace(config, data=replace(config.data, test_dir=args.test_data, test_count=sys.maxsize))
    if args.quality is not None:
        codec = codec.at(args.quality)
    if args.workers is not None and args.workers < 1:
        raise ValueError(f"--workers is {args.workers}; it must be at least 1")
    most = args.workers or usable_cores()
    for name, value in measure(codec, config, args.out, most).items():
        print(f"{name:20} {value:.4f}")
    rows_file = args.out / ROWS_FILE
    rows = read_rows(rows_file)
    print(f"{'pages':20} {len(rows)}")
    if missing := sum(bool(row.missing) for row in rows):
        print(f"{missing} of them lack measures, over which the means do not go; the column missing has the reasons")
    processes = processes_for(len(rows), most)
    if processes > 1:
        print(f"times were taken while {processes} processes measured side by side; --workers 1 takes them alone")
    print(f"a row for each image: {rows_file}")


def _readers(args: argparse.Namespace) -> None:
    from tfic.ocr import choice

    print("\n".join(choice.told(args.fetch)))


def _info(args: argparse.Namespace) -> None:
    from tfic.commands.about import about

    for name, value in about(args.file, args.model, args.tracking_uri).items():
        print(f"{name:12} {value}")


def _on_files(args: argparse.Namespace) -> int:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # numpy breaks in ways of its own when its import does
    try:
        from tfic.commands import codec_files
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    if args.verb == "read":
        return codec_files.read(args.image, args.model, args.tracking_uri, args.heldout)
    if args.verb == "export":
        return codec_files.export(args.output, args.height, args.width, args.model, args.tracking_uri)
    files = codec_files.Files(args.input, args.output, args.model, args.tracking_uri)
    if args.verb == "decode":
        return codec_files.decode(files, args.workers)
    return codec_files.encode(files, args.workers, args.quality)


def _parser() -> argparse.ArgumentParser:
    parser = arguments.CommandParser(
        prog="python -m tfic", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(stopped="the same command begins again")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    defaults = asdict(DataConfig())

    synth = commands.add_parser("synth", help="draw text images into a folder with metadata.jsonl")
    synth.add_argument("out", type=Path, metavar="OUT", help="folder to write")
    synth.add_argument("--count", type=int, default=100, metavar="N", help="number of images (100)")
    synth.add_argument("--split", choices=("train", "test"), default="train", help="whose fonts and texts (train)")
    synth.add_argument("--seed", type=int, default=0, metavar="S", help="image i depends on (seed, split, i) alone (0)")
    synth.add_argument("--height", type=int, default=defaults["height_px"], metavar="PX", help="height in pixels (256)")
    synth.add_argument("--width", type=int, default=defaults["width_px"], metavar="PX", help="width in pixels (256)")
    synth.add_argument("--backgrounds", default="", metavar="DIR", help="photographs to draw on as well")
    synth.add_argument("--fonts", default="", metavar="DIR", help=".ttf and .otf fonts to draw with instead of ours")
    words = "share of pages of documents, dark text on paper, from 0 to 1; the others are scenes (0)"
    synth.add_argument("--documents", type=float, default=0.0, metavar="SHARE", help=words)
    synth.set_defaults(run=_synth)

    arguments.add_import(commands).set_defaults(run=_import, stopped="nothing was written")

    train = commands.add_parser("train", help="train one codec, both stages; goes on where it was stopped")
    train.add_argument("out", type=Path, metavar="RUN", help="directory of this training")
    train.add_argument("--recipe", default="demo", help=f"settings by name: {', '.join(RECIPES)} (demo)")
    train.add_argument("--codec", default="", help="codec to train (the recipe's)")
    train.add_argument("--lmbda", type=float, required=True, metavar="X", help="weight of distortion in stage 1")
    words = "weight of reading in stage 2; 0: stage 1 only"
    train.add_argument("--gamma", type=float, default=0.0, metavar="X", help=words)
    words = "model to start from, such as zoo/lite-vbr: stage 2 from one of stage 1, with gamma 0 stage 1 itself"
    train.add_argument("--start", default="", metavar="MODEL", help=words)
    train.add_argument("--train-data", default="", metavar="DIR", help="folder with metadata.jsonl to train on")
    train.add_argument("--test-data", default="", metavar="DIR", help="folder with metadata.jsonl to measure on later")
    train.add_argument("--seed", type=int, default=0, metavar="S", help="seed of weights, crops and noise (0)")
    train.add_argument("--device", default="", metavar="D", help="cpu or cuda (a GPU if there is one)")
    train.add_argument("--readers", default="", metavar="R", help="of stage 2, such as ppocr=1,easyocr=1 (ppocr)")
    words = "machine tasks of stage 2, such as reading=1,detection=0.5 (reading)"
    train.add_argument("--tasks", default="", metavar="T", help=words)
    train.set_defaults(run=_train, stopped="the same command goes on from the last checkpoint")

    evaluate = commands.add_parser("evaluate", help="measure a trained codec on real bytes")
    evaluate.add_argument("model", metavar="MODEL", help=models.FORMS)
    evaluate.add_argument("out", type=Path, metavar="OUT", help="folder for rows.csv and pictures")
    evaluate.add_argument("--test-data", default="", metavar="DIR", help="folder to measure on, all of it")
    evaluate.add_argument("--workers", type=int, metavar="N", help="processes that measure (one per core, if it pays)")
    arguments.add_quality(evaluate)
    arguments.add_tracking_uri(evaluate)
    evaluate.set_defaults(run=_evaluate)
    readers = commands.add_parser("readers", help="the readers, their licences, and which of them are here")
    fetched = ("ppocrv4", "ppocrv3")
    readers.add_argument(
        "--fetch", nargs="+", default=[], choices=fetched, help="download these with pip into the cache"
    )
    readers.set_defaults(run=_readers)
    arguments.add_file_commands(commands)
    for verb in ("encode", "decode", "info", "read", "export"):
        commands.choices[verb].set_defaults(run=_info if verb == "info" else _on_files)
    return parser


if __name__ == "__main__":
    sys.exit(main())
