"""Measurements that the sweeps of a store share: of what depends on no lambda and no gamma.

A key holds everything that decides a result, so it does not matter which sweep measured it.
"""

from dataclasses import dataclass
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from tfic.measuring.row import ROWS_FILE

TAGS = ("host", "device", "versions", "git_commit")
"""Tags of a run that say where and with what it was measured."""
SHARED_FROM = "shared_from"
"""Tag of a run whose result is that of another sweep: the name of that sweep."""


@dataclass(frozen=True)
class Measured:
    """A trial's result out of another sweep."""

    metrics: dict[str, float]
    """Its final metrics."""
    tags: dict[str, str]
    """Tags that say where it was measured."""


def find_measured(client: MlflowClient, own: str, key: str, folder: Path) -> Measured | None:
    """The result of a trial that another sweep has finished, with its files in `folder`; else None.

    A result whose files are lost is none.

    Args:
        client: the store.
        own: id of the experiment of the sweep that asks.
        key: the trial's key.
        folder: folder for the files.
    """
    others = [each.experiment_id for each in client.search_experiments() if each.experiment_id != own]
    wanted = f"attributes.status = 'FINISHED' AND tags.trial_key = '{key}'"
    runs = client.search_runs(others, wanted, max_results=1) if others else []
    if not runs:
        return None
    found = runs[0]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for each in client.list_artifacts(found.info.run_id):
            client.download_artifacts(found.info.run_id, each.path, str(folder))
    except (MlflowException, OSError):
        return None
    if not (folder / ROWS_FILE).is_file():
        return None
    tags = {name: value for name, value in found.data.tags.items() if name in TAGS}
    return Measured(dict(found.data.metrics), tags | {SHARED_FROM: found.data.tags["sweep"]})
