"""Hypervolume per hour of training: which way of choosing points covers the front soonest? A replay, nothing trains.

    python benchmarks/search.py              20 seeds, without Gaussian processes: two minutes
    python benchmarks/search.py --gp         with them: an hour

Replays a finished dense sweep (`surface.py`). Every strategy pays the measured seconds of each training and measuring
that it asks for, stage 1 once per lambda; `product, not shared` pays stage 1 again for each point, as a plain product
of the two weights does. Budgets are what a grid of all lambdas by k gammas costs, evenly spaced in log gamma.

Figures are hypervolume of bpp, accuracy and PSNR beyond that of the pre-trained codecs alone, which every strategy has:
0 is theirs, 1 is what the surface holds at 40 gammas a lambda (and, where the share of lambda is searched, 5 shares).
Means over seeds with 95 % intervals (bootstrap of the mean).
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import optuna
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from surface import METRICS, Surface
from timing import table

from analysis.front import OBJECTIVES, hypervolume
from sweep.search.proposals import Point, Proposals, tpe

DIRECTIONS = tuple(OBJECTIVES.values())
Strategy = Callable[[Surface, list[float], int, int], Iterator[Point]]
"""Surface, shares of lambda, fine-tunings within the budget, and seed to the points in the order of their training."""


def levels(surface: Surface, count: int) -> list[float]:
    """`count` gammas, evenly spaced in log gamma, the smallest and the largest among them; the middle for one."""
    low, high = np.log(surface.gammas[0]), np.log(surface.gammas[-1])
    logs = np.linspace(low, high, count) if count > 1 else [(low + high) / 2]
    return [float(f"{gamma:.3g}") for gamma in np.exp(logs)]


def grid(surface: Surface, shares: list[float], room: int, seed: int) -> Iterator[Point]:
    """All lambdas by as many gammas as there is room for."""
    for gamma in levels(surface, room // (len(surface.lmbdas) * len(shares))):
        for share in shares:
            yield from (Point(lmbda, gamma, share) for lmbda in surface.lmbdas)


def searched(
    sampler: Callable[[int], BaseSampler],
    coarse: int,
    surface: Surface,
    shares: list[float],
    room: int,
    seed: int,
    max_observations: int = 100,
) -> Iterator[Point]:
    """All lambdas by `coarse` gammas, then Optuna's proposals, told each result before the next."""
    gammas = (surface.gammas[0], surface.gammas[-1])
    proposals = Proposals(
        surface.lmbdas, gammas, shares, 1000 * seed, sampler=sampler, max_observations=max_observations
    )
    if coarse:
        for point in grid(surface, shares, coarse * len(surface.lmbdas) * len(shares), seed):
            yield point
            proposals.tell(point, surface.stage_2(point)[0])
    while point := proposals.propose():
        yield point
        proposals.tell(point, surface.stage_2(point)[0])


def gaussian(seed: int) -> BaseSampler:
    """Optuna's Gaussian processes with expected hypervolume improvement."""
    return GPSampler(seed=seed, n_startup_trials=4)


def independent(seed: int) -> BaseSampler:
    """TPE that looks at one parameter at a time, Optuna's default for several objectives."""
    return TPESampler(seed=seed, n_startup_trials=4, multivariate=False)


def spent(surface: Surface, points: Iterator[Point], budget_s: float, shared: bool) -> np.ndarray:
    """(codecs, objectives) of what a budget in seconds pays for, in the order of training."""
    rows, stage_1 = [], {lmbda: surface.stage_1(lmbda) for lmbda in surface.lmbdas}
    rows += [list(metrics.values()) for metrics, _ in stage_1.values()]
    left_s = budget_s - (sum(cost for _, cost in stage_1.values()) if shared else 0.0)
    for point in points:
        metrics, cost = surface.stage_2(point)
        left_s -= cost if shared else cost + stage_1[point.lmbda][1]
        if left_s < -1e-6:
            break
        rows.append(list(metrics.values()))
    return np.array(rows)


def interval(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean over seeds, by bootstrap."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (2000, len(values)))].mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def whole(surface: Surface, shares: list[float]) -> np.ndarray:
    """(codecs, objectives) of the surface itself, finely."""
    between = np.linspace(shares[0], shares[-1], 5) if len(shares) > 1 else shares
    fine = [Point(lmbda, g, float(f)) for lmbda in surface.lmbdas for g in levels(surface, 40) for f in between]
    return np.array(
        [list(surface.stage_1(lmbda)[0].values()) for lmbda in surface.lmbdas]
        + [list(surface.stage_2(point)[0].values()) for point in fine]
    )


def compare(
    surface: Surface, shares: list[float], strategies: dict[str, Strategy], counts: list[int], seeds: int
) -> None:
    """Print one table: strategies by budgets."""
    everything = whole(surface, shares)
    worst = [everything[:, 0].max(), everything[:, 1].min(), everything[:, 2].min()]
    least = hypervolume(everything[: len(surface.lmbdas)], DIRECTIONS, worst)
    whole_volume = hypervolume(everything, DIRECTIONS, worst)
    print(f"\nshares of lambda {shares}; the pre-trained codecs hold {least / whole_volume:.1%} of the hypervolume")
    print(f"from {dict(zip(METRICS, np.round(worst, 3).tolist(), strict=True))}\n")

    def gained(rows: np.ndarray) -> float:
        return (hypervolume(rows, DIRECTIONS, worst) - least) / (whole_volume - least)

    grids = {count: list(grid(surface, shares, count * len(surface.lmbdas) * len(shares), 0)) for count in counts}
    pretraining_s = sum(surface.stage_1(lmbda)[1] for lmbda in surface.lmbdas)
    budgets = {
        count: pretraining_s + sum(surface.stage_2(point)[1] for point in points) for count, points in grids.items()
    }
    rows: list[list[str]] = []
    for name, strategy in strategies.items():
        cells: list[str] = []
        fixed = strategy is grid
        shared = name != "product, not shared"
        if fixed:
            for count, budget_s in budgets.items():
                each = len(surface.lmbdas) * len(shares)
                room = each * count
                if not shared:
                    cost = budget_s / (pretraining_s / len(surface.lmbdas) + (budget_s - pretraining_s) / room)
                    room = each * max(1, int(cost // each))
                rows_of = spent(surface, strategy(surface, shares, room, 0), budget_s, shared)
                cells.append(f"{gained(rows_of):.3f}")
        else:
            found = np.zeros((seeds, len(budgets)))
            for seed in range(seeds):
                longest = max(budgets.values())
                trace = list(_until(surface, strategy(surface, shares, 0, seed), longest))
                for place, budget_s in enumerate(budgets.values()):
                    found[seed, place] = gained(spent(surface, iter(trace), budget_s, True))
            for column in found.T:
                low, high = interval(column)
                cells.append(f"{column.mean():.3f} [{low:.3f}, {high:.3f}]")
        rows.append([name, *cells])
        print(f"  {name}: {', '.join(cells)}", flush=True)
    head = [f"{len(grids[count])} points, {budget_s / 60:.0f} min" for count, budget_s in budgets.items()]
    print("\n" + table(["strategy", *head], rows))


def _until(surface: Surface, points: Iterator[Point], budget_s: float) -> Iterator[Point]:
    """The points that a budget pays for, and no more: asking costs time of its own."""
    left_s = budget_s - sum(surface.stage_1(lmbda)[1] for lmbda in surface.lmbdas)
    for point in points:
        left_s -= surface.stage_2(point)[1]
        if left_s < -1e-6:
            return
        yield point


def main() -> None:
    """Replay and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, metavar="N", help="seeds of each strategy")
    parser.add_argument("--gp", action="store_true", help="also Gaussian processes, seconds a proposal")
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    surface = Surface()
    strategies: dict[str, Strategy] = {
        "product, not shared": grid,
        "grid": grid,
        "random": partial(searched, lambda seed: RandomSampler(seed=seed), 0),
        "TPE": partial(searched, tpe, 0),
        "TPE, one parameter at a time": partial(searched, independent, 0),
        "corners, then random": partial(searched, lambda seed: RandomSampler(seed=seed), 2),
        "corners, then TPE": partial(searched, tpe, 2),
        "corners, then TPE, one parameter at a time": partial(searched, independent, 2),
    }
    if args.gp:
        strategies = {"corners, then GP": partial(searched, gaussian, 2)}
    compare(surface, [1.0], strategies, [2, 3, 4, 5, 7], args.seeds)
    compare(surface, surface.lmbda_shares, strategies, [2, 3, 4], args.seeds)


if __name__ == "__main__":
    main()
