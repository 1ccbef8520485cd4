"""The tracking store: one MLflow run per trial, from which every sweep is resumed.

Only the driver creates runs, and it hands their ids to the trials: several processes that search and create at once
would make several runs for one key. A run is FINISHED only when everything is logged. Calls wait for a store that is
away.
"""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from sweep.spec.limits import Limits
from sweep.spec.trials import Trial
from sweep.store import view
from sweep.store.datasets import inputs
from sweep.store.measured import Measured, find_measured
from sweep.store.moved import find_moved
from sweep.store.retry import Retry
from sweep.store.schema import COST, SPENT, Record, params, record, tags
from tfic.system.store_uri import CHECKPOINT, check_reachable, first_line, quiet_mlflow, shown, sqlite_file

STATE = "state"
"""Artifact folder of an unfinished run for the state from which its training resumes on another machine."""
BATCH = 200
"""Reports of a training in one batch: MLflow takes 1,000 metrics at a time."""
KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Tag of an experiment for which MLflow's UI opens the runs instead of the traces of language models."""
STEP_METRIC = "train_loss"
"""A metric that every report of a training has."""
Entry = tuple[int, Mapping[str, float]]
"""A global step and the training metrics there."""


class Tracker:
    """The runs of one sweep.

    Args:
        uri: Address of the store, as `tfic.system.store_uri.resolve` gives it.
        sweep: Name of the sweep; it is the name of the MLflow experiment. The experiment is created with its first run.
        retry_s: The longest to wait, in each call, for a store that is away.
        tell: Takes a line when waiting begins and one when it ends.
        known: Whether the store is known to exist: then it is waited for already here.

    Raises:
        ValueError: when the store cannot be reached or opened.
        StoreAwayError: (each method) when the store is away for longer than `retry_s`.
    """

    def __init__(
        self,
        uri: str,
        sweep: str,
        retry_s: float = Limits().store_retry_s,
        tell: Callable[[str], None] = lambda line: None,
        known: bool = False,
    ) -> None:
        self.uri = uri
        self.sweep = sweep
        self._retry = Retry(uri, retry_s, tell)
        if known:
            self._retry(check_reachable, uri)
        else:
            check_reachable(uri)
        moved = find_moved(file) if (file := sqlite_file(uri)) else None
        if moved:
            raise ValueError(moved.sentence())
        quiet_mlflow()
        try:
            self._client = MlflowClient(tracking_uri=uri)
            experiment = self._retry(self._client.get_experiment_by_name, sweep)
        except (MlflowException, SQLAlchemyError) as error:
            raise ValueError(f"tracking store {shown(uri)} cannot be opened: {first_line(error, uri)}") from error
        if experiment is not None and experiment.lifecycle_stage != "active":
            raise ValueError(
                f"sweep {sweep!r} was deleted from {shown(uri)}; restore it there or choose another --name"
            )
        self._experiment = experiment.experiment_id if experiment is not None else ""

    def stop_waiting(self) -> None:
        """From now on, fail at once when the store is away."""
        self._retry = Retry(self.uri, 0)

    def records(self) -> list[Record]:
        """Every trial of the sweep that the store knows, each once."""
        return [record(run) for run in self._retry(self._runs, "").values()]

    def start(self, trial: Trial, proposed: bool = False) -> str:
        """Find or create the trial's run, set it to RUNNING with its parameters, return its id. For the driver only.

        A FINISHED run is left as it is: here, and by `fail` and `stop`.
        """
        return self._retry(self._start, trial, proposed)

    def _start(self, trial: Trial, proposed: bool) -> str:
        self._open()
        run = self._runs(f"tags.trial_key = '{trial.key}'").get(trial.key)
        if run is None:
            run = self._client.create_run(self._experiment, tags=tags(trial, self.sweep, proposed), run_name=trial.key)
        elif run.info.status == "FINISHED":
            return run.info.run_id
        else:
            self._client.update_run(run.info.run_id, status="RUNNING")
            for tag in run.data.tags.keys() & {"failure", "stopped"}:
                self._client.delete_tag(run.info.run_id, tag)
        missing = {name: value for name, value in params(trial).items() if name not in run.data.params}
        self._client.log_batch(run.info.run_id, params=[Param(name, value) for name, value in missing.items()])
        self._client.log_inputs(run.info.run_id, inputs(trial))
        return run.info.run_id

    def _open(self) -> None:
        """Create the experiment if it does not exist yet."""
        if not self._experiment:
            experiment = self._client.get_experiment_by_name(self.sweep)  # another driver may have created it
            self._experiment = experiment.experiment_id if experiment is not None else ""
        if not self._experiment:
            file = sqlite_file(self.uri)
            place = (file.parent / "mlartifacts").as_uri() if file is not None else None
            self._experiment = self._client.create_experiment(self.sweep, place, KIND)

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run."""
        self._retry(self._client.log_batch, run_id, tags=[RunTag(name, value) for name, value in tags.items()])

    def last_step(self, run_id: str) -> int:
        """The last global step whose training metrics are in the store, -1 for none. Does not wait."""
        return max((step for step, _ in self.history(run_id, STEP_METRIC)), default=-1)

    def history(self, run_id: str, metric: str) -> list[tuple[int, float]]:
        """The values of a training metric by global step, as logged. Does not wait."""
        return [(each.step, each.value) for each in self._client.get_metric_history(run_id, metric)]

    def log_steps(self, run_id: str, entries: Sequence[Entry], spent_hours: float = 0.0) -> None:
        """Log training metrics by global step, the finite ones, and the GPU-hours spent so far. Does not wait."""
        now, spent = int(time.time() * 1000), [RunTag(SPENT, f"{spent_hours:.9g}")] if spent_hours else []
        for first in range(0, max(1, len(entries)), BATCH):
            some = entries[first : first + BATCH]
            metrics = [each for step, values in some for each in _metrics(values, step, now)]
            self._client.log_batch(run_id, metrics, tags=spent)

    def spent_hours(self, run_id: str) -> float:
        """GPU-hours that the attempts of a training have spent so far."""
        return float(self._get(run_id).data.tags.get(SPENT, 0))

    def finish(self, run_id: str, metrics: Mapping[str, float], files: Path) -> None:
        """Log the finite final metrics and the files under a folder, then end the run as FINISHED."""
        self._retry(self._client.log_artifacts, run_id, str(files))
        known = self._get(run_id).data.metrics  # an earlier attempt may have been killed after logging them
        new = {name: value for name, value in metrics.items() if name not in known}
        self._retry(self._client.log_batch, run_id, metrics=_metrics(new, 0, int(time.time() * 1000)))
        self._retry(self._client.set_terminated, run_id, "FINISHED")

    def result(self, run_id: str) -> dict[str, float] | None:
        """The final metrics of a run; None unless it is FINISHED."""
        run = self._get(run_id)
        return dict(run.data.metrics) if run.info.status == "FINISHED" else None

    def fail(self, run_id: str, reason: str, details: str = "") -> None:
        """End the run as FAILED, with the reason as a tag and details, such as a traceback, in failure.txt."""
        if self.result(run_id) is not None:
            return
        self._retry(self._client.set_tag, run_id, "failure", reason[:500])
        self._retry(self._client.set_terminated, run_id, "FAILED")
        if details:
            self._retry(self._client.log_text, run_id, details, "failure.txt")

    def stop(self, run_id: str, rule: str = "") -> None:
        """End a run as KILLED: by Ctrl-C, so that the same command resumes it, or by the rule given, kept as a tag."""
        if self.result(run_id) is not None:
            return
        if rule:
            self._retry(self._client.set_tag, run_id, "stopped", rule[:500])
        self._retry(self._client.set_terminated, run_id, "KILLED")

    def checkpoint(self, key: str, folder: Path, file: str = CHECKPOINT) -> Path:
        """Download a codec of a finished trial into a folder.

        Raises:
            ValueError: when the store has no finished run of that trial with such a file.
        """
        run = self._retry(self._runs, f"tags.trial_key = '{key}'").get(key)
        if run is None or run.info.status != "FINISHED":
            raise ValueError(f"no finished run of {key} in sweep {self.sweep!r} of {shown(self.uri)}; train it first")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return Path(self._retry(self._client.download_artifacts, run.info.run_id, file, str(folder)))
        except (MlflowException, OSError) as error:
            raise ValueError(f"the run of {key} has lost its {file}: {first_line(error, self.uri)}") from error

    def keep_trained(self, run_id: str, files: Path, cost: Mapping[str, float]) -> None:
        """Put the codecs of a training that has ended into its run; the tag with its cost is set last."""
        self._retry(self._client.log_artifacts, run_id, str(files))
        self.tag(run_id, {COST: json.dumps(dict(cost))})

    def trained(self, run_id: str) -> dict[str, float] | None:
        """The cost of a training whose codec is in its run; None where it is not there yet."""
        stated = self._get(run_id).data.tags.get(COST)
        cost: dict[str, float] | None = None if stated is None else json.loads(stated)
        return cost

    def own_codec(self, run_id: str, folder: Path) -> Path:
        """Download the codec that `keep_trained` put into a run."""
        folder.mkdir(parents=True, exist_ok=True)
        return Path(self._retry(self._client.download_artifacts, run_id, CHECKPOINT, str(folder)))

    def measured_elsewhere(self, key: str, folder: Path) -> Measured | None:
        """The result of a trial that another sweep of the store has finished, with its files in `folder`; else None."""
        return self._retry(find_measured, self._client, self._experiment, key, folder)

    def keep_state(self, run_id: str, step: int, files: Sequence[Path]) -> None:
        """Upload the files from which a training resumes elsewhere; the tag with their step is set last."""
        for file in files:
            self._retry(self._client.log_artifact, run_id, str(file), STATE)
        self.tag(run_id, {"state_step": str(step)})

    def state(self, run_id: str, newer_than: int, folder: Path) -> list[Path]:
        """Download the uploaded state of a training into a folder, if it is of a later step than `newer_than`."""
        kept = int(self._get(run_id).data.tags.get("state_step", -1))
        if kept <= newer_than:
            return []
        place = Path(self._retry(self._client.download_artifacts, run_id, STATE, str(folder)))
        return sorted(place.iterdir())

    def drop_state(self, run_id: str) -> None:
        """Delete the uploaded state of a training that has ended."""
        run = self._get(run_id)
        if "state_step" in run.data.tags:
            repository = get_artifact_repository(str(run.info.artifact_uri), tracking_uri=self.uri)
            self._retry(repository.delete_artifacts, STATE)
            self._retry(self._client.delete_tag, run_id, "state_step")

    def keep_view(self) -> str:
        """Keep the columns to be shown with the sweep; returns the id of its experiment."""
        if self._retry(self.experiment_tag, view.TAG) != view.state():
            self._retry(self.set_experiment_tag, view.TAG, view.state())
        return self._experiment

    def waiting(self, call: Callable[[], object]) -> None:
        """Call, and call again while the store that it asks is away."""
        self._retry(call)

    def experiment_tag(self, name: str) -> dict[str, Any]:
        """A tag of the sweep's experiment, as the JSON object in it; {} if there is none. Does not wait."""
        if not self._experiment:
            return {}
        found: dict[str, Any] = json.loads(self._client.get_experiment(self._experiment).tags.get(name) or "{}")
        return found

    def set_experiment_tag(self, name: str, value: Mapping[str, Any]) -> None:
        """Set a tag of the sweep's experiment to a JSON object. Does not wait."""
        self._open()
        self._client.set_experiment_tag(self._experiment, name, json.dumps(value))

    def _get(self, run_id: str) -> Run:
        return self._retry(self._client.get_run, run_id)

    def _runs(self, filter_string: str) -> dict[str, Run]:
        """Runs of the sweep by trial key; of two with one key the finished one, else the newest."""
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


def _metrics(values: Mapping[str, float], step: int, now_ms: int) -> list[Metric]:
    return [Metric(name, value, now_ms, step) for name, value in values.items() if math.isfinite(value)]
