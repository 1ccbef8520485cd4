"""Fixtures that several tests share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """URI of a store with two sweeps, `older` (3 points) and then `demo` (19 points), and an empty one, `planned`.

    Made once: MLflow takes seconds to lay out a new database.
    """
    from made_store import log_sweep, points
    from mlflow import MlflowClient

    folder: Path = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri)
    log_sweep(client, "older", [each for each in points() if each.kind == "pretrain"], folder, minute=0)
    log_sweep(client, "demo", points(), folder, minute=10)
    client.create_experiment("planned")
    return uri


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """URI of a store without sweeps, for tests that write; each takes a sweep name of its own."""
    from sweep.tracking import Tracker

    uri = f"sqlite:///{tmp_path_factory.mktemp('empty') / 'mlflow.db'}"
    Tracker(uri, "none")
    return uri
