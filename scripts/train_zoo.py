"""Train the codecs that ship: stage 1 for each lambda, then stage 2 for each gamma, without Ray.

    python scripts/train_zoo.py zoo-runs --scale cpu --minutes 30     # again and again, until it says that all is done
    python scripts/train_zoo.py zoo-runs --scale cpu --ship           # weights and model cards into tfic/zoo

Each codec has a run directory, RUNS/NAME, with its checkpoint (`codec.safetensors`), the same rounded to half precision
(`half.safetensors`, what ships) and that one's measurement on the test set (`measured/rows.csv`). A call trains for
`--minutes` and stops; the next goes on from the last checkpoint. Exit codes: 0 all done, 3 call again.
"""

import argparse
import csv
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from analysis import stats
from tfic import checkpoint, recipes
from tfic.codec.image_codec import ImageCodec, fingerprint_of
from tfic.config import Config
from tfic.measuring import measure
from tfic.train import Progress, check_same, fit

SHIPPED = Path(__file__).parent.parent / "tfic" / "zoo"
LARGEST_BYTES, ALL_BYTES = 8 << 20, 60 << 20
MORE_CALLS = 3
HALF = "half.safetensors"
"""Name of what ships in a run directory."""
ROWS = "measured/rows.csv"
"""Its measurement."""


@dataclass(frozen=True)
class Scale:
    """What is trained, and how long."""

    prefix: str
    """What the names begin with, before lambda and gamma: what the codecs are."""
    config: Config
    """All but lambda and gamma."""
    lmbdas: tuple[float, ...]
    """Stage 1, one codec each."""
    gammas: tuple[float, ...]
    """Stage 2, one codec each for every lambda."""
    about: str
    """One sentence for the model cards: how much training this is."""


def _config(base: Config, codec: str, train_count: int, test_count: int, report_every: int, **train: float) -> Config:
    """A recipe with another codec and other amounts; a call ends at a report, and loses half of the steps since one."""
    data = replace(base.data, train_count=train_count, test_count=test_count)
    settings = replace(base.train, log_every=report_every, checkpoint_every=report_every // 2, **train)
    return replace(base, codec=codec, data=data, train=settings)


def scales() -> dict[str, tuple[Scale, ...]]:
    """Scales by name: a dry run, two CPU cores, one large GPU."""
    dry_run = Scale(
        prefix="lite-dry-run",
        config=_config(recipes.tiny(), "lite", train_count=32, test_count=4, report_every=2),
        lmbdas=(0.004,),
        gammas=(3.0,),
        about="A dry run, good for nothing.",
    )
    cpu = Scale(
        prefix="lite-cpu",
        config=_config(
            recipes.demo(), "lite", train_count=3000, test_count=100, report_every=50,
            pretrain_steps=2000, batch=4, learning_rate=6e-4, finetune_steps=350,
        ),
        lmbdas=(0.0015, 0.003, 0.006),
        gammas=(10.0, 3.0),
        about="Trained on one CPU core: a start, not an end.",
    )  # fmt: skip
    gpu = tuple(
        Scale(
            prefix=f"{codec}-gpu",
            config=_config(
                recipes.base(), codec, train_count=20_000, test_count=600, report_every=200, klt_start=True,
                pretrain_steps=steps, batch=16, learning_rate=6e-4, finetune_steps=steps // 4, finetune_batch=16,
            ),
            lmbdas=(0.001, 0.002, 0.004, 0.008),
            gammas=(1.0, 10.0),
            about="Trained on one GPU.",
        )
        for codec, steps in (("lite", 12_000), ("tic-small", 6_000))
    )  # fmt: skip
    return {"tiny": (dry_run,), "cpu": (cpu,), "gpu": gpu}


def configs(scale: Scale) -> Iterator[tuple[str, Config, str]]:
    """Name, settings and, for stage 2, name of the codec of stage 1; in the order of training."""
    for gamma in (0.0, *scale.gammas):
        for lmbda in scale.lmbdas:
            start = f"{scale.prefix}-{lmbda:g}"
            name = f"{start}-gamma{gamma:g}" if gamma else start
            yield name, replace(scale.config, lmbda=lmbda, gamma=gamma), start if gamma else ""


class _TimeUpError(Exception):
    """The call's minutes are over."""


def _train(scale: Scale, runs: Path, until: float) -> None:
    for name, config, start in configs(scale):
        run = runs / name
        path = fit(config, run, _reporter(name, until), runs / start / "codec.safetensors" if start else None)
        _halve(path, config, run)
        if not (run / ROWS).exists():
            result = measure(checkpoint.load(run / HALF), config, run / "measured")
            shown = ("bpp", "psnr_db", "accuracy", "accuracy_lines", "accuracy_heldout")
            print(f"{name}: " + ", ".join(f"{key} {result[key]:.3f}" for key in shown if key in result), flush=True)


def _halve(path: Path, config: Config, run: Path) -> None:
    """Make what ships from the checkpoint at `path`; a measurement of another codec goes."""
    codec = checkpoint.load(path)
    checkpoint.halve(codec)
    if not (run / HALF).exists() or not _same(checkpoint.load(run / HALF), codec):
        (run / ROWS).unlink(missing_ok=True)
        checkpoint.save(codec, config, run / HALF)


def _same(one: ImageCodec, other: ImageCodec) -> bool:
    return fingerprint_of(one.state_dict()) == fingerprint_of(other.state_dict())


def _reporter(name: str, until: float) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        print(
            f"{name} {progress.stage} {progress.step:,}/{progress.steps:,}  loss {progress.loss:.3f}  "
            f"bpp {progress.bpp_estimated:.3f}  {progress.seconds_left:.0f} s left", flush=True,
        )  # fmt: skip
        if time.monotonic() > until and progress.step < progress.steps:
            raise _TimeUpError

    return report


def _card(name: str, scale: Scale, config: Config, rows: list[dict[str, str]], size_bytes: int) -> str:
    """The model card: what it is, made from its settings and rows alone."""

    def over_images(column: str) -> str:
        values = np.array([float(row[column]) for row in rows])
        return stats.show(stats.mean(values)) if np.isfinite(values).any() else "not measured"

    train, data = config.train, config.data
    steps = f"{train.pretrain_steps:,} of stage 1 (batch {train.batch})"
    if config.gamma:
        kept = f"keeping {train.lmbda_share:g} of the distortion term"
        steps += f", {train.finetune_steps:,} of stage 2 (batch {train.finetune_batch}, {kept})"
    table = "\n".join(
        f"| {what} | {over_images(column)} |"
        for what, column in (
            ("bits per pixel, whole file", "bpp"),
            ("PSNR, dB", "psnr_db"),
            ("accuracy, page, PP-OCRv6 (trained against in stage 2)", "accuracy"),
            ("accuracy, lines at their true place", "accuracy_lines"),
            ("accuracy, page, Tesseract (held out)", "accuracy_heldout"),
        )
    )
    return f"""# zoo/{name}

{scale.about} `tfic.load("zoo/{name}")`.

| | |
| --- | --- |
| codec | {config.codec} |
| lambda | {config.lmbda:g} |
| gamma | {config.gamma:g}{"" if config.gamma else " (stage 1 alone: the baseline)"} |
| steps | {steps} |
| data | {data.train_count:,} synthetic pages of {data.width_px} x {data.height_px} pixels, seed {data.seed} |
| file | {size_bytes:,} bytes, half precision |
| licence | Apache-2.0 |

Measured with these very weights on {len(rows)} test pages of fonts it was not trained on; brackets are 95 % bootstrap
intervals over the pages:

| measure | mean |
| --- | --- |
{table}
"""


def _ship(scale: Scale, runs: Path, out: Path) -> None:
    """Copy what is finished, with a card each; what is not finished is left out and named."""
    out.mkdir(parents=True, exist_ok=True)
    for name, config, _ in configs(scale):
        weights = runs / name / HALF
        if not weights.exists() or not (runs / name / ROWS).exists():
            print(f"{name}: not finished, not shipped")
            continue
        check_same(checkpoint.config_of(weights), config, weights)
        size_bytes = weights.stat().st_size
        if size_bytes > LARGEST_BYTES:
            raise ValueError(f"{weights} has {size_bytes:,} bytes; at most {LARGEST_BYTES:,} may ship")
        with (runs / name / ROWS).open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        (out / f"{name}.safetensors").write_bytes(weights.read_bytes())
        (out / f"{name}.md").write_text(_card(name, scale, config, rows, size_bytes), encoding="utf-8")
        print(f"{name}: {size_bytes:,} bytes")
    total = sum(path.stat().st_size for path in out.glob("*.safetensors"))
    if total > ALL_BYTES:
        raise ValueError(f"{out} holds {total:,} bytes of weights; at most {ALL_BYTES:,} may ship")


def main() -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, metavar="RUNS", help="folder of run directories")
    parser.add_argument("--scale", choices=scales(), default="tiny", help="how much training (tiny: a dry run)")
    parser.add_argument("--minutes", type=float, default=25, metavar="M", help="stop after so many minutes (25)")
    parser.add_argument("--ship", action="store_true", help="do not train: copy what is finished, with model cards")
    parser.add_argument("--out", type=Path, default=SHIPPED, metavar="DIR", help="where to ship to (tfic/zoo)")
    args = parser.parse_args()
    until = time.monotonic() + 60 * args.minutes
    for scale in scales()[args.scale]:
        if args.ship:
            _ship(scale, args.runs, args.out)
            continue
        try:
            _train(scale, args.runs, until)
        except _TimeUpError:
            print(f"{args.minutes:g} minutes are over; the same command goes on")
            return MORE_CALLS
    return 0


if __name__ == "__main__":
    sys.exit(main())
