"""Looking at a store again and again while a sweep runs."""

from collections.abc import Callable

from analysis import runs
from tfic.system import cli


def watch(
    load: Callable[[], runs.Sweep],
    tell: Callable[[runs.Sweep], None],
    every_s: float,
    sleep: Callable[[float], None],
) -> None:
    """Tell of a sweep now, and anew each time that runs of it have finished or ended, until `sleep` raises.

    What keeps it from being read or told of, a sweep without a finished run, a store that is away or a file that cannot
    be written, is said once and tried again.

    Args:
        load: reads the sweep; raises ValueError or OSError where it cannot.
        tell: writes the report of it; raises ValueError or OSError where it cannot.
        every_s: seconds between looks at the store.
        sleep: waits so many seconds.
    """
    told: tuple[int, int] | None = None
    said = ""
    while True:
        try:
            sweep = load()
            if told != (len(sweep.points), sweep.unfinished):
                tell(sweep)
                told = len(sweep.points), sweep.unfinished
            said = ""
        except (ValueError, OSError) as error:
            trouble = cli.sentence(error)
            if trouble != said:
                cli.say(f"waiting, with a look every {every_s:g} s: {trouble}")
            said = trouble
        sleep(every_s)
