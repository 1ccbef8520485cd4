"""The files that a command reads and the place of each result, decided before anything is written.

One file goes to one file, or into a folder. A folder, or a glob such as 'scans/**/*.png', goes into a folder that keeps
the paths below it: scans/a/x.png becomes out/a/x.tfic. Hidden files are passed over;
from a folder only files with fitting names are taken, from a glob all that match.
"""

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    """One file to read and the one to write."""

    source: Path
    """File to read."""
    target: Path
    """File to write."""


@dataclass(frozen=True)
class Plan:
    """All that a command reads and writes."""

    pairs: tuple[Pair, ...]
    """At least one, in the order of the sources' names."""
    several: bool
    """True when a folder or a glob was given, even one with a single file."""
    left_alone: int
    """Files of the folder whose names do not fit."""


def plan(given: str, out: str, reads: tuple[str, ...], writes: tuple[str, ...]) -> Plan:
    """The files that a command reads and writes.

    Args:
        given: a file, a folder or a glob.
        out: a file or a folder for one file, a folder for others.
        reads: lower-case endings of the files to take from a folder.
        writes: lower-case endings that a result may have; in a folder all have the first.

    Raises:
        ValueError: when there is nothing to read, or a result would overwrite a source or another result.
        OSError: when a folder cannot be read.
    """
    source = Path(given)
    left_alone = 0
    if not given or not out:
        raise ValueError("an empty name; give a file or a folder to read and one to write")
    if source.is_file():
        pairs, several = [Pair(source, _single_target(source, out, writes))], False
    else:
        if source.is_dir():
            root, sources, left_alone = source, *_in_folder(source, reads)
        elif glob.has_magic(given):
            root, sources = _matching(given)
        elif source.exists():
            raise ValueError(f"{given} is neither a file nor a folder; write what it gives to a file first")
        else:
            raise ValueError(f"no file or folder {given}; give a file, a folder, or a glob in quotes")
        pairs, several = _into_folder(root, sources, Path(out), writes[0]), True
    _check_nothing_is_lost(pairs)
    return Plan(tuple(pairs), several, left_alone)


def make_folder(out: Path) -> None:
    """Make the folder of several results, if it is not there.

    Raises:
        ValueError: when it cannot be made; says why.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"folder {out} cannot be made ({error.strerror or error}); name another OUT") from error


def _single_target(source: Path, out: str, writes: tuple[str, ...]) -> Path:
    target = Path(out)
    if target.is_dir() or out.endswith(os.sep):
        target = target / source.with_suffix(writes[0]).name
    elif target.suffix.lower() not in writes:
        raise ValueError(f"{out} is no folder and does not end in {' or '.join(writes)}; name the file to write so")
    elif not target.parent.is_dir():
        raise ValueError(f"there is no folder {target.parent} to write {target.name} to; make it first")
    _check_writable(target.parent)
    return target


def _in_folder(folder: Path, reads: tuple[str, ...]) -> tuple[list[Path], int]:
    """Files under a folder whose names fit, and how many do not."""
    fitting, others = [], 0
    for root, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [each for each in folders if not each.startswith(".")]
        for name in names:
            path = Path(root, name)
            if name.startswith(".") or not path.is_file():
                continue
            if path.suffix.lower() in reads:
                fitting.append(path)
            else:
                others += 1
    if not fitting:
        wanted = ", ".join(reads)
        raise ValueError(f"of {others} files in folder {folder} no name ends in {wanted}; name another IN")
    return fitting, others


def _matching(pattern: str) -> tuple[Path, list[Path]]:
    """The folder above a glob's first wildcard, and the files that match."""
    parts = Path(pattern).parts
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    if ".." in parts[fixed:]:
        raise ValueError(f"{pattern!r} goes up again after a wildcard; write it without '..'")
    root = Path(*parts[:fixed])
    found = [each for each in root.glob("/".join(parts[fixed:])) if each.is_file()]
    seen = [each for each in found if not any(part.startswith(".") for part in each.relative_to(root).parts)]
    if not seen:
        raise ValueError(f"no file matches {pattern!r}; ** stands for any folders, * for any name")
    return root, seen


def _into_folder(root: Path, sources: Iterable[Path], out: Path, suffix: str) -> list[Pair]:
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; several files go into a folder, so name one")
    pairs = [Pair(each, (out / each.relative_to(root)).with_suffix(suffix)) for each in sorted(set(sources))]
    for pair in pairs:
        if out.resolve() == root.resolve() and pair.target.exists():
            raise ValueError(f"{pair.target} would be overwritten where {pair.source} lies; name another folder")
    _check_writable(out)
    return pairs


def _check_writable(folder: Path) -> None:
    if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"nothing may be written in folder {folder}; name another or change its permissions")


def _check_nothing_is_lost(pairs: list[Pair]) -> None:
    sources = {_identity(pair.source): pair.source for pair in pairs}
    targets: dict[Path, Path] = {}
    for pair in pairs:
        if pair.target.exists() and _identity(pair.target) in sources:
            raise ValueError(f"{pair.target} would overwrite {sources[_identity(pair.target)]}; name another OUT")
        other = targets.setdefault(pair.target, pair.source)
        if other != pair.source:
            raise ValueError(f"{other} and {pair.source} would both be written to {pair.target}; rename one of them")


def _identity(path: Path) -> tuple[int, int]:
    """The identity of a file, equal for all its names."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _raise(error: OSError) -> None:
    raise error
