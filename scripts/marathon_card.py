"""The foundation as it ships: half precision, measured at several qualities, and its model card."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from analysis import stats
from tfic.checkpoints import checkpoint
from tfic.codec.quality import lmbda_of
from tfic.codec.variable_rate import VariableRate
from tfic.config import Config, DataConfig, EvalConfig, TrainConfig
from tfic.measuring import in_processes
from tfic.measuring.row import ROWS_FILE, read_rows

NAME = "lite-vbr"
"""What it is called in the zoo, and the codec it is."""
QUALITIES = (0.0, 25.0, 50.0, 75.0, 100.0)
"""Qualities that are measured for the card."""
DOCUMENT_SHARE = 0.34
"""Share of the training pages that are pages of documents; the others are scenes."""
KINDS = {"scenes": 0.0, "documents": 1.0}
"""Kinds of test pages, each with its share of documents."""
COLUMNS = ("bpp", "psnr_db", "accuracy", "accuracy_lines", "accuracy_heldout")
WORDS = (
    "bits per pixel, whole file", "PSNR, dB", "accuracy, page, PP-OCRv6", "accuracy, lines at their true place",
    "accuracy, page, Tesseract (held out)",
)  # fmt: skip
"""What these columns are, in words."""


@dataclass(frozen=True)
class Trained:
    """How it was trained."""

    before: int
    """Steps of the codec that it started from."""
    steps: int
    """Steps since then."""
    seconds: float
    """The time that these took."""
    batch: int
    """Pages in a step."""
    learning_rate: float
    """Adam's, at its highest."""
    train_count: int
    """Training pages."""
    test_count: int
    """Test pages."""


def ship(codec: VariableRate, trained: Trained, run: Path, out: Path) -> None:
    """Write what ships: the average in half precision, measured at several qualities, and its model card."""
    half = run / "half.safetensors"
    checkpoint.halve(codec)
    config = Config(
        codec=NAME, lmbda=lmbda_of(50), eval=EvalConfig(detect_side_px=256),
        data=DataConfig(trained.train_count, trained.test_count, document_share=DOCUMENT_SHARE),
        train=TrainConfig(
            pretrain_steps=max(1, trained.before + trained.steps), batch=trained.batch, threads=1,
            learning_rate=trained.learning_rate,
        ),
    )  # fmt: skip
    checkpoint.save(codec, config, half)
    rows = {}
    for kind, share in KINDS.items():
        measuring = replace(config, data=replace(config.data, document_share=share))
        for quality, place in _places(run, kind).items():
            rows[kind, quality] = in_processes.measure(codec.at(quality), measuring, place)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{NAME}.safetensors").write_bytes(half.read_bytes())
    (out / f"{NAME}.md").write_text(_card(trained, run, config, half.stat().st_size), encoding="utf-8")
    print({key: {name: round(value, 4) for name, value in row.items()} for key, row in rows.items()})


def _places(run: Path, kind: str) -> dict[float, Path]:
    """Where the measurements on a kind of pages lie."""
    return {quality: run / "measured" / f"{kind}-{quality:g}" for quality in QUALITIES}


def _card(trained: Trained, run: Path, config: Config, size_bytes: int) -> str:
    """The model card, from settings and measured rows alone."""
    scenes, documents = (_places(run, kind) for kind in KINDS)
    data, train = config.data, config.train
    pages = f"{data.train_count:,} pages of {data.width_px} x {data.height_px} pixels"
    last = f"the last {trained.steps:,} in {trained.seconds / 3600:.1f} hours"
    return f"""# zoo/{NAME}

One codec for every quality, 0 to 100: `tfic.load("zoo/{NAME}").encode(image, quality=30)`. Trained for pixels alone, as
a foundation to fine-tune.

| | |
| --- | --- |
| codec | {NAME} |
| lambda | {config.lmbda:g} |
| quality | 50 where none is asked for, which is this lambda; quality 0 is {lmbda_of(0):g}, 100 is {lmbda_of(100):g} |
| gamma | 0 (stage 1 alone: the baseline) |
| steps | {train.pretrain_steps:,} (batch {train.batch}), {last}; averaged weights |
| data | in these last steps {pages}, {data.document_share:.0%} documents |
| file | {size_bytes:,} bytes, half precision |
| licence | Apache-2.0 |

Measured with these very weights on {data.test_count} test pages of fonts it was not trained on (detector at
{config.eval.detect_side_px} pixels); brackets are 95 % bootstrap intervals over the pages. At its own quality:

{by_measure(scenes[50.0])}

{by_quality(scenes)}

On as many pages of documents:

{by_quality(documents)}
"""


def by_measure(place: Path) -> str:
    """A table of one measurement, which lies in a folder."""
    rows = (f"| {what} | {_shown(place, column)} |" for what, column in zip(WORDS, COLUMNS, strict=True))
    return "\n".join(["| measure | mean |", "| --- | --- |", *rows])


def by_quality(places: Mapping[float, Path]) -> str:
    """A table of measurements, which lie in a folder for each quality."""
    head = f"| quality | lambda | bpp | PSNR, dB | page | lines | Tesseract |\n|{' --- |' * 7}\n"
    return head + "\n".join(
        f"| {quality:g} | {lmbda_of(quality):.3g} | " + " | ".join(_shown(place, each) for each in COLUMNS) + " |"
        for quality, place in places.items()
    )


def _shown(place: Path, column: str) -> str:
    values = np.array([getattr(row, column) for row in read_rows(place / ROWS_FILE)])
    return stats.show(stats.mean(values)) if np.isfinite(values).any() else "not measured"
