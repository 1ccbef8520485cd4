"""Fine-tune the shipped foundation for reading at every quality, and compare with a control of equal steps.

    python scripts/finetune_foundation.py RUNS --scale cpu --minutes 30    # again and again, until all is done
    python scripts/finetune_foundation.py RUNS --scale cpu --ship          # the fine-tuned codec into tfic/zoo
    python scripts/finetune_foundation.py RUNS --scale cpu --readers ppocr easyocr ppocr=1,easyocr=1 \
        --heldout easyocr,ppocrv4,legere,gocr                              # a transfer matrix: trained against, read by

The encoder alone learns, so that zoo/lite-vbr decodes what it writes; in the control all weights go on learning for
pixels. Both see the same crops and qualities. RUNS/WEIGHTS-STEPS is for the foundation with these weights: where
another has shipped, the same command begins anew. There, each codec has a run directory with its checkpoint, the same
in half precision (`half.safetensors`, what ships) and `measured/SET-QUALITY`, its measurements on two sets of drawn
scenes and one of pages of documents; those of the foundation and of AVIF are beside them. `comparison.md` says what the
codecs read at equal rate.

Exit codes: 0 all done, 2 bad input, 3 call again.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from equal_rates import comparison, measured
from marathon_card import DOCUMENT_SHARE, by_measure, by_quality

from tfic.checkpoints import checkpoint, models
from tfic.codec import LMBDA_MIDDLE
from tfic.config import Config, DataConfig, EvalConfig, TrainConfig
from tfic.measuring.classical import classical
from tfic.measuring.evaluate import Coder
from tfic.measuring.in_processes import measure
from tfic.measuring.row import ROWS_FILE
from tfic.reader_names import trained_against
from tfic.training.train import Progress, fit

FOUNDATION = "zoo/lite-vbr"
SHIPPED = Path(__file__).parent.parent / "tfic" / "zoo"
READERS = TrainConfig().readers
CONTROL, START, AVIF = "control", "foundation", "avif"
"""Names of what fine-tunings are compared with."""
HALF, MORE_CALLS = "half.safetensors", 3
SETS = {
    "seed0": DataConfig(test_count=100), "seed1": DataConfig(test_count=100, seed=1),
    "documents": DataConfig(test_count=50, document_share=1.0),
}  # fmt: skip
"""Sets of test pages; a scale may take fewer of each."""
MORE_READERS_ON = ("seed0", "seed1")
"""The sets that further readers read."""


@dataclass(frozen=True)
class Scale:
    """What a machine can do."""

    config: Config
    """All but gamma."""
    gammas: tuple[float, ...]
    """Weights of reading at quality 50; one fine-tuning each, of which the first ships."""
    against: tuple[str, ...]
    """Readers that are trained against, or sums of them; for each, a fine-tuning of every gamma."""
    qualities: tuple[float, ...]
    """Qualities that are measured."""
    avif: tuple[int, ...]
    """AVIF's."""
    readers: str = ""
    """Further readers of the sets `MORE_READERS_ON`, joined by `+`."""


def scales(steps: int | None, gammas: tuple[float, ...], against: tuple[str, ...]) -> dict[str, Scale]:
    """Scales by name: a dry run, one CPU core, one GPU; with another number of steps if one is given."""

    def scale(train_count: int, test_count: int, own_steps: int, batch: int, read_width_px: int, **train: int) -> Scale:
        settings = TrainConfig(
            start=models.pinned(FOUNDATION), pretrain_steps=0, whole_range=True, finetune_steps=steps or own_steps,
            finetune_batch=batch, read_width_px=read_width_px, finetune_learning_rate=3e-4, reading="features",
            learns="encoder", lmbda_share=1.0, rest_distortion=0.1, **train,
        )  # fmt: skip
        data = DataConfig(train_count, test_count, document_share=DOCUMENT_SHARE)
        measuring = EvalConfig(detect_side_px=256, pictures=1)
        config = Config(
            checkpoint.config_of(models.find(FOUNDATION)).codec, LMBDA_MIDDLE, 0.0, data, settings, measuring
        )
        return Scale(config, gammas, against, (0.0, 25.0, 50.0, 75.0, 100.0), (5, 15, 25, 35, 45))

    tiny = scale(16, 1, 1, 2, 300, log_every=1, checkpoint_every=1, threads=1, crop_height_px=64, crop_width_px=128)
    return {
        "tiny": replace(tiny, qualities=(25.0, 75.0), avif=(25,)),
        "cpu": scale(9000, 100, 2000, 4, 3000, log_every=10, checkpoint_every=20, threads=1),
        "gpu": scale(30_000, 600, 10_000, 32, 24_000, log_every=50, checkpoint_every=500),
    }


def trainings(scale: Scale) -> dict[str, Config]:
    """Settings of each codec by its name."""
    tuned = {
        f"gamma{gamma:g}" + (f"-{readers}" if readers != READERS else ""): replace(
            scale.config, gamma=gamma, train=replace(scale.config.train, readers=readers)
        )
        for readers in scale.against
        for gamma in scale.gammas
    }
    return {CONTROL: replace(scale.config, control=True)} | tuned


class _TimeUpError(Exception):
    """The call's minutes are over."""


def _train(scale: Scale, runs: Path, until: float) -> None:
    start = fit(scale.config, runs / START, _reporter(START, until))
    for name, config in trainings(scale).items():
        trained = fit(config, runs / name, _reporter(name, until), start)
        if not (runs / name / HALF).exists():
            codec = checkpoint.load(trained)
            checkpoint.halve(codec)
            checkpoint.save(codec, config, runs / name / HALF)


def _measure(scale: Scale, runs: Path, until: float) -> None:
    for name_of_set in SETS:
        for name in (START, *trainings(scale)):
            codec = checkpoint.load(runs / name / HALF if name != START else models.find(FOUNDATION))
            for quality in scale.qualities:
                _measure_one(codec.at(quality), scale, runs / name, name_of_set, quality, until)
        for quality in scale.avif:
            _measure_one(classical(AVIF, quality), scale, runs / AVIF, name_of_set, quality, until)


def _pages(config: Config, name_of_set: str) -> DataConfig:
    """The pages of a set that are measured at a scale."""
    pages = SETS[name_of_set]
    return replace(pages, test_count=min(pages.test_count, config.data.test_count))


def _measure_one(coder: Coder, scale: Scale, run: Path, name_of_set: str, quality: float, until: float) -> None:
    out = run / "measured" / f"{name_of_set}-{quality:g}"
    if (out / ROWS_FILE).exists():
        return
    if time.monotonic() > until:
        raise _TimeUpError
    measuring = replace(scale.config.eval, readers=scale.readers if name_of_set in MORE_READERS_ON else "")
    result = measure(coder, replace(scale.config, data=_pages(scale.config, name_of_set), eval=measuring), out)
    shown = ("bpp", "accuracy", "accuracy_lines", "accuracy_heldout", "psnr_db")
    print(f"{run.name} {out.name}: " + ", ".join(f"{key} {result[key]:.3f}" for key in shown), flush=True)


def _reporter(name: str, until: float) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        print(
            f"{name} {progress.step:,}/{progress.steps:,}  loss {progress.loss:.3f}  bpp {progress.bpp_estimated:.3f}  "
            f"reading {progress.ocr:.3f}  {progress.seconds_left:.0f} s left", flush=True,
        )  # fmt: skip
        if time.monotonic() > until and progress.step < progress.steps:
            raise _TimeUpError

    return report


def _compare(scale: Scale, runs: Path) -> None:
    tuned = [name for name in trainings(scale) if name != CONTROL]
    tables = [comparison(measured(runs, name), name, tuned, (CONTROL, START, AVIF)) for name in SETS]
    (runs / "comparison.md").write_text("\n\n".join(tables) + "\n", encoding="utf-8")
    print("\n\n".join(tables))


def _ship(scale: Scale, runs: Path, out: Path) -> None:
    """Copy the first fine-tuning, with a model card."""
    name, config = list(trainings(scale).items())[1]
    weights, train, data = runs / name / HALF, config.train, config.data
    if not weights.exists() or not (runs / "comparison.md").exists():
        raise ValueError(f"{runs} is not done; the same command without --ship goes on")
    shipped = f"{config.codec}-reading"
    places = {quality: runs / name / "measured" / f"seed0-{quality:g}" for quality in scale.qualities}
    documents = {quality: runs / name / "measured" / f"documents-{quality:g}" for quality in scale.qualities}
    distortion = f"distortion on text {train.text_distortion:g}, elsewhere {train.rest_distortion:g}"
    own = min(scale.qualities, key=lambda quality: abs(quality - 50))
    card = f"""# zoo/{shipped}

{FOUNDATION} with an encoder that was fine-tuned for reading, for every quality, 0 to 100. {FOUNDATION} decodes its
files.

| | |
| --- | --- |
| codec | {config.codec} |
| lambda | {config.lmbda:g} |
| gamma | {config.gamma:g} at quality 50; it goes with lambda |
| steps | {train.finetune_steps:,} of stage 2 (batch {train.finetune_batch}), from {train.start} |
| reading | {train.reading} of {train.readers}, {distortion} |
| data | {data.train_count:,} pages of {data.width_px} x {data.height_px} pixels, {data.document_share:.0%} documents |
| file | {weights.stat().st_size:,} bytes, half precision |
| licence | Apache-2.0 |

Measured with these very weights on {_pages(config, "seed0").test_count} test pages of fonts it was not trained on
(detector at {config.eval.detect_side_px} pixels); brackets are 95 % bootstrap intervals over the pages. At quality
{own:g}:

{by_measure(places[own])}

{by_quality(places)}

On {_pages(config, "documents").test_count} pages of documents:

{by_quality(documents)}

{(runs / "comparison.md").read_text(encoding="utf-8")}"""
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{shipped}.safetensors").write_bytes(weights.read_bytes())
    (out / f"{shipped}.md").write_text(card, encoding="utf-8")


def main() -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, metavar="RUNS", help="folder of run directories")
    parser.add_argument("--scale", choices=("tiny", "cpu", "gpu"), default="tiny", help="how much (tiny: a dry run)")
    parser.add_argument("--steps", type=int, metavar="N", help="steps of each training; default the scale's")
    parser.add_argument(
        "--gammas", type=float, nargs="+", default=[2.0], metavar="G", help="one fine-tuning each (2, which ships)"
    )
    parser.add_argument(
        "--readers", type=trained_against, nargs="+", default=[READERS], metavar="R",
        help="readers to train against, one codec each: ppocr easyocr ppocr=1,easyocr=1 (ppocr)",
    )  # fmt: skip
    parser.add_argument(
        "--heldout", default="", metavar="R",
        help=f"further readers of {' and '.join(MORE_READERS_ON)}: easyocr,ppocrv4,legere,gocr",
    )  # fmt: skip
    parser.add_argument("--minutes", type=float, default=25, metavar="M", help="stop after so many minutes (25)")
    parser.add_argument("--ship", action="store_true", help="do not train: copy what is finished, with a model card")
    parser.add_argument("--out", type=Path, default=SHIPPED, metavar="DIR", help="where to ship to (tfic/zoo)")
    args = parser.parse_args()
    until = time.monotonic() + 60 * args.minutes
    if not all(gamma > 0 for gamma in args.gammas):
        parser.error(f"--gammas is {args.gammas}; give numbers above 0")
    scale = replace(
        scales(args.steps, tuple(args.gammas), tuple(args.readers))[args.scale], readers=args.heldout.replace(",", "+")
    )
    runs = args.runs / f"{models.weights_of(scale.config.train.start)}-{scale.config.train.finetune_steps}"
    if args.ship:
        _ship(scale, runs, args.out)
        return 0
    try:
        _train(scale, runs, until)
        _measure(scale, runs, until)
    except _TimeUpError:
        print(f"{args.minutes:g} minutes are over; the same command goes on")
        return MORE_CALLS
    _compare(scale, runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
