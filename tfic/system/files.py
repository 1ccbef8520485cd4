"""Writing of files and folders that appear whole or not at all: written under a temporary name, then renamed."""

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from tfic.errors import TficError

_NAME_BYTES = 255
"""Longest name of a file on the file systems of Linux, macOS and Windows."""
_ENDING = ".partial"
_TOKEN_BYTES = 6


class FileWriteError(TficError, OSError):
    """A file cannot be written: a full disk, a folder without permission, a name that is taken or too long."""


def write_whole(path: Path, data: bytes | memoryview) -> None:
    """Write a file, and the folders above it; a file that was there before is replaced.

    Whatever goes wrong, `path` is as it was, and nothing of the new file is left behind. After SIGKILL the temporary
    file stays (`leftovers`). Of several writers at once the last one wins, with a whole file.

    Raises:
        FileWriteError: when it cannot be written; names `path` and the reason.
    """
    temporary = partial(path)
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which has its name only when the block has ended without an error.

    Whatever goes wrong, nothing of it is left behind. After SIGKILL the temporary folder stays (`leftovers`).

    Raises:
        ValueError: when there is something at `path` already, unless it is an empty folder.
        FileWriteError: when it cannot be made or named; errors of the block are raised as they are.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise ValueError(f"{path} exists already and is no empty folder; name another one or remove it")
    temporary = partial(path)
    try:
        with _told(path):
            temporary.mkdir(parents=True)
        yield temporary
        with _told(path):
            temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Make an error of the block one that says what could not be written."""
    try:
        yield
    except OSError as error:
        raise FileWriteError(
            f"{path} cannot be written ({error.strerror or error}); make room there or name another place"
        ) from error


def partial(path: Path) -> Path:
    """A temporary name, another one for each call, of what is being written."""
    return path.with_name(f"{_stem(path)}.{secrets.token_hex(_TOKEN_BYTES)}{_ENDING}")


def leftovers(paths: Iterable[Path]) -> list[Path]:
    """What writers of these files have left under temporary names because they were killed."""
    wanted = {path.with_name(_stem(path)) for path in paths}
    end = -(len(_ENDING) + 1 + 2 * _TOKEN_BYTES)
    found = (each for folder in {path.parent for path in wanted} for each in folder.glob(f"*{_ENDING}"))
    return [each for each in found if each.with_name(each.name[:end] or "-") in wanted]


def _stem(path: Path) -> str:
    """What temporary names begin with: the name, or a hash of it where that is too long."""
    longest = _NAME_BYTES - len(_ENDING) - 1 - 2 * _TOKEN_BYTES
    raw = os.fsencode(path.name)
    return path.name if len(raw) <= longest else hashlib.sha256(raw).hexdigest()
