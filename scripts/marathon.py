"""Train the foundation, one lite-vbr for every quality, for as long as there is time.

    python scripts/marathon.py RUN --scale cpu --minutes 60    # again and again: each call goes on from the last
    python scripts/marathon.py RUN --scale cpu --ship          # half precision, measured, with a card, into tfic/zoo

The first call in RUN starts from the shipped lite-vbr. In each call the learning rate rises over the first steps,
stays, and falls to a twentieth over the last part of the minutes (`--fall`); what is measured and shipped is a running
average of the weights. A call that was killed loses at most `SAVE_EVERY_S`. Since the schedule follows the clock, no
two marathons give the same weights to the bit.

RUN holds `state.pt` (weights, optimiser, average), `training.csv` (means over 100 steps, for three thirds of the range
of quality), `evaluations.csv` (real bytes on a few scenes and documents, neither trained nor tested on) and, after
--ship, `half.safetensors` with a measurement for each quality. Exit codes: 0 done, 2 bad input.
"""

import argparse
import copy
import csv
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from marathon_card import DOCUMENT_SHARE, KINDS, NAME, Trained, ship
from torch import Tensor

import tfic
from tfic.checkpoints import checkpoint, models
from tfic.codec.image_codec import ImageCodec
from tfic.codec.lite_vbr import lite_vbr
from tfic.codec.quality import lmbda_of
from tfic.codec.variable_rate import VariableRate
from tfic.config import DataConfig
from tfic.data import draw_set
from tfic.measuring import metrics
from tfic.ocr.page import PPOCRPageReader
from tfic.pages.lines import Page
from tfic.training.crops import draw_crops

SHIPPED = Path(__file__).parent.parent / "tfic" / "zoo"
QUALITIES = (0.0, 25.0, 50.0, 75.0, 100.0)
"""Qualities that are measured on the way."""
MEASURES = ("bpp", "psnr_db", "accuracy_lines")
"""What is measured on the way."""
SAVE_EVERY_S, LOG_EVERY = 240.0, 100
WARM_UP, FALL, LEAST = 100, 1 / 6, 0.05
"""Steps in which the learning rate rises; share of a call in which it falls, unless another is given; what is left."""
DECAY = 0.999
"""Of the running average, for each step."""


@dataclass(frozen=True)
class Scale:
    """How much a machine can do."""

    train_count: int
    """Drawn training pages of 256 x 256 pixels, scenes and documents."""
    held_count: int
    """Pages of each kind that are measured on the way."""
    test_count: int
    """Test pages of the model card."""
    batch: int
    """Pages in a step, each with a quality of its own."""
    learning_rate: float
    """Adam's, at its highest."""
    evaluate_every: int
    """Steps from one measurement on the way to the next."""
    device: str = "cpu"
    """Where it trains; on a CPU with one thread."""


def scales() -> dict[str, Scale]:
    """Scales by name: a dry run, one CPU core, one GPU."""
    return {
        "tiny": Scale(16, 1, 2, batch=2, learning_rate=6e-4, evaluate_every=2),
        "cpu": Scale(9000, 24, 100, batch=4, learning_rate=6e-4, evaluate_every=4000),
        "gpu": Scale(30_000, 100, 600, batch=32, learning_rate=1e-3, evaluate_every=2000, device="cuda"),
    }


class Marathon:
    """A training, its state and what it leaves in a directory."""

    def __init__(self, run: Path, scale: Scale) -> None:
        self.run, self.scale = run, scale
        self.codec = started()
        self.codec.to(scale.device).train()
        self.parameters = [each for each in self.codec.parameters() if each.requires_grad]
        self.optimiser = torch.optim.Adam(self.parameters, lr=scale.learning_rate, fused=True)
        self.average = copy.deepcopy(self.codec)
        self.step, self.seconds, self.before = 0, 0.0, steps_before()
        if self.state.exists():
            saved = torch.load(self.state, map_location=scale.device, weights_only=True)
            for name in ("codec", "optimiser", "average"):
                getattr(self, name).load_state_dict(saved[name])
            self.step, self.seconds = saved["step"], saved["seconds"]
            self.before = saved.get("before", self.before)

    @property
    def state(self) -> Path:
        """Where the state lies."""
        return self.run / "state.pt"

    def train(self, minutes: float, fall: float = FALL) -> None:
        """Train for so many minutes, in whose last part, the share `fall`, the learning rate falls."""
        self.run.mkdir(parents=True, exist_ok=True)
        pages = draw_set("train", self.scale.train_count, DataConfig(document_share=DOCUMENT_SHARE))
        begun = saved = before = time.monotonic()
        first, end = self.step, begun + 60 * minutes
        sums = np.zeros((3, 4))
        while (now := time.monotonic()) < end:
            self.seconds, before = self.seconds + now - before, now
            left = (end - now) / (60 * minutes * fall)
            self._learn(pages, min(1.0, (self.step - first + 1) / WARM_UP) * min(1.0, max(LEAST, left)), sums)
            if self.step % LOG_EVERY == 0:
                self._log(sums)
            if self.step % self.scale.evaluate_every == 0:
                self.evaluate()
                before = time.monotonic()  # what measuring costs is no training
            if time.monotonic() - saved > SAVE_EVERY_S:
                self.save()
                saved = time.monotonic()
        self.save()
        self.evaluate()

    def averaged(self) -> VariableRate:
        """The running average, on the CPU, ready to code."""
        codec = lite_vbr()
        codec.load_state_dict(self.average.state_dict())
        codec.eval().update()
        return codec

    def save(self) -> None:
        """Write the state, whole or not at all."""
        parts = {name: getattr(self, name).state_dict() for name in ("codec", "optimiser", "average")}
        partial = self.state.with_suffix(".partial")
        counts = {"step": self.step, "seconds": self.seconds, "before": self.before}
        torch.save({**parts, **counts}, partial)
        partial.replace(self.state)

    def evaluate(self) -> None:
        """Append what the average does on held pages, in real bytes."""
        codec, reader = self.averaged(), PPOCRPageReader(256, 1)
        for kind, share in KINDS.items():
            pages = draw_set("test", self.scale.held_count, DataConfig(seed=1, document_share=share))
            for quality in QUALITIES:
                measured = np.mean([_measured(codec.at(quality), page, reader) for page in pages], 0)
                row: dict[str, float | str] = {"step": self.step, "seconds": round(self.seconds), "quality": quality}
                row |= {"lmbda": round(lmbda_of(quality), 6)}
                row |= {name: round(float(value), 5) for name, value in zip(MEASURES, measured, strict=True)}
                _append(self.run / "evaluations.csv", row | {"pages": kind})

    def _learn(self, pages: Sequence[Page], share: float, sums: np.ndarray) -> None:
        scale = self.scale
        rng = np.random.default_rng([0, self.before + self.step])
        torch.manual_seed(int(rng.integers(2**62)))
        x = draw_crops(pages, rng, scale.batch, 256, 256, on_text=False).on(scale.device)
        x = x.contiguous(memory_format=torch.channels_last)
        # one quality from each part of the range, so that every step sees all of it
        qualities = 100 * (rng.permutation(scale.batch) + rng.random(scale.batch)) / scale.batch
        lmbdas = torch.tensor([lmbda_of(each) for each in qualities], dtype=torch.float32, device=x.device)
        for group in self.optimiser.param_groups:
            group["lr"] = scale.learning_rate * share
        self.optimiser.zero_grad(set_to_none=True)
        losses, terms = _losses(self.codec, x, torch.tensor(qualities, dtype=torch.float32, device=x.device), lmbdas)
        losses.mul((lmbda_of(50) / lmbdas).sqrt()).mean().backward()
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters, 1.0))
        if not math.isfinite(norm):
            raise FloatingPointError(f"the gradient's norm is {norm} at step {self.step + 1}; look at the images")
        self.optimiser.step()
        # a running average that begins at once: early steps weigh more
        share_of_new = 1 - min(DECAY, (self.step + 1) / (self.step + 10))
        averages = [each.detach() for each in self.average.parameters()]
        torch._foreach_lerp_(averages, [each.detach() for each in self.codec.parameters()], share_of_new)
        self.step += 1
        np.add.at(sums, np.minimum((qualities * 3 / 100).astype(int), 2), np.c_[terms.cpu().numpy().T, np.ones(len(x))])

    def _log(self, sums: np.ndarray) -> None:
        row: dict[str, float | str] = {"step": self.step, "seconds": round(self.seconds, 1)}
        row["lr"] = self.optimiser.param_groups[0]["lr"]
        for third, name in zip(sums, ("low", "mid", "high"), strict=True):
            values = third[:3] / max(1, third[3])
            row |= {
                f"{term}_{name}": round(float(v), 7) for term, v in zip(("loss", "bpp", "mse"), values, strict=True)
            }
        _append(self.run / "training.csv", row)
        sums[:] = 0


def _losses(codec: VariableRate, x: Tensor, qualities: Tensor, lmbdas: Tensor) -> tuple[Tensor, Tensor]:
    """`lmbda * 255^2 * MSE + bpp` of each image, and loss, bpp and MSE for the log.

    The mean over a batch weighs each by 1 / sqrt(lambda), or high qualities would have all the say.
    """
    result = codec.at_qualities(x, qualities)
    bpp = torch.stack([-each.log2().flatten(1).sum(1) for each in result.likelihoods]).sum(0) / x[0, 0].numel()
    mse = (result.x_hat - x).square().mean((1, 2, 3))
    losses = lmbdas * 255**2 * mse + bpp
    return losses, torch.stack([losses, bpp, mse]).detach()


def _measured(codec: ImageCodec, page: Page, reader: PPOCRPageReader) -> tuple[float, float, float]:
    data = codec.encode(page.image)
    x_hat = np.asarray(codec.decode(data))
    read = reader.read_lines(x_hat, [line.quad for line in page.lines])
    lines = [metrics.accuracy(line.text, text) for line, text in zip(page.lines, read, strict=True)]
    return 8 * len(data) / page.image[..., 0].size, metrics.psnr_db(page.image, x_hat), float(np.mean(lines))


def _append(path: Path, row: dict[str, float | str]) -> None:
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def started() -> VariableRate:
    """The codec before the first step, which goes on from the best that ships."""
    torch.manual_seed(0)
    codec = lite_vbr()
    codec.load_state_dict(tfic.load(f"zoo/{NAME}").state_dict())
    return codec


def steps_before() -> int:
    """Steps that the shipped codec was trained for."""
    return checkpoint.config_of(models.find(f"zoo/{NAME}")).train.pretrain_steps


def main() -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN", help="directory of this training")
    parser.add_argument("--scale", choices=scales(), default="tiny", help="how much a machine can do (tiny: a dry run)")
    parser.add_argument("--minutes", type=float, default=25, metavar="M", help="train for so many minutes (25)")
    parser.add_argument("--fall", type=float, default=FALL, metavar="S", help="share of them with a falling rate (1/6)")
    parser.add_argument("--ship", action="store_true", help="do not train: measure and ship")
    parser.add_argument("--out", type=Path, default=SHIPPED, metavar="DIR", help="where to ship to (tfic/zoo)")
    args = parser.parse_args()
    if not args.minutes > 0:
        parser.error(f"--minutes is {args.minutes}; give a number above 0")
    if not 0 < args.fall <= 1:
        parser.error(f"--fall is {args.fall}; give a share above 0, at most 1")
    torch.set_num_threads(1)
    marathon = Marathon(args.run, scales()[args.scale])
    if args.ship:
        scale = marathon.scale
        trained = Trained(
            marathon.before, marathon.step, marathon.seconds, scale.batch, scale.learning_rate, scale.train_count,
            scale.test_count,
        )  # fmt: skip
        ship(marathon.averaged(), trained, args.run, args.out)
    else:
        marathon.train(args.minutes, args.fall)
    return 0


if __name__ == "__main__":
    sys.exit(main())
