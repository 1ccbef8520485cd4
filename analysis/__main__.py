"""`python -m analysis` with a command, report or pareto; also the scripts `tfic-report` and `tfic-pareto`."""

import sys
from collections.abc import Sequence

from tfic import extras

USAGE = """usage: python -m analysis {report,pareto} [options]

  report   write the report of a sweep as one HTML file; also installed as tfic-report
  pareto   print the points of a sweep and its front, as a table or with --json; also installed as tfic-pareto

python -m analysis report --help and python -m analysis pareto --help tell more."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named command and return its exit code, 2 for a command that does not exist."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    commands = {"report": report, "pareto": pareto}
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


if __name__ == "__main__":
    sys.exit(main())
