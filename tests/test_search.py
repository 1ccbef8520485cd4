"""The search releases stages as they finish, fills gaps, stays within its budget, and is rebuilt from records."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_sweeps import ask, make, measured, proposed, record, run_all

from sweep.search.front import front
from sweep.search.search import Search, Turn
from sweep.search.state import Status
from sweep.spec.trials import Kind, Trial


def test_one_slot_runs_every_trial_of_the_grid_exactly_once() -> None:
    sweep = make()
    ran = run_all(Search(sweep))
    assert sorted(trial.key for trial in ran) == sorted(trial.key for trial in sweep.grid())


def test_the_reference_comes_first_then_each_lambda_once() -> None:
    search = Search(make())
    assert [ask(search).kind for _ in range(3)] == ["uncompressed", "pretrain", "pretrain"]


def test_gammas_are_released_when_their_lambda_is_done_and_classical_codecs_fill_the_wait() -> None:
    search = Search(make())
    reference, first, second = ask(search), ask(search), ask(search)
    assert ask(search).kind == "classical"
    search.tell(second.key, measured(second))
    released = [ask(search), ask(search)]
    assert [trial.parent for trial in released] == [second.key, second.key]
    fillers = [ask(search), ask(search)]
    assert {trial.kind for trial in fillers} == {"classical"}
    assert search.ask() is Turn.WAIT
    search.tell(first.key, measured(first))
    assert ask(search).parent == first.key
    search.tell(reference.key, {"bpp": 24.0, "accuracy": 0.95})


def test_whether_there_is_room_is_asked_once_for_all_trials_of_a_kind() -> None:
    search, asked = Search(make()), list[Kind]()
    ask(search)

    def room(kind: Kind) -> bool:
        asked.append(kind)
        return False

    assert search.ask(room) is Turn.WAIT
    assert sum(trial.kind is Kind.CLASSICAL for trial in search.trials()) > 1
    assert sorted(asked) == [Kind.CLASSICAL, Kind.PRETRAIN]


def test_a_failed_pretraining_takes_its_own_gammas_only_and_says_why() -> None:
    sweep = make(trials=2)
    search = Search(sweep)
    bad = sweep.pretrain(0.001).key
    ran = run_all(search, lambda trial: trial.key != bad)
    orphans = [sweep.finetune(0.001, gamma).key for gamma in (0.3, 1.0)]
    assert search.reasons(Status.NOT_RUN) == dict.fromkeys(orphans, "its pre-training failed: ValueError: spoilt")
    assert sum(trial.parent == sweep.pretrain(0.003).key for trial in ran) == 4
    assert not any(trial.parent == bad for trial in ran)


def test_proposals_spend_the_budget_on_new_gammas_of_pretrained_lambdas_within_the_grid() -> None:
    sweep = make(trials=6)
    search = Search(sweep)
    ran = run_all(search)
    grid = {trial.key for trial in sweep.grid()}
    new = [trial for trial in ran if trial.key not in grid]
    assert len(new) == 6
    assert len({trial.key for trial in ran}) == len(ran) == search.total
    for trial in new:
        assert trial.config.lmbda in sweep.space.lmbdas
        assert 0.3 <= trial.config.gamma <= 1.0
        assert trial.config.gamma == float(f"{trial.config.gamma:.3g}")


def test_proposals_wait_for_the_grid_while_there_is_filler() -> None:
    search = Search(make(trials=1))
    trained = [ask(search) for _ in range(3)]
    for trial in trained:
        search.tell(trial.key, measured(trial))
    kinds = [ask(search).kind for _ in range(7)]
    assert kinds == ["finetune"] * 4 + ["classical"] * 3
    assert ask(search).kind == "finetune"
    assert proposed(search) == 1
    assert search.ask() is Turn.WAIT


def test_a_finished_sweep_has_nothing_left() -> None:
    sweep = make()
    assert Search(sweep, map(record, sweep.grid())).ask() is Turn.DONE


def test_a_sweep_is_rebuilt_from_its_records_and_an_interrupted_proposal_goes_on_before_a_new_one() -> None:
    sweep = make(trials=3)
    done, cut = sweep.finetune(0.001, 0.5), sweep.finetune(0.003, 0.7)
    records = [*map(record, sweep.grid()), record(done, proposed=True), record(cut, finished=False, proposed=True)]
    search = Search(sweep, records)
    assert search.proposals_left == 1
    ran = run_all(search)
    assert ran[0] == cut
    assert len(ran) == 2


def test_a_grown_grid_runs_only_what_is_new() -> None:
    old = make()
    grown = make(lmbdas=(0.001, 0.003, 0.01))
    ran = run_all(Search(grown, map(record, old.grid())))
    assert [trial.kind for trial in ran] == ["pretrain", "finetune", "finetune"]


def test_a_record_of_other_settings_is_neither_reused_nor_counted_as_a_proposal() -> None:
    sweep = make(trials=1)
    other = replace(sweep, train=replace(sweep.train, pretrain_steps=21))
    search = Search(sweep, [record(other.pretrain(0.001)), record(other.finetune(0.001, 0.5), proposed=True)])
    assert search.proposals_left == 1
    assert not search.results


def test_a_proposal_without_a_finite_psnr_is_not_shown_to_the_sampler_and_stops_nothing() -> None:
    search = Search(make(trials=3))
    while isinstance(trial := search.ask(), Trial):
        search.tell(trial.key, {**measured(trial), "psnr_db": math.nan})
    assert trial is Turn.DONE
    assert proposed(search) == 3


def test_an_exhausted_space_ends_the_search_before_its_budget() -> None:
    search = Search(make(trials=50, lmbdas=(0.001,), gammas=(1.0, 1.02)))
    run_all(search)
    assert 1 <= proposed(search) <= 3
    assert search.proposals_left == 0


def test_the_same_records_give_the_same_proposals() -> None:
    keys = [[trial.key for trial in run_all(Search(make(trials=4)))] for _ in range(2)]
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("points", "kept"),
    [
        ({"a": (1.0, 0.5), "b": (2.0, 0.4)}, ["a"]),
        ({"a": (1.0, 0.5), "b": (2.0, 0.6)}, ["a", "b"]),
        ({"a": (1.0, 0.5), "b": (1.0, 0.6)}, ["b"]),
        ({}, []),
    ],
)
def test_the_front_keeps_what_no_other_beats(points: dict[str, tuple[float, float]], kept: list[str]) -> None:
    assert front({key: {"bpp": bpp, "accuracy": accuracy} for key, (bpp, accuracy) in points.items()}) == kept


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=9))
def test_the_front_is_what_brute_force_finds_and_of_equal_points_it_has_one(points: list[tuple[int, int]]) -> None:
    results = {str(index): {"bpp": float(x), "accuracy": float(y)} for index, (x, y) in enumerate(points)}
    found = [results[key] for key in front(results)]
    beaten = {
        (bpp, accuracy)
        for bpp, accuracy in points
        if any(x <= bpp and y >= accuracy and (x, y) != (bpp, accuracy) for x, y in points)
    }
    assert [(each["bpp"], each["accuracy"]) for each in found] == sorted(set(points) - beaten)


def test_a_large_trial_without_room_lets_trials_pass_that_train_nothing_but_no_smaller_one() -> None:
    """Else a pre-training on several GPUs would wait for as long as fine-tunings take each free GPU."""
    search = Search(make(lmbdas=(0.001, 0.003)))
    assert ask(search).kind is Kind.UNCOMPRESSED
    first = ask(search)
    assert first.kind is Kind.PRETRAIN
    search.tell(first.key, measured(first))
    tuned = [each for each in search.trials(Status.WAITING) if each.parent == first.key]
    assert tuned, "its fine-tunings could start"
    passed = search.ask(lambda kind: kind is not Kind.PRETRAIN)
    assert isinstance(passed, Trial)
    assert passed.kind is Kind.CLASSICAL
    assert search.ask(lambda kind: kind is Kind.FINETUNE) is Turn.WAIT
    assert ask(search).kind is Kind.PRETRAIN
    assert ask(search) in tuned


def test_nothing_is_proposed_while_there_is_no_room_for_it() -> None:
    sweep = make(trials=1)
    last = [each for each in sweep.grid() if each.kind is Kind.CLASSICAL][-1]
    search = Search(sweep, [record(each) for each in sweep.grid() if each != last])
    assert search.ask(lambda kind: kind is not Kind.FINETUNE) == last
    assert search.ask(lambda kind: kind is not Kind.FINETUNE) is Turn.WAIT
    assert proposed(search) == 0
    assert ask(search).kind is Kind.FINETUNE
