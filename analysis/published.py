"""The report as an artifact in the tracking store, in a run of the sweep's experiment that is named for it.

That run has no trial key, so that it is no trial. It is the one thing that `analysis` writes to a store.
"""

from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from analysis import runs
from tfic.system.store_uri import first_line, shown

TAG = "report_of"
"""Tag of the run with the report: the name of its sweep."""


def publish(sweep: runs.Sweep, file: Path) -> str:
    """Log a report of a sweep as `report.html`, in place of an earlier one; returns the run's id.

    Raises:
        ValueError: when the store does not take it.
    """
    try:
        client = MlflowClient(tracking_uri=sweep.uri)
        experiment = client.get_experiment_by_name(sweep.name)
        assert experiment is not None, "its runs were read"
        found = client.search_runs([experiment.experiment_id], f"tags.{TAG} = '{sweep.name}'", max_results=1)
        name = f"report of {sweep.name}"
        run = found[0] if found else client.create_run(experiment.experiment_id, tags={TAG: sweep.name}, run_name=name)
        client.log_text(run.info.run_id, file.read_text(encoding="utf-8"), "report.html")
        client.set_terminated(run.info.run_id, "FINISHED")
    except (MlflowException, OSError) as error:
        raise ValueError(f"{shown(sweep.uri)} does not take the report: {first_line(error, sweep.uri)}") from error
    return str(run.info.run_id)
