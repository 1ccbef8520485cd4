"""A store in SQLite whose folder was moved: MLflow wrote down where its artifacts lie, and they lie elsewhere now."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

ARTIFACTS = "mlartifacts"
"""Folder of a store's artifacts, beside its database."""
_PLACES = (
    ("experiments", "artifact_location"), ("runs", "artifact_uri"), ("model_versions", "source"),
    ("model_versions", "storage_location"), ("logged_models", "artifact_location"),
)  # fmt: skip
"""Tables and columns in which MLflow keeps places of artifacts; not every version has all."""


@dataclass(frozen=True)
class Moved:
    """Where a store looks for its artifacts, and where they are."""

    database: Path
    """The database."""
    before: Path
    """Folder of the artifacts as it is written in the store; it does not exist."""
    now: Path
    """Folder of the artifacts, beside the database."""

    def sentence(self) -> str:
        """What is wrong and how it is mended."""
        return (
            f"the store {self.database} keeps its artifacts in {self.before}, which does not exist; they lie in "
            f"{self.now}: was the folder moved? `python -m sweep.relocate {self.database}` writes the new place down"
        )


def find_moved(database: Path) -> Moved | None:
    """The move of a store's folder, if its artifacts are not where it says and are beside its database.

    Raises:
        ValueError: when the file is no store.
    """
    now = database.absolute().parent / ARTIFACTS
    if not database.is_file() or not now.is_dir():
        return None
    with closing(_connect(database, "ro")) as connection:
        places = [place for place in _locations(connection) if place.name == ARTIFACTS]
    before = next((place for place in places if place != now and not place.is_dir()), None)
    return Moved(database.absolute(), before, now) if before else None


def relocate(moved: Moved) -> int:
    """Write the new place of the artifacts into the store; the number of entries that were changed."""
    old, new = moved.before.as_uri(), moved.now.as_uri()
    changed = 0
    with closing(_connect(moved.database, "rw")) as connection, connection:
        for table, column in _PLACES:
            if column not in [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]:
                continue
            for prefix in (old, str(moved.before)):
                where = f"{column} = ? OR substr({column}, 1, ?) = ?"
                change = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {where}"
                values = (new, len(prefix) + 1, prefix, len(prefix) + 1, f"{prefix}/")
                changed += connection.execute(change, values).rowcount
    return changed


def _locations(connection: sqlite3.Connection) -> list[Path]:
    """Folders in which the experiments of a store keep artifacts, as far as they are folders of this machine."""
    try:
        rows = connection.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
    except sqlite3.DatabaseError:
        return []  # no store yet, or none that MLflow wrote; who opens it says so
    found = []
    for (location,) in rows:
        parts = urlsplit(location or "")
        if parts.scheme in ("", "file"):
            found.append(Path(unquote(parts.path)))
    return found


def _connect(database: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode={mode}", uri=True)
