"""What a test needs of the machine: without it the test is skipped, and with TFIC_REQUIRE_ALL=1 it fails."""

import os

import pytest

from tfic.errors import ReaderMissingError
from tfic.ocr.installed import check_installed


def needed(there: object, reason: str) -> None:
    """Go on where something is there; else skip the test for that reason, or fail it where nothing may be missing."""
    if there:
        return
    if os.environ.get("TFIC_REQUIRE_ALL") == "1":
        pytest.fail(f"{reason} (TFIC_REQUIRE_ALL=1 allows no test to be left out)")
    pytest.skip(reason)


def missing(name: str) -> str:
    """What is said of a reader that is not installed; "" of one that is."""
    try:
        check_installed([name])
    except ReaderMissingError as error:
        return str(error)
    return ""
