"""The command lines of tfic, sweep and analysis: bad input is one line on stderr, `error: ...`, and exit code 2."""

import argparse
import functools
import os
import sys
from collections.abc import Callable
from typing import NoReturn, ParamSpec

from tfic.errors import TficError

P = ParamSpec("P")
UNREAD = 141
"""Exit code of a command whose output is not read to its end, as shells have it for SIGPIPE."""


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
    """Print a line at once, also when stdout is a file or a pipe; nowhere once the reader of a pipe has gone away."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        _discard_output()


def bad_input(error: Exception) -> int:
    """Print an error in one line and return the exit code for bad input."""
    print(f"error: {sentence(error)}", file=sys.stderr, flush=True)
    return 2


def sentence(error: Exception) -> str:
    """What an error says, in one line; one of the operating system's names the file or folder and what to do."""
    said = str(error)
    if isinstance(error, OSError) and not isinstance(error, TficError) and error.filename and error.strerror:
        said = f"{error.filename}: {error.strerror}; name another place"
    return " ".join(said.split())


def piped(main: Callable[P, int]) -> Callable[P, int]:
    """A command line that ends without a word and with exit code 141 when its output is not read on (`| head`)."""

    @functools.wraps(main)
    def command(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            code = main(*args, **kwargs)
            sys.stdout.flush()
        except BrokenPipeError:
            _discard_output()
            return UNREAD
        return code

    return command


def _discard_output() -> None:
    """Print nowhere from now on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
