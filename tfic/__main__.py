"""`python -m tfic`: draw images, train one codec, measure it, encode and decode files.

    python -m tfic synth OUT --count 100 --split test
    python -m tfic train RUN --recipe demo --lmbda 0.01 --gamma 0.3
    python -m tfic evaluate RUN/codec.safetensors OUT
    python -m tfic encode page.png page.tfic --model RUN/codec.safetensors
    python -m tfic decode page.tfic page.png --model RUN/codec.safetensors

Exit codes: 0 done, 1 the training failed, 2 bad input, 130 stopped by Ctrl-C.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tfic.config import Config, DataConfig, from_mapping
from tfic.recipes import RECIPES, recipe

if TYPE_CHECKING:
    from tfic.train import Progress


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    args = _parser().parse_args(arguments)
    try:
        args.run(args)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except FloatingPointError as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def _synth(args: argparse.Namespace) -> None:
    from tfic.data import draw_set, write_folder

    if args.count < 1:
        raise ValueError(f"--count is {args.count}; it must be at least 1")
    data = DataConfig(
        height_px=args.height,
        width_px=args.width,
        seed=args.seed,
        background_dir=args.backgrounds,
        font_dir=args.fonts,
    )
    write_folder(draw_set(args.split, args.count, data), args.out)
    print(f"{args.count} {args.split} images and metadata.jsonl in {args.out}")


def _config(args: argparse.Namespace) -> Config:
    config = replace(recipe(args.recipe), lmbda=args.lmbda, gamma=args.gamma)
    data = replace(config.data, train_dir=args.train_data, test_dir=args.test_data)
    train = from_mapping(config.train, {"seed": args.seed}, "--seed")
    return replace(config, codec=args.codec or config.codec, data=data, train=train)


def _train(args: argparse.Namespace) -> None:
    from tfic.train import fit

    path = fit(_config(args), args.out, _print_progress, Path(args.start) if args.start else None)
    print(f"trained codec: {path}")


def _print_progress(progress: "Progress") -> None:
    ocr = "" if progress.ocr != progress.ocr else f"  ocr {progress.ocr:.3f}"
    print(
        f"{progress.stage} {progress.step:,}/{progress.steps:,}  loss {progress.loss:.3f}  "
        f"bpp {progress.bpp_estimated:.3f}{ocr}  {progress.seconds_left:.0f} s left",
        flush=True,
    )


def _evaluate(args: argparse.Namespace) -> None:
    from tfic import checkpoint
    from tfic.evaluate import measure

    config = checkpoint.config_of(args.model)
    if args.test_data:
        config = replace(config, data=replace(config.data, test_dir=args.test_data))
    for name, value in measure(checkpoint.load(args.model), config, args.out).items():
        print(f"{name:20} {value:.4f}")
    print(f"a row for each image: {args.out / 'rows.csv'}")


def _encode(args: argparse.Namespace) -> None:
    from tfic import checkpoint
    from tfic.images import open_image

    image = open_image(args.input)
    data = checkpoint.load(args.model).encode(image)
    args.output.write_bytes(data)
    print(f"{args.output}: {len(data)} bytes, {8 * len(data) / (image.width * image.height):.3f} bpp")


def _decode(args: argparse.Namespace) -> None:
    from tfic import checkpoint

    image = checkpoint.load(args.model).decode(args.input.read_bytes())
    image.save(args.output)
    print(f"{args.output}: {image.width} x {image.height} pixels")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:  # one line, as for every bad input
        print(f"error: {message}; see --help", file=sys.stderr)
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m tfic", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    defaults = asdict(DataConfig())

    synth = commands.add_parser("synth", help="draw text images into a folder with metadata.jsonl")
    synth.add_argument("out", type=Path, metavar="OUT", help="folder to write")
    synth.add_argument("--count", type=int, default=100, metavar="N", help="number of images (100)")
    synth.add_argument(
        "--split", choices=("train", "test"), default="train", help="which fonts and which chance (train)"
    )
    synth.add_argument("--seed", type=int, default=0, metavar="S", help="image i depends on (seed, split, i) alone (0)")
    synth.add_argument("--height", type=int, default=defaults["height_px"], metavar="PX", help="height in pixels (256)")
    synth.add_argument("--width", type=int, default=defaults["width_px"], metavar="PX", help="width in pixels (256)")
    synth.add_argument(
        "--backgrounds", default="", metavar="DIR", help="photographs to draw on, besides drawn backgrounds"
    )
    synth.add_argument("--fonts", default="", metavar="DIR", help=".ttf and .otf fonts to draw with instead of ours")
    synth.set_defaults(run=_synth)

    train = commands.add_parser("train", help="train one codec, both stages; goes on where it was stopped")
    train.add_argument("out", type=Path, metavar="RUN", help="directory of this training")
    train.add_argument("--recipe", default="demo", help=f"settings by name: {', '.join(RECIPES)} (demo)")
    train.add_argument("--codec", default="", help="codec to train (the recipe's)")
    train.add_argument("--lmbda", type=float, required=True, metavar="X", help="weight of distortion in stage 1")
    train.add_argument(
        "--gamma", type=float, default=0.0, metavar="X", help="weight of reading in stage 2; 0: stage 1 only"
    )
    train.add_argument("--start", default="", metavar="FILE", help="checkpoint of stage 1 to start stage 2 from")
    train.add_argument("--train-data", default="", metavar="DIR", help="folder with metadata.jsonl to train on")
    train.add_argument("--test-data", default="", metavar="DIR", help="folder with metadata.jsonl to measure on later")
    train.add_argument("--seed", type=int, default=0, metavar="S", help="seed of weights, crops and noise (0)")
    train.set_defaults(run=_train)

    evaluate = commands.add_parser("evaluate", help="measure a trained codec on real bytes")
    evaluate.add_argument("model", type=Path, metavar="CHECKPOINT", help="a codec.safetensors")
    evaluate.add_argument("out", type=Path, metavar="OUT", help="folder for rows.csv and pictures")
    evaluate.add_argument("--test-data", default="", metavar="DIR", help="folder with metadata.jsonl to measure on")
    evaluate.set_defaults(run=_evaluate)

    for name, verb, about in (
        ("encode", _encode, "an image to a .tfic file"),
        ("decode", _decode, "a .tfic file to an image"),
    ):
        command = commands.add_parser(name, help=about)
        command.add_argument("input", type=Path, metavar="IN", help="file to read")
        command.add_argument("output", type=Path, metavar="OUT", help="file to write")
        command.add_argument("--model", type=Path, required=True, metavar="CHECKPOINT", help="a codec.safetensors")
        command.set_defaults(run=verb)
    return parser


if __name__ == "__main__":
    sys.exit(main())
