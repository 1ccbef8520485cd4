"""The command lines of tfic, sweep and analysis: bad input is one line on stderr, `error: ...`, and exit code 2."""

import argparse
import sys
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """A parser that refuses a bad argument in one line."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and exit with code 2."""
        print(f"error: {message}; see --help", file=sys.stderr)
        raise SystemExit(2)


def parser(prog: str, description: str | None) -> Parser:
    """A parser that shows its description as it is written and takes no abbreviated options."""
    return Parser(
        prog=prog,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def say(line: str) -> None:
    """Print a line at once, also when stdout is a file or a pipe."""
    print(line, flush=True)


def bad_input(error: Exception) -> int:
    """Print an error in one line and return the exit code for bad input."""
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
    return 2
