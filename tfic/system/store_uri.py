"""The address of an MLflow tracking store: default, absolute form, and a first look at whether anything is there.

Servers are reached with MLflow's own request, and so with its environment variables for TLS, tokens, user and password.
No message shows a password: `shown` leaves it out.
"""

import logging
import os
import re
import socket
import sqlite3
import ssl
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tfic.errors import TficError

CHECKPOINT = "checkpoint/codec.safetensors"
"""The artifact of a run that is its trained codec."""
DEFAULT = "sqlite:///mlflow.db"
"""The store when none is named: a database in the working folder."""
DATABASES = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
"""Database servers on which MLflow can keep its store, with the port of each unless the address has another."""
TIMEOUT_S = 8.0
"""Longest wait for a server's first answer, in seconds."""
_ENVIRONMENT = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # by default MLflow asks a dead server again for minutes
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_LOGGERS = {
    "mlflow": logging.WARNING,
    "alembic": logging.WARNING,  # the migration of a database, step by step
    "mlflow.store.db.utils": logging.CRITICAL,  # tracebacks of errors that are raised as well
    "urllib3.connectionpool": logging.ERROR,  # a line for each attempt
}


class StoreUnreachableError(TficError, ValueError):
    """No answer at the address of a tracking store."""


def resolve(given: str = "") -> str:
    """The absolute address of the store: `given`, else $MLFLOW_TRACKING_URI, else `DEFAULT`.

    Raises:
        ValueError: when MLflow keeps no store at such an address.
    """
    return absolute(given or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT)


def absolute(uri: str) -> str:
    """The address in a form that means the same store from every folder.

    Raises:
        ValueError: when MLflow keeps no store at such an address.
    """
    scheme = _scheme(uri)
    if scheme == "sqlite":
        path, mark, options = uri.partition(":///")[2].partition("?")
        if not path:
            raise ValueError(f"tracking URI {uri!r} names no file; write {DEFAULT}")
        place = str(Path(path).absolute())
        if "?" in place:
            raise ValueError(
                f"the store's folder {Path(place).parent} has a question mark in its name, with which an address ends; "
                "rename it, or keep the store elsewhere with --tracking-uri"
            )
        return f"sqlite:///{place}{mark}{options}"
    if scheme not in ("http", "https", *DATABASES):
        raise ValueError(
            f"tracking URI {shown(uri)!r} is neither a server (http://host:5000) nor a database ({DEFAULT})"
        )
    return uri.rstrip("/")


def shown(uri: str) -> str:
    """The address without user, password and options, for messages.

    A password may hold any character, so all up to the last `@` counts as one; where that may be of options, nothing
    after the scheme is shown.
    """
    scheme, mark, place = uri.partition("://")
    if not mark or _scheme(uri) == "sqlite":
        return uri
    credentials = _credentials(uri)
    if "@" in place and not credentials:
        return f"{scheme}://..."
    parts = urlsplit(f"{scheme}://{place.removeprefix(credentials)}")
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


def sqlite_file(uri: str) -> Path | None:
    """The file of a store in SQLite, else None."""
    return Path(uri.partition(":///")[2].partition("?")[0]) if _scheme(uri) == "sqlite" else None


def check_reachable(uri: str) -> None:
    """Raise unless a store is at the address or can be made there: its server answers, or its folder exists.

    Raises:
        ValueError: when the folder of a SQLite store does not exist.
        StoreUnreachableError: when no server answers within `TIMEOUT_S`.
    """
    parts, file = urlsplit(uri), sqlite_file(uri)
    if file is not None:
        if not file.parent.is_dir():
            raise ValueError(f"tracking store {uri}: no folder {file.parent}; make it, or name another --tracking-uri")
    elif parts.scheme in ("http", "https"):
        _ask_server(uri)
    elif parts.hostname:  # a database address without a host is a socket file, which the driver finds
        try:
            socket.create_connection((parts.hostname, parts.port or DATABASES[_scheme(uri)]), timeout=TIMEOUT_S).close()
        except OSError as error:
            raise _unreachable(uri, error) from error


def check_exists(uri: str) -> None:
    """Raise unless a store is at the address; nothing is made there, as MLflow would do.

    Raises:
        ValueError: when there is no SQLite file, or it is not a tracking store.
        StoreUnreachableError: when no server answers within `TIMEOUT_S`.
    """
    file = sqlite_file(uri)
    if file is None:
        check_reachable(uri)
        return
    other = "name another --tracking-uri"
    if not file.is_file():
        raise ValueError(f"no tracking store at {file}; run `python -m sweep.run` first, or {other}")
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as database:
        try:
            table = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone()
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{file} is not a tracking store ({error}); {other}") from error
    if table is None:
        raise ValueError(f"{file} is not a tracking store (it has no experiments); {other}")


def quiet_mlflow() -> None:
    """Set MLflow's environment and loggers so that it prints no progress and gives a dead server up within seconds.

    What the user has set stays. Call it before MLflow is imported.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    for name, level in _LOGGERS.items():
        logging.getLogger(name).setLevel(level)


def first_line(error: BaseException, uri: str) -> str:
    """The first line of an error's message, which fits into a sentence, without what `uri` keeps secret."""
    line = " ".join(str(error).strip().split("\n")[0].split()).replace(uri, shown(uri))
    if sqlite_file(uri) is None:
        for secret in ("".join(uri.partition("://")[2].rpartition("@")[:2]), _credentials(uri)):
            line = line.replace(secret, "") if secret else line
    return line


def _ask_server(uri: str) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    try:
        credentials = get_default_host_creds(uri)
    except MlflowException as error:
        raise ValueError(f"MLflow's environment variables contradict each other: {error}") from error
    try:
        # any answer will do, a refusing one too: the first real request says more
        http_request(credentials, "/health", "GET", max_retries=0, timeout=TIMEOUT_S, raise_on_status=False).close()
    except MlflowException as error:
        raise _unreachable(uri, error) from error


def _unreachable(uri: str, error: BaseException) -> StoreUnreachableError:
    while error.__context__ is not None:  # a library's error about a library's error ... about a refused connection
        error = error.__context__
    remedy = "start it or name another --tracking-uri"
    if isinstance(error, ssl.SSLError):
        remedy = "name its certificate in MLFLOW_TRACKING_SERVER_CERT_PATH, or set MLFLOW_TRACKING_INSECURE_TLS=true"
    return StoreUnreachableError(f"tracking server {shown(uri)} does not answer ({first_line(error, uri)}); {remedy}")


def _credentials(uri: str) -> str:
    """User and password of an address, with the `@` behind them; "" where there are none."""
    before_options = re.split(r"\?\w+=", uri.partition("://")[2])[0]
    return "".join(before_options.rpartition("@")[:2])


def _scheme(uri: str) -> str:
    """The scheme without a driver: `postgresql` of `postgresql+psycopg`."""
    return urlsplit(uri).scheme.split("+")[0]
