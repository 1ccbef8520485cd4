"""`tfic-sweep` and `python -m sweep` with a command: run, status, ingest or relocate."""

import sys
from collections.abc import Sequence

from tfic.system import extras

USAGE = """usage: tfic-sweep {run,status,ingest,relocate} [options]

  run      sweep lambda and gamma, go on with a sweep, or show what it would do
  status   show where a sweep stands
  ingest   take run directories that were trained elsewhere into a sweep
  relocate tell a store whose folder was moved where its artifacts lie

tfic-sweep run --help and so on tell more; python -m sweep.run is the same as tfic-sweep run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named command and return its exit code, 2 for a command that does not exist."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in ("run", "status", "ingest", "relocate"):
        return extras.run(f"sweep.{given[0]}", given[1:], "sweep")
    asked = given[:1] in (["-h"], ["--help"])
    print(USAGE, file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2


if __name__ == "__main__":
    sys.exit(main())
