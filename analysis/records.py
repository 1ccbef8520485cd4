"""The runs of a sweep as the store has them, all read at once.

A store in SQLite is read as the database that it is, with one query per table, and is not changed by it: 10,000 runs in
a second. Any other store is asked through MLflow, a page of runs at a time.
"""

import json
import math
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from tfic.system.store_uri import sqlite_file

PAGE = 1000
"""Runs that a server sends at a time."""
RUNS = (
    "SELECT run_uuid, status, start_time, end_time, artifact_uri FROM runs "
    "WHERE experiment_id = ? AND lifecycle_stage = 'active'"
)
OF_RUNS = "FROM {} JOIN runs USING (run_uuid) WHERE experiment_id = ? AND lifecycle_stage = 'active'"
"""Queries of MLflow's tables: the runs of an experiment, and what belongs to them."""


@dataclass(frozen=True)
class StoredRun:
    """A run of the store: one trial."""

    run_id: str
    """Its id."""
    status: str
    """FINISHED, or why it is no point."""
    started_ms: int
    """Start in ms since 1970; 0 where it is not known."""
    ended_ms: int
    """End, likewise."""
    place: str
    """Address of its artifacts."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Its tags."""
    params: Mapping[str, str] = field(default_factory=dict)
    """Its parameters."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """The last value of each metric."""


def read(client: MlflowClient, uri: str, experiment: str) -> list[StoredRun]:
    """Every trial of an experiment, finished or not: the runs that have a trial key.

    Raises:
        MlflowException: when a server does not answer.
        sqlite3.DatabaseError: when a database does not have MLflow's tables.
    """
    file = sqlite_file(uri)
    found = _of_server(client, experiment) if file is None else _of_file(file, int(experiment))
    return [run for run in found if "trial_key" in run.tags]


def _of_file(file: Path, experiment: int) -> list[StoredRun]:
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as database:
        database.execute("BEGIN")  # all tables as of one moment, while a sweep writes
        heads = database.execute(RUNS, (experiment,)).fetchall()
        belongs: dict[str, dict[str, dict]] = {table: {run: {} for run, *_ in heads} for table in ("tags", "params")}
        for table, into in belongs.items():
            for run, name, value in database.execute(
                f"SELECT run_uuid, key, value {OF_RUNS.format(table)}", (experiment,)
            ):
                into[run][name] = value
        metrics: dict[str, dict[str, float]] = {run: {} for run, *_ in heads}
        query = f"SELECT run_uuid, key, value, is_nan {OF_RUNS.format('latest_metrics')}"
        for run, name, value, is_nan in database.execute(query, (experiment,)):
            metrics[run][name] = math.nan if is_nan else value
    tags, params = belongs["tags"], belongs["params"]
    return [
        StoredRun(run, status, start or 0, end or 0, place or "", tags[run], params[run], metrics[run])
        for run, status, start, end, place in heads
    ]


def _of_server(client: MlflowClient, experiment: str) -> list[StoredRun]:
    found: list[StoredRun] = []
    token = None
    while True:
        page = client.search_runs([experiment], max_results=PAGE, page_token=token)
        for run in page:
            info, data = run.info, run.data
            found.append(
                StoredRun(info.run_id, info.status, info.start_time or 0, info.end_time or 0, str(info.artifact_uri),
                          data.tags, data.params, data.metrics)
            )  # fmt: skip
        token = page.token
        if not token:
            return found


def decided(run: StoredRun, runs: Mapping[str, StoredRun], name: str) -> dict[str, Any]:
    """All that decided a run's key, or that of the run it started from: the first that has `name`; {} where none has.

    Args:
        run: a run.
        runs: by trial key, those whose codecs it started from.
        name: an entry that is asked for.
    """
    seen: set[str] = set()
    while run.run_id not in seen:
        seen.add(run.run_id)
        decides: dict[str, Any] = json.loads(run.tags.get("decides", "{}"))
        if name in decides:
            return decides
        run = runs.get(run.tags.get("parent", ""), run)
    return {}
