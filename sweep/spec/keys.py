"""Keys of trials: a readable prefix and a hash of everything that decides the result, and of nothing else."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tfic.config import LATER, EvalConfig, TrainConfig
from tfic.pages.contents import digest
from tfic.pages.labels import METADATA, labels
from tfic.strict import first_names

HASH_DIGITS = 10
"""Hexadecimal digits of the hash in a key."""

MEASURED = frozenset(("test_count", "test_dir", "test_drawn", "eval", "measuring_version"))
"""What decides a measurement and no weights."""


def make_key(prefix: str, decides: Mapping[str, Any]) -> str:
    """`prefix` and ten hexadecimal digits of the SHA-256 of `decides` as canonical JSON."""
    text = json.dumps(decides, sort_keys=True, allow_nan=False)
    return f"{prefix}-{hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]}"


def weights_digest(decides: Mapping[str, Any], parent: str) -> str:
    """Digest of what decides the weights of a training, which is all but its measurement.

    Args:
        decides: Everything that decides the trial's result.
        parent: The same digest of the training that it starts from; "" for none.
    """
    own = {name: value for name, value in decides.items() if name not in MEASURED and name != "parent"}
    text = json.dumps(own | {"parent": parent}, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def images_digest(folder: Path) -> str:
    """Digest of a folder of text images, wherever it lies: its truth and the images that are listed, to the byte.

    Raises:
        ValueError: when the folder holds no metadata.jsonl, or an image is missing.
    """
    listed = [label.name for _, label in labels(folder, lines_required=False)]
    truth = hashlib.sha256((folder / METADATA).read_bytes()).hexdigest()
    return hashlib.sha256((truth + _digest(folder, listed)).encode()).hexdigest()


def folder_digest(folder: Path) -> str:
    """Digest of names and contents of all files under a folder, wherever the folder lies.

    Raises:
        ValueError: when there is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    return _digest(folder, sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()))


def _digest(folder: Path, names: list[str]) -> str:
    try:
        return digest(folder, names)
    except OSError as error:
        raise ValueError(f"{error.filename} cannot be read ({error.strerror})") from error


def measuring_settings(settings: EvalConfig) -> dict[str, Any]:
    """Settings of a measurement as a key knows them; `readers` and `tasks`, which came later, only where asked for."""
    return {name: value for name, value in asdict(settings).items() if name not in ("readers", "tasks") or value}


def training_settings(train: TrainConfig, names: Iterable[str]) -> dict[str, Any]:
    """Settings as a key knows them; those of `LATER` only where they are not the default."""
    first = first_names(TrainConfig)  # a renamed setting keeps its first name in keys
    values = {name: getattr(train, name) for name in names}
    return dict(
        sorted(
            (f"train.{first.get(name, name)}", value)
            for name, value in values.items()
            if name not in LATER or value != getattr(TrainConfig(), name)
        )
    )


def prefix_of(key: str) -> str:
    """The readable part of a key, which two versions of one trial have in common."""
    return key[: -HASH_DIGITS - 1]
