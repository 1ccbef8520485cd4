"""The finished trials that no other one beats in both bits and the measure of their task."""

import itertools
from collections.abc import Mapping

import moocore
import numpy as np

from sweep.search.search import Search
from sweep.spec.trials import LEARNED, Kind
from tfic.measuring.row import MEASURES


def front(results: Mapping[str, Mapping[str, float]], metric: str = "accuracy") -> list[str]:
    """Keys of the results that no other one beats in both bpp and a metric, from the fewest bits upwards; of equal ones
    the first.
    """
    keys = sorted(results, key=lambda each: (results[each]["bpp"], -results[each][metric]))
    values = np.array([(results[key]["bpp"], -results[key][metric]) for key in keys]).reshape(-1, 2)
    return list(itertools.compress(keys, moocore.is_nondominated(values)))


def table(search: Search) -> list[str]:
    """The points that no other one beats in both bpp and the measure of the sweep's task, as the lines of a table."""
    metric = search.sweep.family[0].metric
    label = MEASURES[metric].label
    lines = [f"{'kind':<14}{'lmbda':>8}{'gamma':>8}{'bpp':>9}  {label}{'PSNR dB':>9}"]
    for key in front(search.results, metric):
        trial, metrics = search.states[key].trial, search.states[key].metrics
        learned = trial.kind in LEARNED
        name = f"{trial.config.codec} q{trial.quality}" if trial.kind is Kind.CLASSICAL else trial.kind
        lmbda = f"{trial.config.lmbda:g}" if learned else "-"
        gamma = f"{trial.config.gamma:g}" if learned else "-"
        psnr = f"{metrics['psnr_db']:.2f}" if "psnr_db" in metrics else "-"
        value = f"{metrics[metric]:.3f}"
        lines.append(f"{name:<14}{lmbda:>8}{gamma:>8}{metrics['bpp']:>9.3f}  {value:>{len(label)}}{psnr:>9}")
    return lines
