"""A response surface: a quadratic of the logarithms of lambda and gamma, fitted to fine-tunings.

Importance is permutation importance: the squared change of the surface when one setting's values are shuffled among
the codecs, mean over shuffles, as a part of the sum over the settings, so that a setting that does not matter comes
out near 0. It says what decided a measure within the ranges of this sweep, and no more.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfic.config import LMBDA_SHARE

POOLED = {
    "train.tasks": "tasks", "train.readers": "readers", "train.reading": "terms of reading",
    "train.learns": "parts that learn", "train.text_distortion": "weights of distortion on text",
    "train.rest_distortion": "weights of distortion elsewhere", LMBDA_SHARE: "lmbda shares", "train.seed": "seeds",
}  # fmt: skip
"""Parameters of a run that the surface does not have, by their names for people."""
SHUFFLES = 30
"""Shuffles of each setting."""
GRID = 40
"""Values of lambda and of gamma at which the surface is drawn."""


@dataclass(frozen=True)
class Surface:
    """A fitted surface of one measure."""

    names: tuple[str, ...]
    """Its settings."""
    centre: np.ndarray
    """Mean of each setting, lambda and gamma as logarithms."""
    scale: np.ndarray
    """Their standard deviations."""
    squares: tuple[int, ...]
    """Places of the settings whose squares are terms: a square of two values adds nothing."""
    coefficients: np.ndarray
    """Of the quadratic's terms."""
    explained: float
    """Part of the measure's variance between codecs that it explains, adjusted for its terms."""

    def at(self, settings: np.ndarray) -> np.ndarray:
        """The measure at settings (codecs, names), lambda and gamma as logarithms."""
        return _terms((settings - self.centre) / self.scale, self.squares) @ self.coefficients


def settings_of(tuned: pd.DataFrame) -> tuple[tuple[str, ...], np.ndarray]:
    """The settings of fine-tunings that vary: their names, and values with lambda and gamma as logarithms."""
    columns = {name: np.log(tuned[name].to_numpy(dtype=float)) for name in ("lmbda", "gamma")}
    varying = {name: values for name, values in columns.items() if len(np.unique(values)) > 1}
    return tuple(varying), np.stack(list(varying.values()), axis=1) if varying else np.empty((len(tuned), 0))


def pooled(metadata: pd.DataFrame) -> list[str]:
    """Other settings in which the fine-tunings of a sweep differ, by their names: the surface takes them together."""
    tuned = metadata[metadata["kind"].isin(["finetune", "candidate"])]
    return [title for name, title in POOLED.items() if name in tuned and tuned[name].nunique(dropna=False) > 1]


def fit(names: tuple[str, ...], settings: np.ndarray, measure: np.ndarray) -> Surface | None:
    """The least-squares quadratic, or None where the codecs are too few for its terms or do not differ."""
    if not names or not len(measure):
        return None
    centre, scale = settings.mean(axis=0), settings.std(axis=0)
    if (scale == 0).any():
        return None
    squares = tuple(i for i in range(len(names)) if len(np.unique(settings[:, i])) > 2)
    terms = _terms((settings - centre) / scale, squares)
    free = len(measure) - terms.shape[1]
    if free < 2 or np.var(measure) == 0:
        return None
    coefficients, _, rank, _ = np.linalg.lstsq(terms, measure, rcond=None)
    if rank < terms.shape[1]:
        return None
    left = float(((measure - terms @ coefficients) ** 2).sum() / free)
    return Surface(names, centre, scale, squares, coefficients, 1 - left / float(np.var(measure, ddof=1)))


def importance(surface: Surface, settings: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Permutation importance of each setting, in parts that sum to 1."""
    rng = np.random.default_rng(seed)
    fitted = surface.at(settings)
    lost = []
    for column in range(settings.shape[1]):
        shuffled = settings.copy()
        errors = []
        for _ in range(SHUFFLES):
            shuffled[:, column] = rng.permutation(settings[:, column])
            errors.append(((surface.at(shuffled) - fitted) ** 2).mean())
        lost.append(float(np.mean(errors)))
    total = sum(lost) or 1.0
    return {name: value / total for name, value in zip(surface.names, lost, strict=True)}


def grid(surface: Surface, settings: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The surface over lambda and gamma, other settings at their means: (lambdas, gammas, measure by gamma, lambda)."""
    where = [surface.names.index(name) for name in ("lmbda", "gamma")]
    axes = [np.linspace(settings[:, each].min(), settings[:, each].max(), GRID) for each in where]
    lmbda, gamma = np.meshgrid(*axes)
    points = np.tile(surface.centre, (lmbda.size, 1))
    points[:, where[0]], points[:, where[1]] = lmbda.ravel(), gamma.ravel()
    return np.exp(axes[0]), np.exp(axes[1]), surface.at(points).reshape(lmbda.shape)


def _terms(x: np.ndarray, squares: tuple[int, ...]) -> np.ndarray:
    """1, each setting, some squares and each product of two, (codecs, terms)."""
    count = x.shape[1]
    products = [x[:, i] * x[:, j] for i in range(count) for j in range(i + 1, count)]
    return np.column_stack([np.ones(len(x)), x, *(x[:, i] ** 2 for i in squares), *products])
