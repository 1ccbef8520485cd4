"""The header of a checkpoint, read without PyTorch: settings as JSON, and fingerprints."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfic.config import Config
from tfic.strict import from_mapping


@dataclass(frozen=True)
class Header:
    """What a checkpoint says of itself."""

    path: Path
    """The file."""
    settings: dict[str, Any]
    """The settings that it was trained with, maybe by another version."""
    fingerprint: str
    """Of all weights and coding tables, in hexadecimal digits."""
    decoder: str
    """Fingerprint of the decoder that it shares with another codec; empty for its own."""
    start: str = ""
    """Fingerprint of the checkpoint that its training started from; empty for none, or where it was not recorded."""

    @property
    def codec(self) -> str:
        """Name of the codec; ValueError where it is none."""
        name = self.settings.get("codec", Config().codec)
        if not isinstance(name, str):
            raise ValueError(f"{self.path} is damaged: its header says that the codec is {name!r}, not a name")
        return name

    @property
    def config(self) -> Config:
        """The settings; ValueError for one that is not known."""
        return from_mapping(Config(), self.settings, str(self.path))


def read(path: Path) -> Header:
    """The header of the checkpoint at `path`.

    Raises:
        ValueError: when the file is missing, damaged, or not one of ours.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ValueError(f"no checkpoint at {path}; give the path of a codec.safetensors")
    try:
        with safe_open(path, "np") as file:
            found = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or no checkpoint: {str(error).splitlines()[0]}") from error
    if not {"config", "fingerprint"} <= found.keys():
        raise ValueError(f"{path} holds tensors but no TFIC codec; give the path of a codec.safetensors")
    return Header(
        path, settings(found["config"], path), found["fingerprint"], found.get("decoder", ""), found.get("start", "")
    )


def settings(text: str, path: Path) -> dict[str, Any]:
    """The settings that a file at `path` holds as JSON; ValueError for any other text."""
    try:
        values: Any = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: its header's settings are no JSON ({error})") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} is damaged: its header's settings are a JSON {type(values).__name__}, not an object")
    return values
