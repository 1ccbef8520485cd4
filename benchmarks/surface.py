"""A finished dense sweep as a surface to search on: what each codec would measure, and what it would cost to make.

`dense_sweep.csv` holds 4 lambdas x 7 gammas at lmbda_share 1 and x 3 gammas at 0, trained and measured for real;
how is in LOG.md. A point in between is interpolated: linearly in log gamma, and in lmbda_share, between measured ones
of its lambda. The metrics carry the noise of their 24 test images, as a real sweep's do.
"""

import csv
from pathlib import Path

import numpy as np

from sweep.search.proposals import Point

DENSE = Path(__file__).with_name("dense_sweep.csv")
METRICS = ("bpp", "accuracy", "psnr_db")
COSTS = ("train_cpu_s", "measure_cpu_s")


class Surface:
    """The rows of a dense sweep, looked up and interpolated. Costs are seconds of one CPU core, training and measuring.

    Raises:
        ValueError: when a lambda lacks a (gamma, lmbda_share) that another has.
    """

    def __init__(self, path: Path = DENSE) -> None:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
        self.lmbdas = sorted({float(row["lmbda"]) for row in rows})
        tuned = {_point(row): _numbers(row) for row in rows if row["kind"] == "finetune"}
        self.lmbda_shares = sorted({point.lmbda_share for point in tuned})
        self._gammas = {
            share: sorted({point.gamma for point in tuned if point.lmbda_share == share}) for share in self.lmbda_shares
        }
        self.gammas = max(self._gammas.values(), key=len)
        product = [Point(lmbda, g, f) for lmbda in self.lmbdas for f in self.lmbda_shares for g in self._gammas[f]]
        missing = [point for point in product if point not in tuned]
        if missing:
            raise ValueError(f"{path} lacks {len(missing)} points, such as {missing[0]}; finish the sweep first")
        self._tuned = {
            (lmbda, f): np.array([tuned[Point(lmbda, g, f)] for g in self._gammas[f]])
            for lmbda in self.lmbdas
            for f in self.lmbda_shares
        }
        """(gammas, columns) for each lambda and lmbda_share."""
        self.step_s = {
            kind: [float(row["train_cpu_s"]) / int(row["steps"]) for row in rows if row["kind"] == kind]
            for kind in ("pretrain", "finetune")
        }
        """Seconds a step of each trial by kind."""
        self.measure_s = float(np.mean([float(row["measure_cpu_s"]) for row in rows]))
        """Mean seconds of measuring a codec."""
        self._pretrained = {float(row["lmbda"]): _numbers(row) for row in rows if row["kind"] == "pretrain"}

    def stage_1(self, lmbda: float) -> tuple[dict[str, float], float]:
        """Metrics and cost of a pre-trained codec."""
        return _split(self._pretrained[lmbda])

    def stage_2(self, point: Point) -> tuple[dict[str, float], float]:
        """Metrics and cost of a fine-tuned codec, without the stage 1 that it starts from."""
        x = np.log(point.gamma)
        at_share = [
            [np.interp(x, np.log(self._gammas[f]), column) for column in self._tuned[point.lmbda, f].T]
            for f in self.lmbda_shares
        ]
        return _split(
            [float(np.interp(point.lmbda_share, self.lmbda_shares, column)) for column in zip(*at_share, strict=True)]
        )


def _point(row: dict[str, str]) -> Point:
    return Point(float(row["lmbda"]), float(row["gamma"]), float(row["lmbda_share"]))


def _numbers(row: dict[str, str]) -> list[float]:
    return [*(float(row[name]) for name in METRICS), sum(float(row[name]) for name in COSTS)]


def _split(numbers: list[float]) -> tuple[dict[str, float], float]:
    *metrics, cost = numbers
    return dict(zip(METRICS, metrics, strict=True)), cost
