"""`python -m analysis` with a command: report or pareto."""

import sys

from analysis import pareto, report

USAGE = """usage: python -m analysis {report,pareto} [options]

  report   write the report of a sweep as one HTML file
  pareto   print the points of a sweep and its front, as a table or with --json

python -m analysis report --help and python -m analysis pareto --help tell more."""


def main(arguments: list[str]) -> int:
    """Run the named command; returns its exit code, 2 for a command that there is not."""
    commands = {"report": report.main, "pareto": pareto.main}
    if arguments and arguments[0] in commands:
        return commands[arguments[0]](arguments[1:])
    asked = arguments[:1] in (["-h"], ["--help"])
    print(USAGE, file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
