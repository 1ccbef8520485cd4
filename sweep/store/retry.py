"""Waiting for a tracking store that has gone away: a server that restarts, a network that drops, a locked database."""

import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import requests
from mlflow.exceptions import MlflowException

from tfic.errors import TficError
from tfic.store_uri import StoreUnreachableError, first_line, shown

P = ParamSpec("P")
T = TypeVar("T")

RETRY_S = 2.0
"""Seconds between two attempts."""
BUSY = (429, 502, 503, 504)
"""HTTP answers of a server, or of what stands before it, that will do better later."""
UNANSWERED = ("failed with exception", "failed with timeout", *(f"error code {code} " for code in BUSY))
"""How MLflow words a request without an answer, or with one of those."""


class StoreAwayError(TficError, ConnectionError):
    """The tracking store did not answer for as long as anybody was willing to wait."""


def away(error: Exception) -> bool:
    """Whether an error says that the store cannot be reached or is locked just now, so that it may work later."""
    if isinstance(error, MlflowException):
        unanswered = error.message.startswith("API request to") and any(words in error.message for words in UNANSWERED)
        return unanswered or error.error_code == "TEMPORARILY_UNAVAILABLE"
    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code in BUSY
    return isinstance(error, (requests.ConnectionError, requests.Timeout, StoreUnreachableError))


class Patience:
    """Calls the store again until it answers.

    Args:
        store: The store's address.
        seconds: The longest to wait for one call.
        tell: Takes a line when waiting begins and when it ends.
    """

    def __init__(self, store: str, seconds: float, tell: Callable[[str], None] = lambda line: None) -> None:
        self._uri, self._store = store, shown(store)
        self._seconds, self._tell = seconds, tell

    def __call__(self, call: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """What `call` returns.

        Raises:
            StoreAwayError: when the store is away for longer than the patience lasts.
        """
        began, told = time.monotonic(), False
        while True:
            try:
                result = call(*args, **named)
            except (MlflowException, requests.RequestException, StoreUnreachableError) as error:
                if not away(error):
                    raise
                waited = time.monotonic() - began
                if waited >= self._seconds:
                    raise StoreAwayError(
                        f"tracking store {self._store} has not answered for {waited:.0f} s "
                        f"({first_line(error, self._uri)}); once it is back, the same command goes on"
                    ) from error
                if not told:
                    self._tell(
                        f"Tracking store {self._store} is away ({first_line(error, self._uri)}); waiting for it."
                    )
                told = True
            else:
                if told:
                    self._tell(f"Tracking store {self._store} is back.")
                return result
            time.sleep(min(RETRY_S, self._seconds))
