"""A finished dense sweep as a surface to search on: what each codec would measure, and what it would cost to make.

`dense_sweep.csv` holds every (lambda, gamma, floor) of 6 x 7 x 2, trained and measured for real; how is in LOG.md. A
point in between is interpolated: linearly in log gamma, and in the floor, between the measured ones of its lambda.
"""

import csv
from pathlib import Path

import numpy as np

from sweep.proposals import Point

DENSE = Path(__file__).with_name("dense_sweep.csv")
METRICS = ("bpp", "accuracy", "psnr_db")
COSTS = ("train_cpu_s", "measure_cpu_s")


class Surface:
    """The rows of a dense sweep, looked up and interpolated. Costs are seconds of one CPU core, training and measuring.

    Raises:
        ValueError: when a (gamma, floor) is missing for a lambda.
    """

    def __init__(self, path: Path = DENSE) -> None:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
        self.lmbdas = sorted({float(row["lmbda"]) for row in rows})
        tuned = {_point(row): row for row in rows if row["kind"] == "finetune"}
        self.gammas = sorted({point.gamma for point in tuned})
        self.floors = sorted({point.floor for point in tuned})
        missing = len(self.lmbdas) * len(self.gammas) * len(self.floors) - len(tuned)
        if missing:
            raise ValueError(f"{path} lacks {missing} of the product of its lambdas, gammas and floors; finish it first")
        self._tuned = {
            lmbda: np.array([[_numbers(tuned[Point(lmbda, g, f)]) for g in self.gammas] for f in self.floors])
            for lmbda in self.lmbdas
        }
        """(floors, gammas, columns) for each lambda."""
        self._pretrained = {float(row["lmbda"]): _numbers(row) for row in rows if row["kind"] == "pretrain"}

    def stage_1(self, lmbda: float) -> tuple[dict[str, float], float]:
        """Metrics and cost of a pre-trained codec."""
        return _split(self._pretrained[lmbda])

    def stage_2(self, point: Point) -> tuple[dict[str, float], float]:
        """Metrics and cost of a fine-tuned codec, without the stage 1 that it starts from."""
        x = np.log(self.gammas)
        per_floor = [
            [np.interp(np.log(point.gamma), x, column) for column in table.T] for table in self._tuned[point.lmbda]
        ]
        return _split([float(np.interp(point.floor, self.floors, column)) for column in zip(*per_floor, strict=True)])


def _point(row: dict[str, str]) -> Point:
    return Point(float(row["lmbda"]), float(row["gamma"]), float(row["floor"]))


def _numbers(row: dict[str, str]) -> list[float]:
    return [*(float(row[name]) for name in METRICS), sum(float(row[name]) for name in COSTS)]


def _split(numbers: list[float]) -> tuple[dict[str, float], float]:
    *metrics, cost = numbers
    return dict(zip(METRICS, metrics, strict=True)), cost
