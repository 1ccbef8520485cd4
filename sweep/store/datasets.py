"""The images of a trial as MLflow's dataset inputs: name, digest, and whether they train or test."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from sweep.spec.keys import images_digest
from sweep.spec.trials import LEARNED, Trial
from tfic.config import DataConfig
from tfic.synth import DRAWING_VERSION

DIGITS = 16
"""Digits of a digest in the store, which takes at most 36."""


def inputs(trial: Trial) -> list[DatasetInput]:
    """The test images of a trial, and the training images of one that is trained."""
    splits = ("train", "test") if trial.kind in LEARNED else ("test",)
    return [DatasetInput(dataset(trial.config.data, split), [_context(split)]) for split in splits]


def dataset(data: DataConfig, split: str) -> Dataset:
    """The images of a split, `train` or `test`.

    A folder goes by its name and the digest of its images, drawn images by the digest of what they are drawn from.
    """
    folder, count = getattr(data, f"{split}_dir"), getattr(data, f"{split}_count")
    if folder:
        source = {"folder": folder} | ({"at_most": count} if split == "test" else {})
        return Dataset(Path(folder).name, _digest(folder)[:DIGITS], "local", json.dumps(source))
    names = ("seed", "height_px", "width_px", "background_dir", "font_dir")
    source = {"split": split, "count": count, "drawing_version": DRAWING_VERSION}
    share = {"document_share": data.document_share} if data.document_share else {}
    text = json.dumps(source | share | {name: getattr(data, name) for name in names}, sort_keys=True)
    return Dataset("drawn", hashlib.sha256(text.encode()).hexdigest()[:DIGITS], "code", text)


@lru_cache(maxsize=4)
def _digest(folder: str) -> str:
    """Digest of a folder's images, looked at once in a process: reading thousands of labels takes a while."""
    return images_digest(Path(folder))


def _context(split: str) -> InputTag:
    return InputTag(MLFLOW_DATASET_CONTEXT, {"train": "training", "test": "testing"}[split])
