"""`python -m analysis` with a command: report, pareto or select; also the scripts `tfic-report` and `tfic-pareto`."""

import sys
from collections.abc import Sequence

from tfic.system import extras

USAGE = """usage: python -m analysis {report,pareto,select} [options]

  report   write the report of a sweep as one HTML file; also installed as tfic-report
  pareto   print the points of a sweep and its front, as a table or --json or --csv; also installed as tfic-pareto
  select   name the codec to take within limits of rate, accuracy and time, and the line that loads it

With --help, each of them tells more."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named command and return its exit code, 2 for a command that does not exist."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    commands = {"report": report, "pareto": pareto, "select": select}
    if given and given[0] in commands:
        return commands[given[0]](given[1:])
    asked = given[:1] in (["-h"], ["--help"])
    print(USAGE, file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2


def report(arguments: Sequence[str] | None = None) -> int:
    """Run `python -m analysis.report`."""
    return extras.run("analysis.report", arguments, "report")


def pareto(arguments: Sequence[str] | None = None) -> int:
    """Run `python -m analysis.pareto`."""
    return extras.run("analysis.pareto", arguments, "report")


def select(arguments: Sequence[str] | None = None) -> int:
    """Run `python -m analysis.select`."""
    return extras.run("analysis.select", arguments, "report")


if __name__ == "__main__":
    sys.exit(main())
