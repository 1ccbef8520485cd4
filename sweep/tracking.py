"""The tracking store: one MLflow run per trial, the one truth about what is finished, with what, from what.

The driver creates the runs, alone, and hands their ids to the trials: several writers that search or create at once
make several runs for one key. A run is FINISHED only when everything is logged.
"""

import logging
import math
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from sweep.space import Record, Trial

CHECKPOINT = "checkpoint/codec.safetensors"
"""Where a run keeps its codec among its artifacts."""
DATABASES = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
"""Database servers MLflow can keep its store on, with the port each listens on unless told."""
TIMEOUT_S = 8.0
"""How long to wait for a tracking server's first sign of life, in seconds."""


def absolute_uri(uri: str) -> str:
    """`uri` such that it means the same from every folder.

    Raises:
        ValueError: when MLflow keeps no store at such an address.
    """
    scheme = urlsplit(uri).scheme.split("+")[0]
    if scheme == "sqlite":
        path = uri.partition(":///")[2]
        if not path:
            raise ValueError(f"tracking URI {uri!r} names no file; write sqlite:///mlflow.db")
        return f"sqlite:///{Path(path).absolute()}"
    if scheme not in ("http", "https", *DATABASES):
        raise ValueError(
            f"tracking URI {uri!r} is neither a server (http://host:5000) nor a database (sqlite:///mlflow.db)"
        )
    return uri.rstrip("/")


def sqlite_file(uri: str) -> Path | None:
    """The file of a store in SQLite, else None."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def check_reachable(uri: str) -> None:
    """Raise ValueError, within about ten seconds, unless the store's host or folder is there.

    MLflow itself would try again for minutes.
    """
    parts = urlsplit(uri)
    file = sqlite_file(uri)
    if file is not None:
        if not file.parent.is_dir():
            raise ValueError(f"tracking store {uri}: no folder {file.parent}; make it, or name another --tracking-uri")
        return
    try:
        if parts.scheme in ("http", "https"):
            urllib.request.urlopen(f"{uri}/health", timeout=TIMEOUT_S).close()
        else:
            port = parts.port or DATABASES[parts.scheme.split("+")[0]]
            socket.create_connection((parts.hostname or "localhost", port), timeout=TIMEOUT_S).close()
    except urllib.error.HTTPError as error:
        error.close()  # an answer, if a refusing one: what lives there shows when the store is opened
    except OSError as error:
        server = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"  # without a password
        raise ValueError(
            f"tracking server {server} does not answer ({error}); start it or name another --tracking-uri"
        ) from error


class Tracker:
    """The runs of one sweep.

    Args:
        uri: Address of the store, as `absolute_uri` gives it.
        sweep: Name of the sweep; it is the name of the MLflow experiment. The experiment is created with its first run.

    Raises:
        ValueError: when the store cannot be reached or opened.
    """

    def __init__(self, uri: str, sweep: str) -> None:
        self.uri = uri
        self.sweep = sweep
        check_reachable(uri)
        for name in ("mlflow", "alembic"):  # how a database is migrated is no news to who wants a sweep
            logging.getLogger(name).setLevel(logging.WARNING)
        try:
            self._client = MlflowClient(tracking_uri=uri)
            experiment = self._client.get_experiment_by_name(sweep)
        except (MlflowException, SQLAlchemyError) as error:
            raise ValueError(f"tracking store {uri} cannot be opened: {_first_line(error)}") from error
        if experiment is not None and experiment.lifecycle_stage != "active":
            raise ValueError(f"sweep {sweep!r} was deleted from {uri}; restore it there or choose another --name")
        self._experiment = experiment.experiment_id if experiment is not None else ""
        self._logged: dict[str, int] = {}

    def records(self) -> list[Record]:
        """Every trial of the sweep that the store knows, each once."""
        return [_record(run) for run in self._runs("").values()]

    def start(self, trial: Trial, proposed: bool = False) -> str:
        """The id of the trial's run, found or created, RUNNING and with its parameters. For the driver alone."""
        if not self._experiment:
            file = sqlite_file(self.uri)
            place = (file.parent / "mlartifacts").as_uri() if file is not None else None
            self._experiment = self._client.create_experiment(self.sweep, artifact_location=place)
        run = self._runs(f"tags.trial_key = '{trial.key}'").get(trial.key)
        if run is None:
            tags = {"trial_key": trial.key, "kind": trial.kind, "sweep": self.sweep}
            tags |= {"parent": trial.parent} if trial.parent else {}
            tags |= {"proposed": "true"} if proposed else {}
            run = self._client.create_run(self._experiment, tags=tags, run_name=trial.key)
        else:
            self._client.update_run(run.info.run_id, status="RUNNING")
            if "failure" in run.data.tags:
                self._client.delete_tag(run.info.run_id, "failure")
        missing = {name: value for name, value in params(trial).items() if name not in run.data.params}
        self._client.log_batch(run.info.run_id, params=[Param(name, value) for name, value in missing.items()])
        return run.info.run_id

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run."""
        self._client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])

    def log_step(self, run_id: str, step: int, metrics: Mapping[str, float]) -> None:
        """Log training metrics at a global step, unless it was logged before: a resumed trial replays some steps."""
        if run_id not in self._logged:
            history = self._client.get_metric_history(run_id, next(iter(metrics)))
            self._logged[run_id] = max((each.step for each in history), default=-1)
        if step > self._logged[run_id]:
            self._log(run_id, metrics, step)
            self._logged[run_id] = step

    def finish(self, run_id: str, metrics: Mapping[str, float], files: Path) -> None:
        """Log final metrics (the finite ones) and the files under a folder, then call the run FINISHED."""
        self._client.log_artifacts(run_id, str(files))
        known = self._client.get_run(run_id).data.metrics  # a kill may have come between the metrics and the end
        self._log(run_id, {name: value for name, value in metrics.items() if name not in known}, 0)
        self._client.set_terminated(run_id, "FINISHED")

    def fail(self, run_id: str, reason: str, details: str = "") -> None:
        """Call the run FAILED, with the reason as a tag and details, such as a traceback, as failure.txt."""
        self._client.set_tag(run_id, "failure", reason[:500])
        if details:
            self._client.log_text(run_id, details, "failure.txt")
        self._client.set_terminated(run_id, "FAILED")

    def stop(self, run_id: str) -> None:
        """Call a run KILLED: stopped on the way, to go on with the same command."""
        self._client.set_terminated(run_id, "KILLED")

    def failure(self, run_id: str) -> str:
        """Why the run failed, or ""."""
        return str(self._client.get_run(run_id).data.tags.get("failure", ""))

    def checkpoint(self, key: str, folder: Path) -> Path:
        """Download the codec of a finished trial into a folder.

        Raises:
            ValueError: when the store has no finished run of that trial with a codec.
        """
        run = self._runs(f"tags.trial_key = '{key}'").get(key)
        if run is None or run.info.status != "FINISHED":
            raise ValueError(f"no finished run of {key} in sweep {self.sweep!r} of {self.uri}; train it first")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return Path(self._client.download_artifacts(run.info.run_id, CHECKPOINT, str(folder)))
        except (MlflowException, OSError) as error:
            raise ValueError(f"the run of {key} has lost its {CHECKPOINT}: {_first_line(error)}") from error

    def _log(self, run_id: str, metrics: Mapping[str, float], step: int) -> None:
        now = int(time.time() * 1000)
        finite = [Metric(name, value, now, step) for name, value in metrics.items() if math.isfinite(value)]
        self._client.log_batch(run_id, metrics=finite)

    def _runs(self, filter_string: str) -> dict[str, Run]:
        """Runs of the sweep by trial key; if someone made two, the finished one, then the newest."""
        found: dict[str, Run] = {}
        token: str | None = None
        while self._experiment:
            page = self._client.search_runs(
                [self._experiment], filter_string, max_results=1000, order_by=["start_time ASC"], page_token=token
            )
            for run in page:
                key = run.data.tags.get("trial_key", "")
                if key and not (key in found and found[key].info.status == "FINISHED"):
                    found[key] = run
            token = page.token
            if not token:
                break
        return found


def params(trial: Trial) -> dict[str, str]:
    """Parameters of the trial's run: codec, lmbda, gamma or quality, then its settings as `train.batch`."""
    config = asdict(trial.config)
    learned = trial.kind in ("pretrain", "finetune")
    found = {"codec": trial.config.codec}
    if learned:
        found |= {"lmbda": str(trial.config.lmbda), "gamma": str(trial.config.gamma)}
    if trial.kind == "classical":
        found["quality"] = str(trial.quality)
    for table in ("data", "train", "eval") if learned else ("data", "eval"):
        found |= {f"{table}.{name}": str(value) for name, value in config[table].items()}
    return found


def _record(run: Run) -> Record:
    tags, settings = run.data.tags, run.data.params
    finished = run.info.status == "FINISHED"
    return Record(
        key=tags["trial_key"],
        kind=tags.get("kind", ""),
        finished=finished,
        lmbda=float(settings.get("lmbda", 0)),
        gamma=float(settings.get("gamma", 0)),
        proposed="proposed" in tags,
        metrics=dict(run.data.metrics) if finished else {},
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
