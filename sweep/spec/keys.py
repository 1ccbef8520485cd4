"""Keys of trials: a readable prefix and a hash of everything that decides the result, and of nothing else."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HASH_DIGITS = 10
"""Hexadecimal digits of the hash in a key."""


def make_key(prefix: str, decides: Mapping[str, Any]) -> str:
    """`prefix` and ten hexadecimal digits of the SHA-256 of `decides` as canonical JSON."""
    text = json.dumps(decides, sort_keys=True, allow_nan=False)
    return f"{prefix}-{hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]}"


def images_digest(folder: Path) -> str:
    """Digest of a folder of text images: its truth to the byte, and its files by name and size.

    Raises:
        ValueError: when the folder holds no metadata.jsonl.
    """
    truth = folder / "metadata.jsonl"
    if not truth.is_file():
        raise ValueError(f"{folder}: no metadata.jsonl there; `python -m tfic synth` writes a folder of that form")
    return hashlib.sha256(truth.read_bytes() + folder_digest(folder).encode()).hexdigest()


def folder_digest(folder: Path) -> str:
    """Digest of the names and sizes in bytes of all files under a folder, wherever the folder lies.

    Raises:
        ValueError: when there is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    files = sorted((str(path.relative_to(folder)), path.stat().st_size) for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()


def prefix_of(key: str) -> str:
    """The readable part of a key, which two versions of one trial have in common."""
    return key[: -HASH_DIGITS - 1]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The settings that differ between two keys, as `train.pretrain_steps 600 -> 700`, nested ones with dots."""
    flat_before, flat_after = _flat(before), _flat(after)
    return [
        f"{name} {flat_before.get(name, 'none')} -> {flat_after.get(name, 'none')}"
        for name in dict.fromkeys((*flat_before, *flat_after))
        if flat_before.get(name) != flat_after.get(name)
    ]


def _flat(settings: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= _flat(value, f"{at}{name}.") if isinstance(value, Mapping) else {f"{at}{name}": value}
    return found
