"""A codec's file out of an MLflow store: of a run, or of a registered model. Reads, and creates nothing.

A run that `python -m sweep.run` finished keeps its codec as the artifact `checkpoint/codec.safetensors`. A registered
model's version is the artifact that its owner named as the source; it must hold exactly one `.safetensors` file.
"""

import atexit
import re
import shutil
import tempfile
from pathlib import Path

from tfic.system.store_uri import CHECKPOINT, check_exists, first_line, quiet_mlflow, resolve, shown

SCHEMES = ("runs:/", "models:/")
"""Beginnings of the names that are looked up in a store."""


def download(model: str, tracking_uri: str = "") -> Path:
    """A local copy, gone when this process ends, of the codec that a run or a registered model has.

    Args:
        model: `runs:/RUN_ID`, `runs:/RUN_ID/PATH` for another artifact than `checkpoint/codec.safetensors`,
            `models:/NAME/VERSION`, `models:/NAME/latest` or `models:/NAME@ALIAS`.
        tracking_uri: the store, as `tfic.system.store_uri.resolve` takes it.

    Raises:
        ValueError: when there is no such store, run, model or codec.
    """
    uri = resolve(tracking_uri)
    quiet_mlflow()
    check_exists(uri)
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    folder = Path(tempfile.mkdtemp(prefix="tfic-model-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        artifact = _artifact(model, uri)
        found = Path(download_artifacts(artifact_uri=artifact, dst_path=str(folder), tracking_uri=uri))
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise ValueError(
            f"{model} cannot be had from the tracking store {shown(uri)}: {first_line(error, uri)}"
            + ("; if its folder was moved, `python -m sweep.relocate` helps" if isinstance(error, OSError) else "")
        ) from error
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
            raise ValueError(f"the tracking store {shown(uri)} has no registered model {name!r}")
        return str(max(versions, key=lambda each: int(each.version)).source)
    return str(client.get_model_version(name, number).source)
