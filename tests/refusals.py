"""What a refused command leaves: one line, and exit code 2."""

from collections.abc import Callable, Sequence

import pytest


def refused(
    main: Callable[[list[str]], int], arguments: Sequence[object], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Assert that a command is refused in one line that holds the words, by itself or by argparse."""
    capsys.readouterr()
    try:
        code: object = main([str(each) for each in arguments])
    except SystemExit as ended:  # argparse
        code = ended.code
    error = capsys.readouterr().err
    assert code == 2
    assert error.startswith("error: ")
    assert words in error
    assert error.count("\n") == 1
