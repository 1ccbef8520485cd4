"""A sweep's results from MLflow: one row per finished run, one row per run and test image.

Only FINISHED runs are points. Reading changes nothing in the store, and creates none where there is none.
"""

import argparse
import difflib
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

from analysis import ranges, readers, records, row_tables, sets, trainings
from analysis.records import StoredRun
from tfic.config import LMBDA_SHARE
from tfic.measuring.row import MEASURES, ROWS_FILE
from tfic.system.store_uri import DEFAULT, check_exists, first_line, quiet_mlflow, resolve, shown

METRICS = (*MEASURES, "seconds", "gpu_hours")
"""Metrics of a point: means over the test images, and the seconds and GPU-hours that the trial took."""
FAMILIES = {
    "pretrain": "baseline", "control": "control", "halfway": "half of stage 1", "finetune": "TFIC",
    "uncompressed": "uncompressed",
}  # fmt: skip
"""Name of a kind of run in figures; a classical codec goes by its own name."""
CLASSICAL = {
    "jpeg": "JPEG", "webp": "WebP", "avif": "AVIF", "avif_slow": "AVIF, speed 0", "avif_444": "AVIF 4:4:4",
    "avif_half": "AVIF at half size", "webp_half": "WebP at half size",
    "avif_flat": "AVIF, text alone", "jpeg_flat": "JPEG, text alone",
    "jxl": "JPEG XL", "heic": "HEIC",
}  # fmt: skip
SEEDED = ("pretrain", "control", "halfway", "finetune", "candidate")
"""Kinds of runs that have a seed of their own or of the training that they are from."""
TUNED = ("finetune", "candidate")
NAMED = {
    LMBDA_SHARE: ("lmbda_share", TUNED), "train.tasks": ("for", TUNED), "train.readers": ("against", TUNED),
    "train.reading": ("reading", TUNED), "train.learns": ("learns", TUNED),
    "train.text_distortion": ("text distortion", TUNED), "train.rest_distortion": ("rest distortion", TUNED),
    "train.seed": ("seed", SEEDED),
}  # fmt: skip
"""Settings that a label has where fine-tunings differ in them: its name there, and the kinds that have it."""
FINISHED = "attributes.status = 'FINISHED' AND tags.trial_key LIKE '%'"
"""Filter of MLflow for the trials of a sweep that are points."""


@dataclass(frozen=True)
class Sweep:
    """The finished runs of one sweep."""

    name: str
    """Name of the sweep."""
    chosen: str
    """The reason for this sweep and not another of the store."""
    uri: str
    """Tracking URI."""
    points: pd.DataFrame
    """One row per finished run, by rising bpp.

    Columns: trial_key, kind, family, codec, label, variant (sets apart codecs of one lambda and gamma), lmbda,
    gamma, quality, seed, trained_against (as `train.readers`, "" for none), trained_for (as
    `train.tasks`), all METRICS, host (the machine that
    measured, "" where that is not known), run_id, parent, and those of `trainings.columns`; nan for none.
    """
    metadata: pd.DataFrame
    """Tags and parameters of the same runs, indexed by trial_key, with the times `started` and `ended`."""
    unfinished: int
    """Runs of the sweep that failed or still run, and so are no points."""
    test_set: str = ""
    """The test set that all points were measured on, in a few words."""
    others: tuple[str, ...] = ()
    """Names of the sweep's other test sets, as `--test-set` takes them."""

    @property
    def on(self) -> str:
        """The test set and the others, in a sentence; "" where there is but one."""
        if not self.others:
            return ""
        return f"Measured on {self.test_set}; --test-set shows others of this sweep: {', '.join(self.others)}."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the sweep and its store."""
    parser.add_argument("--name", help="the sweep; by default the only one of the store, else the most recent")
    parser.add_argument(
        "--test-set", metavar="SET", help="the test set, if the sweep has several; default the last one"
    )
    words = "held-out readers that a verdict needs, with commas: tesseract,easyocr; default those of the sweep"
    parser.add_argument("--heldout", metavar="NAMES", help=words)
    parser.add_argument(
        "--tracking-uri",
        default="",
        help=f"the MLflow store; by default $MLFLOW_TRACKING_URI, else {DEFAULT}",
    )


def load(uri: str, name: str | None = None, test_set: str | None = None) -> Sweep:
    """The finished runs of the sweep called `name` on one test set, by default of the most recent sweep and set.

    `uri` is a store as `tfic.system.store_uri.resolve` takes it.

    Raises:
        ValueError: when there is no store, no such sweep or test set (naming those that are), or no finished run.
    """
    uri = resolve(uri)
    client = opened(uri)
    try:
        experiment, chosen = _choose(client, name, uri)
        stored = records.read(client, uri, experiment.experiment_id)
    except (MlflowException, sqlite3.DatabaseError) as error:
        raise ValueError(f"the tracking store at {shown(uri)} cannot be read: {first_line(error, uri)}") from error
    # A trial key has one run; of two, the later one is that of a user who ran it again.
    runs = sorted((run for run in stored if run.status == "FINISHED"), key=lambda run: run.ended_ms)
    unfinished = len(stored) - len(runs)
    latest = {run.tags["trial_key"]: run for run in runs}
    every = {run.tags["trial_key"]: run for run in stored} | latest  # a run may start from one that is no point
    belongs = {key: sets.of_run(run, every) for key, run in latest.items()}
    here, others = _choose_set([belongs[run.tags["trial_key"]] for run in runs], test_set)
    latest = {key: run for key, run in latest.items() if belongs[key].identity == here.identity}
    finetuned = [run for run in latest.values() if run.tags["kind"] == "finetune"]
    named = [name for name in NAMED if len({run.params.get(name) for run in finetuned}) > 1]
    points = pd.DataFrame([_point(run, latest, named) | trainings.columns(run, every) for run in latest.values()])
    points = points.sort_values(["bpp", "trial_key"], ignore_index=True)
    metadata = pd.DataFrame([_metadata(run) for run in latest.values()]).set_index("trial_key")
    times = ["started", "ended"]
    metadata[times] = metadata[times].apply(pd.to_datetime, unit="ms")
    return Sweep(experiment.name, chosen, uri, points, metadata, unfinished, here.about, others)


def rows(sweep: Sweep, keys: Sequence[str] | None = None) -> pd.DataFrame:
    """The per-image measurements of every point, or of those of `keys`: the columns of rows.csv after `trial_key`.

    An image that some codec or reader could not take is left out of all, so that all are compared on the same images.

    Raises:
        ValueError: when a finished run's rows.csv is gone.
    """
    client = opened(sweep.uri)
    places = sweep.metadata["place"]
    runs = sweep.points.set_index("trial_key")["run_id"]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(8) as threads:
        wanted = list(runs.index) if keys is None else list(keys)
        files = threads.map(
            lambda key: _rows_file(client, key, runs[key], places[key], Path(folder)), wanted
        )  # fmt: skip
        table = row_tables.read(dict(zip(wanted, files, strict=True)))
    lacking = set(table.loc[table["accuracy"].isna(), "image"])
    table = table[~table["image"].isin(lacking)].reset_index(drop=True)
    if table.empty:
        raise ValueError(
            "no test image was measured by every codec of the sweep; "
            "rows.csv of the runs says why in its column `missing`"
        )
    return table.assign(**{name: float("nan") for name in MEASURES if name not in table})


def here(place: str, name: str) -> Path | None:
    """An artifact where it lies, if that is on this machine."""
    path = Path(local_file_uri_to_path(place), name) if is_local_uri(place) else None
    return path if path is not None and path.exists() else None


def opened(uri: str) -> MlflowClient:
    """A client for a store that exists and answers; a database that is missing is never created."""
    quiet_mlflow()
    check_exists(uri)
    try:
        return MlflowClient(tracking_uri=uri)
    except (MlflowException, ImportError) as error:
        raise ValueError(f"the tracking store at {shown(uri)} cannot be opened: {first_line(error, uri)}") from error


def _choose(client: MlflowClient, name: str | None, uri: str) -> tuple[Experiment, str]:
    """The sweep to show, and the reason for it; of each sweep only the last finished run is looked at."""
    sweeps = {each.name: each for each in client.search_experiments()}
    newest = ["attributes.end_time DESC"]
    last = {
        each.name: client.search_runs([each.experiment_id], FINISHED, max_results=1, order_by=newest)
        for each in sweeps.values()
    }
    ended = {each: found[0].info.end_time or 0 for each, found in last.items() if found}
    if not ended:
        raise ValueError(
            f"no finished run in {shown(uri)} yet; run `python -m sweep.run` first, or wait for its first trial"
        )
    if name is not None and name not in ended:
        near = difflib.get_close_matches(name, list(ended), n=1, cutoff=0.0)[0]
        known = ", ".join(sorted(ended))
        raise ValueError(
            f"no sweep {name!r} with finished runs in {shown(uri)}; did you mean {near!r}? There are: {known}"
        )
    if name is not None:
        return sweeps[name], "asked for by name"
    latest = max(ended, key=lambda each: ended[each])
    reason = f"the most recent of {', '.join(sorted(ended))}" if len(ended) > 1 else "the only one with finished runs"
    return sweeps[latest], reason


def _choose_set(measured: Sequence[sets.TestSet], asked: str | None) -> tuple[sets.TestSet, tuple[str, ...]]:
    """The test set to show and the names of the others, out of those of all runs, in the order in which they ended.

    A folder that was measured in several ways is that of its last run.
    """
    names = sets.names({each.identity: each for each in measured})
    by_identity = {identity: name for name, identity in names.items()}
    found = [each for each in measured if asked in (None, by_identity[each.identity], each.place)]
    if not found:
        raise ValueError(f"no test set {asked!r} in this sweep; there are: {', '.join(names)}")
    here = found[-1]
    return here, tuple(name for name, identity in names.items() if identity != here.identity)


def _point(run: StoredRun, runs: Mapping[str, StoredRun], named: Sequence[str]) -> dict[str, object]:
    """The point of a run. An intermediate checkpoint is a TFIC codec of its own, from its fine-tuning's baseline.

    `runs` has all runs by trial key. Labels have the settings of `named`, in which fine-tunings differ.
    """
    tags, params, metrics = run.tags, run.params, run.metrics
    kind, codec, parent = tags["kind"], params.get("codec", ""), tags.get("parent")
    if kind == "quality":
        kind, parent = ranges.training_of(tags["parent"], params["lmbda"], runs)
    more = "".join(
        f" {NAMED[name][0]} {params[name].removesuffix('.0')}"
        for name in named
        if kind in NAMED[name][1] and name in params
    )
    if kind == "candidate":
        kind, more = "finetune", f"{more} step {params['step']}"
        parent = runs[parent].tags.get("parent") if parent and parent in runs else None
    family = FAMILIES.get(kind) or CLASSICAL.get(codec, codec)
    numbers = {name: float(params.get(name, "nan")) for name in ("lmbda", "gamma", "quality")}
    return {
        "trial_key": tags["trial_key"],
        "kind": kind,
        "family": family,
        "codec": codec,
        "label": family + _setting(kind, numbers) + more,
        "variant": more.strip(),
        **numbers,
        "seed": float(params.get("train.seed", "nan")),
        "trained_against": readers.stated(params) if kind == "finetune" else "",
        "trained_for": params.get("train.tasks", "reading") if kind == "finetune" else "",
        **{name: metrics.get(name, float("nan")) for name in METRICS},
        "host": tags.get("host", ""),
        "run_id": run.run_id,
        "parent": parent,
    }


def _setting(kind: str, numbers: dict[str, float]) -> str:
    """The settings that set a point apart from the others of its family, in words."""
    if kind == "finetune":
        return f" λ {numbers['lmbda']:g} γ {numbers['gamma']:g}"
    if kind in ("pretrain", "control", "halfway"):
        return f" λ {numbers['lmbda']:g}"
    return f" q {numbers['quality']:g}" if kind == "classical" else ""


def _metadata(run: StoredRun) -> dict[str, object]:
    tags = {key: value for key, value in run.tags.items() if not key.startswith("mlflow.")}
    return {**run.params, **tags, "place": run.place, "started": run.started_ms, "ended": run.ended_ms}


def _rows_file(client: MlflowClient, trial_key: str, run_id: str, place: str, folder: Path) -> Path:
    """The rows.csv of a run: where it lies, if that is on this machine, else downloaded into a folder."""
    lies = here(place, ROWS_FILE)
    if lies is not None:
        return lies
    own = folder / run_id
    own.mkdir()
    try:
        return Path(client.download_artifacts(run_id, ROWS_FILE, str(own)))
    except (MlflowException, OSError) as error:
        raise ValueError(
            f"trial {trial_key} is finished but {place}/{ROWS_FILE} cannot be read; if the folder of the store was "
            "moved, `python -m sweep.relocate` writes the new place down"
        ) from error


def distinct(metadata: pd.DataFrame, column: str) -> Sequence[str]:
    """The different values of a tag or parameter among the runs, in order."""
    if column not in metadata:
        return []
    return sorted({str(value) for value in metadata[column].dropna()})
