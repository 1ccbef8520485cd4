"""`python -m sweep.relocate mlflow.db`: tell a store whose folder was moved where its artifacts lie now.

MLflow writes down the full path of every run's artifacts. After the folder of a project was moved or renamed, codecs,
pictures and rows are not found any more until this has run once. Nothing but those paths is changed.

Exit codes: 0 changed, or nothing to change; 2 bad input.
"""

import sys

from tfic.system import extras

if __name__ == "__main__":  # before the imports that need the extra
    sys.exit(extras.run("sweep.relocate", None, "sweep"))

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from sweep.store.moved import find_moved, relocate
from tfic.system.cli import bad_input, parser, piped, say


@piped
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options = parser("python -m sweep.relocate", __doc__)
    options.add_argument("database", type=Path, nargs="?", default=Path("mlflow.db"), help="default mlflow.db")
    database = options.parse_args(arguments).database
    try:
        if not database.is_file():
            raise ValueError(f"{database}: no such file; give the database of a store, such as mlflow.db")
        moved = find_moved(database)
        if moved is None:
            say(f"{database}: its artifacts are where it says; nothing to change.")
            return 0
        changed = relocate(moved)
    except (ValueError, OSError, sqlite3.Error) as error:
        return bad_input(error)
    say(f"{database}: {changed} entries now name {moved.now} instead of {moved.before}.")
    return 0
