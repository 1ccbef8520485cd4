"""Addresses of tracking stores: made absolute, and found to answer before anything is begun."""

import socket
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from tfic.errors import TficError

DATABASES = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
"""Database servers MLflow can keep its store on, with the port each listens on unless told."""
TIMEOUT_S = 8.0
"""How long to wait for a tracking server's first sign of life, in seconds."""


class StoreUnreachableError(TficError, ValueError):
    """Nobody answers at a store's address."""


def absolute_uri(uri: str) -> str:
    """`uri` such that it means the same from every folder.

    Raises:
        ValueError: when MLflow keeps no store at such an address.
    """
    scheme = urlsplit(uri).scheme.split("+")[0]
    if scheme == "sqlite":
        path = uri.partition(":///")[2]
        if not path:
            raise ValueError(f"tracking URI {uri!r} names no file; write sqlite:///mlflow.db")
        return f"sqlite:///{Path(path).absolute()}"
    if scheme not in ("http", "https", *DATABASES):
        raise ValueError(
            f"tracking URI {uri!r} is neither a server (http://host:5000) nor a database (sqlite:///mlflow.db)"
        )
    return uri.rstrip("/")


def sqlite_file(uri: str) -> Path | None:
    """The file of a store in SQLite, else None."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def check_reachable(uri: str) -> None:
    """Raise ValueError, within about ten seconds, unless the store's host or folder is there.

    A server that does not answer is an StoreUnreachableError. MLflow itself would try again for minutes.
    """
    parts = urlsplit(uri)
    file = sqlite_file(uri)
    if file is not None:
        if not file.parent.is_dir():
            raise ValueError(f"tracking store {uri}: no folder {file.parent}; make it, or name another --tracking-uri")
        return
    try:
        if parts.scheme in ("http", "https"):
            urllib.request.urlopen(f"{uri}/health", timeout=TIMEOUT_S).close()
        else:
            port = parts.port or DATABASES[parts.scheme.split("+")[0]]
            socket.create_connection((parts.hostname or "localhost", port), timeout=TIMEOUT_S).close()
    except urllib.error.HTTPError as error:
        error.close()  # an answer, if a refusing one: what lives there shows when the store is opened
    except OSError as error:
        server = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"  # without a password
        raise StoreUnreachableError(
            f"tracking server {server} does not answer ({error}); start it or name another --tracking-uri"
        ) from error
