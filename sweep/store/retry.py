"""Retrying calls of a tracking store that is away: a server that restarts, a network that drops, a locked database."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import requests
from mlflow.exceptions import MlflowException

from tfic.errors import TficError
from tfic.system.store_uri import StoreUnreachableError, first_line, shown

P = ParamSpec("P")
T = TypeVar("T")

RETRY_EVERY_S = 2.0
"""Seconds between two attempts."""
BUSY = (429, 502, 503, 504)
"""HTTP status codes of a server or its proxy that may go away by themselves."""
UNANSWERED = ("failed with exception", "failed with timeout", *(f"error code {code} " for code in BUSY))
"""Parts of MLflow's messages for a request that got no answer, or one of these codes."""


class StoreAwayError(TficError, ConnectionError):
    """The tracking store did not answer within the time given for retries."""


def away(error: Exception) -> bool:
    """True if an error means that the store cannot be reached or is locked now, so that the call may work later."""
    if isinstance(error, MlflowException):
        unanswered = error.message.startswith("API request to") and any(words in error.message for words in UNANSWERED)
        return unanswered or error.error_code == "TEMPORARILY_UNAVAILABLE"
    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code in BUSY
    return isinstance(error, (requests.ConnectionError, requests.Timeout, StoreUnreachableError))


class StoreRefusedError(TficError, ValueError):
    """The tracking store answered a call with an error."""


@contextmanager
def in_a_sentence(uri: str) -> Iterator[None]:
    """Errors of a store in the block as one sentence each.

    Raises:
        StoreAwayError: when the store is away.
        StoreRefusedError: for any other error of MLflow or of the way to it.
    """
    try:
        yield
    except (MlflowException, requests.RequestException) as error:
        words = f"({first_line(error, uri)})"
        if away(error):
            raise StoreAwayError(f"tracking store {shown(uri)} does not answer {words}; try again") from error
        raise StoreRefusedError(
            f"tracking store {shown(uri)} refuses a call {words}; look at its log, or name another store"
        ) from error


class Retry:
    """Calls the store again until it answers.

    Args:
        store: The store's address.
        seconds: The longest to wait for one call.
        tell: Takes a line when waiting begins and one when it ends.
    """

    def __init__(self, store: str, seconds: float, tell: Callable[[str], None] = lambda line: None) -> None:
        self._uri, self._store = store, shown(store)
        self._seconds, self._tell = seconds, tell

    def __call__(self, call: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Call, and return the result.

        Raises:
            StoreAwayError: when the store is away for longer than `seconds`.
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
            time.sleep(min(RETRY_EVERY_S, self._seconds))
