"""Seeds as an axis of a sweep, and the spread that they show."""

from dataclasses import replace

import made_store
import pytest
from made_sweeps import make, measured

from analysis.seeds import spreads
from analysis.sweep_data import SweepData
from sweep.search.search import Search
from sweep.spec.trials import Trial


def test_further_seeds_add_trainings_and_leave_every_key_of_the_first_as_it_was() -> None:
    one, three = make(), make(seeds=3)
    first = {trial.key for trial in one.grid()}
    trained = [trial for trial in three.grid() if trial.key not in first]
    assert first < {trial.key for trial in three.grid()}
    assert len(trained) == 2 * len(one.trained())
    assert {trial.config.train.seed for trial in trained} == {1, 2}
    by_key = {trial.key: trial for trial in three.grid()}
    assert len(by_key) == len(three.grid())
    for trial in trained:
        if trial.parent:
            assert by_key[trial.parent].config.train.seed == trial.config.train.seed
        assert trial.title.endswith(f"seed {trial.config.train.seed}")
    drawn = {id(trial.decides["test_drawn"]) for trial in three.grid() if not trial.parent}
    assert len(drawn) == 1, "files are hashed once for all seeds"
    with pytest.raises(ValueError, match="seeds is 0; it must be"):
        make(seeds=0)


def test_proposals_learn_from_the_first_seed_alone() -> None:
    """A further seed in which nothing could be read would make other proposals, were it listened to."""

    def proposals(seeds: int) -> list[tuple[float, float]]:
        search = Search(make(seeds=seeds, trials=8))
        while isinstance(trial := search.ask(), Trial):
            metrics = measured(trial)
            search.tell(trial.key, metrics if trial.config.train.seed == 0 else metrics | {"accuracy": 0.0, "bpp": 9.0})
        found = [state.trial.config for state in search.states.values() if state.proposed]
        return sorted((each.lmbda, each.gamma) for each in found)

    assert len(proposals(1)) > 0
    assert proposals(2)[: len(proposals(1))] == proposals(1)


def test_the_spread_of_seeds_stands_beside_that_of_pages_and_pairs_are_of_one_seed() -> None:
    made = [each for each in made_store.points() if each.kind in ("uncompressed", "pretrain", "finetune")]
    again = [
        replace(each, key=f"{each.key}-1", skill=each.skill + 0.4, parent=each.parent and f"{each.parent}-1")
        for each in made
        if each.kind != "uncompressed"
    ]
    points, rows = made_store.world([*made, *again])
    seeds = [float("nan") if key == "uncompressed" else float(key.endswith("-1")) for key in points["trial_key"]]
    variants = [f"seed {seed:g}" if seed == seed else "" for seed in seeds]
    data = SweepData(points.assign(seed=seeds, variant=variants), rows)
    found = spreads(data)
    assert len(found) == len(again)
    for each in found:
        assert each.seeds == 2
        assert each.accuracy_sd > 0
        assert each.pages > 0
        assert each.bpp_sd < 0.01 * each.bpp
    for point, baseline in data.pairs():
        assert {key.endswith("-1") for key in baseline.weights} == {point["trial_key"].endswith("-1")}


def test_one_seed_has_no_spread() -> None:
    assert spreads(SweepData(*made_store.world(made_store.points()))) == []
