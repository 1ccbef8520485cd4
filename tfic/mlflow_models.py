"""A codec's file out of an MLflow store: of a run, or of a registered model. Reads, and creates nothing.

A run that `python -m sweep.run` finished keeps its codec as the artifact `checkpoint/codec.safetensors`. A registered
model's version is whatever artifact its owner named as the source; exactly one `.safetensors` must be in it.
"""

import atexit
import logging
import os
import re
import shutil
import socket
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

CHECKPOINT = "checkpoint/codec.safetensors"
"""Where a run keeps its codec among its artifacts."""
SCHEMES = ("runs:/", "models:/")
"""How the names begin that are looked up in a store."""
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
_KNOCK_S = 5.0


def default_uri() -> str:
    """$MLFLOW_TRACKING_URI, else the database in the working folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"


def download(model: str, tracking_uri: str = "") -> Path:
    """A local copy, gone when this process ends, of the codec that a run or a registered model has.

    Args:
        model: `runs:/RUN_ID`, `runs:/RUN_ID/PATH` for another artifact than `checkpoint/codec.safetensors`,
            `models:/NAME/VERSION`, `models:/NAME/latest` or `models:/NAME@ALIAS`.
        tracking_uri: the store; by default `default_uri()`.

    Raises:
        ValueError: when there is no such store, run, model or codec.
    """
    uri = tracking_uri or default_uri()
    _check_there(uri)
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # else it asks a dead server again for minutes
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    folder = Path(tempfile.mkdtemp(prefix="tfic-model-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        artifact = _artifact(model, uri)
        found = Path(download_artifacts(artifact_uri=artifact, dst_path=str(folder), tracking_uri=uri))
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = " ".join(str(error).split("\n")[0].split())
        raise ValueError(f"{model} cannot be had from the tracking store {uri}: {reason}") from error
    files = [found] if found.is_file() else sorted(found.rglob("*.safetensors"))
    if len(files) != 1:
        names = ", ".join(each.name for each in files) or "none"
        raise ValueError(f"{model} should hold one .safetensors file and holds {len(files)} ({names}); name another")
    return files[0]


def _artifact(model: str, uri: str) -> str:
    """The address of the artifact that a name means."""
    from mlflow import MlflowClient

    run = re.fullmatch(r"runs:/([^/]+)/?(.*)", model)
    if run:
        return f"runs:/{run[1]}/{run[2] or CHECKPOINT}"
    version = re.fullmatch(r"models:/([^/@]+)(?:/([^/@]+)|@([^/@]+))", model)
    if not version:
        raise ValueError(
            f"{model!r} names nothing in a tracking store; write runs:/RUN_ID, models:/NAME/VERSION or "
            "models:/NAME@ALIAS"
        )
    client = MlflowClient(tracking_uri=uri)
    name, number, alias = version.groups()
    if alias:
        return str(client.get_model_version_by_alias(name, alias).source)
    if number == "latest":
        versions = client.search_model_versions(f"name = '{name}'")
        if not versions:
            raise ValueError(f"the tracking store {uri} has no registered model {name!r}")
        return str(max(versions, key=lambda each: int(each.version)).source)
    return str(client.get_model_version(name, number).source)


def _check_there(uri: str) -> None:
    """Raise ValueError, within seconds, unless the store exists: MLflow would create it, or try again for minutes."""
    parts = urlsplit(uri)
    scheme = parts.scheme.split("+")[0]
    if scheme == "sqlite":
        _check_database(Path(uri.partition(":///")[2]), uri)
    elif scheme in _PORTS:
        try:
            address = (parts.hostname or "localhost", parts.port or _PORTS[scheme])
            socket.create_connection(address, timeout=_KNOCK_S).close()
        except OSError as error:
            server = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"  # without a password
            raise ValueError(
                f"tracking server {server} does not answer ({error}); start it or name another --tracking-uri"
            ) from error
    else:
        raise ValueError(
            f"tracking URI {uri!r} is neither a server (http://host:5000) nor a database (sqlite:///mlflow.db)"
        )


def _check_database(file: Path, uri: str) -> None:
    if not file.is_file():
        raise ValueError(f"no tracking store at {uri}; name the one that has the model with --tracking-uri")
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as database:
        try:
            made = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone()
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{file} is no tracking store ({error}); name another --tracking-uri") from error
    if made is None:
        raise ValueError(f"{file} is no tracking store: it has no experiments; name another --tracking-uri")
