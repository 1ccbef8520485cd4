"""What the sweep's command lines have in common: bad input is one line on stderr and exit code 2."""

import argparse
import sys
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """A parser that takes one line to refuse."""

    def error(self, message: str) -> NoReturn:
        """Name the bad argument and exit with code 2."""
        print(f"error: {message}; see --help", file=sys.stderr)
        raise SystemExit(2)


def say(line: str) -> None:
    """Print a line at once, whatever stdout is."""
    print(line, flush=True)


def bad_input(error: Exception) -> int:
    """Print an error in one line; the exit code for bad input."""
    print(f"error: {error}", file=sys.stderr, flush=True)
    return 2
