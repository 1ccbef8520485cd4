"""`python -m sweep.status`: the state of a sweep, from any terminal that reaches its tracking store.

    python -m sweep.status                       the sweep that was driven last
    python -m sweep.status --name demo --watch   again every ten seconds, until its driver ends

Where the sweep's folders of images are not at hand, the trials in the store are listed, without those to come.

Exit codes: 0 shown, 2 bad input or no such sweep.
"""

import sys

from tfic.system import extras

if __name__ == "__main__":  # before the imports that need the extra
    sys.exit(extras.run("sweep.status", None, "sweep"))

import argparse
import time
from collections.abc import Sequence

from sweep.search.plan import plan, recorded
from sweep.search.search import Search
from sweep.spec.presets import from_tables
from tfic.system import cli
from tfic.system.cli import bad_input, piped, say
from tfic.system.store_uri import DEFAULT, check_exists, resolve, shown

EVERY_S = 10.0
"""Seconds between two updates of --watch."""


@piped
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    args = _parser().parse_args(arguments)
    try:
        while True:
            driven = _show(resolve(args.tracking_uri), args.name)
            if not (args.watch and driven):
                return 0
            time.sleep(EVERY_S)
            say("\n" + "-" * 20)
    except (ValueError, OSError) as error:
        return bad_input(error)
    except KeyboardInterrupt:
        return 130


def _show(uri: str, name: str | None) -> bool:
    """Print the state of a sweep, of the one driven last without a name; True if a driver is at work on it."""
    from sweep.store.lease import DRIVER, alive, who
    from sweep.store.retry import in_a_sentence
    from sweep.store.settings import kept, last_sweep
    from sweep.store.tracking import Tracker

    check_exists(uri)
    with in_a_sentence(uri):
        tracker = Tracker(uri, name or last_sweep(uri))
        settings, driver, records = kept(tracker), tracker.experiment_tag(DRIVER), tracker.records()
        driven = alive(driver)
        steps = {each.key: tracker.last_step(each.run_id) for each in records if each.running} if driven else None
    if not settings:
        raise ValueError(f"{shown(uri)} has no sweep {tracker.sweep!r} that `python -m sweep.run` began")
    sweep = from_tables(settings, f"settings of {tracker.sweep!r}", settings["recipe"])
    state = f"driven by {who(driver)}" if driven else "no driver is at work"
    say(f"Sweep {sweep.name!r}, tracked in {shown(uri)}: {state}")
    try:
        lines = plan(Search(sweep, records), steps)
    except (ValueError, OSError) as error:
        say(f"The trials to come are not known here ({' '.join(str(error).split())}); those in the store:")
        lines = recorded(records, steps)
    for line in lines:
        say(line)
    return driven


def _parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser("python -m sweep.status", __doc__)
    add = parser.add_argument
    add("--name", metavar="SWEEP", help="name of the sweep in the tracking store; default the one driven last")
    add("--tracking-uri", metavar="URI", help=f"MLflow store; default $MLFLOW_TRACKING_URI, else {DEFAULT}")
    add("--watch", action="store_true", help=f"show it again every {EVERY_S:.0f} s until its driver ends")
    return parser
