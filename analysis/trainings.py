"""What decides a training without reading: only codecs of one such training, at their lambdas, compare.

A codec after stage 2 is held against controls and baselines that have had its stage 1, on its images, and controls that
have had as many steps after it. The seed is no part of it: trainings of several seeds are one.
"""

import hashlib
import json
from collections.abc import Mapping

import pandas as pd

from analysis.records import StoredRun, decided
from analysis.sets import MEASURED
from tfic.config import CONTROL, LATER, STAGE_1, TrainConfig

OWN = frozenset(("codec", "lmbda", "parent", "train.seed", *MEASURED))
"""What decides a codec of stage 1 and is no part of its training here: its own place in it, and its measurement."""
IMAGES = ("train_count", "train_dir", "seed", "height_px", "width_px", "background_dir", "font_dir", "document_share")
"""Parameters of [data] that say which images were trained on."""


def columns(run: StoredRun, runs: Mapping[str, StoredRun]) -> dict[str, object]:
    """The columns of a point that say how it was trained.

    `stage_1` is a digest of what decides stage 1, `continued` one of what decides how a control goes on, and
    `warm_lmbda` the lambda whose codec stage 1 started from, 0 for none.

    Args:
        run: A run.
        runs: All runs of the sweep by trial key.
    """
    params = run.params
    facts = _decided(run, runs) or _stated(params)
    continued = {name: params[f"train.{name}"] for name in CONTROL if f"train.{name}" in params}
    return {
        "stage_1": _digest(facts),
        "continued": _digest(continued),
        "warm_lmbda": float(params.get("warm_lmbda", 0)),
    }


def same_start(points: pd.DataFrame, point: pd.Series) -> pd.Series:
    """Which points belong to the warm start of `point`, or have none like it; the one that others start from does."""
    if warm := point["warm_lmbda"]:
        return (points["warm_lmbda"] == warm) | ((points["warm_lmbda"] == 0) & (points["lmbda"] == warm))
    return points["warm_lmbda"].isin([0, point["lmbda"]])


def _digest(facts: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:10]


def _decided(run: StoredRun, runs: Mapping[str, StoredRun]) -> dict[str, object]:
    """What decided the stage 1 of a run; {} where the run that it started from does not say."""
    return {name: value for name, value in decided(run, runs, "codec").items() if name not in OWN}


def _stated(params: Mapping[str, str]) -> dict[str, object]:
    """The same by the parameters of a run, of stores that say no more."""
    usual = {f"train.{name}": str(getattr(TrainConfig(), name)) for name in LATER}
    names = [f"train.{name}" for name in STAGE_1 - {"seed"}] + [f"data.{name}" for name in IMAGES]
    return {name: params[name] for name in names if name in params and params[name] != usual.get(name)}
