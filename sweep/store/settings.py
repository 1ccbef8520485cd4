"""The settings of a sweep as its store keeps them, with the moment at which its last driver began."""

import json
import time
from collections.abc import Mapping
from typing import Any

from mlflow.tracking import MlflowClient

from sweep.store.tracking import Tracker
from tfic.system.store_uri import check_reachable, shown

SETTINGS = "settings"
"""Experiment tag with the settings of the sweep: the tables of its sweep.toml, and `BEGAN`."""
BEGAN = "began"
"""When its last driver began, in seconds since 1970; earlier versions did not keep it."""


def keep(tracker: Tracker, tables: Mapping[str, Any]) -> None:
    """Keep the settings of a sweep whose driver begins now. Does not wait."""
    tracker.set_experiment_tag(SETTINGS, {**tables, BEGAN: time.time()})


def kept(tracker: Tracker) -> dict[str, Any]:
    """The settings of a sweep that were kept; {} for none. Does not wait."""
    return {name: value for name, value in tracker.experiment_tag(SETTINGS).items() if name != BEGAN}


def last_sweep(uri: str) -> str:
    """Name of the sweep in a store that was driven last.

    Raises:
        ValueError: when there is none.
    """
    check_reachable(uri)
    last, name = -1.0, ""
    for experiment in MlflowClient(tracking_uri=uri).search_experiments(order_by=["creation_time DESC"]):
        began = json.loads(experiment.tags[SETTINGS]).get(BEGAN, 0.0) if SETTINGS in experiment.tags else -1.0
        if began > last:
            last, name = began, str(experiment.name)
    if not name:
        raise ValueError(f"{shown(uri)} has no sweep that `python -m sweep.run` began; name another --tracking-uri")
    return name
