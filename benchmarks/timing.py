"""How benchmarks measure: candidates in turn, round after round, medians; so that ratios hold on a noisy machine."""

import statistics
import time
from collections.abc import Callable, Mapping


def medians_ms(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median wall time of each candidate in ms, over rounds in which each runs once; a first round is not counted.

    Each runs once more before it is timed: caches are warm then, and the threads of whoever came before, which some
    libraries leave spinning for a while, are asleep.
    """
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for counted in [False, *[True] * rounds]:
        for name, run in candidates.items():
            run()
            started = time.perf_counter()
            run()
            if counted:
                times[name].append(1000 * (time.perf_counter() - started))
    return {name: statistics.median(each) for name, each in times.items()}


def table(head: list[str], rows: list[list[str]]) -> str:
    """Rows as a Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])
