"""Retries, budgets, targets and rules: how far a search goes, and when it gives a trial up."""

import pytest
from made_sweeps import ask, make, measured, proposed, record, run_all

from sweep.search.search import Search, Turn
from sweep.search.state import Status
from sweep.spec.limits import Limits
from sweep.spec.trials import Kind
from sweep.trial.end import End, end_told
from sweep.trial.stopping import StoppedByRuleError
from tfic.errors import ImageUnsuitedError
from tfic.system.store_uri import StoreUnreachableError

DIED = "its process died"


def test_a_trial_that_died_is_the_next_to_run_as_often_as_its_retries_allow() -> None:
    search = Search(make(limits=Limits(retries=2)))
    ask(search)
    first = ask(search)
    assert [search.fail(first.key, DIED), ask(search) == first] == [True, True]
    assert [search.fail(first.key, DIED), ask(search) == first] == [True, True]
    assert not search.fail(first.key, DIED)
    assert search.reasons(Status.FAILED) == {first.key: DIED}
    assert ask(search).kind == "pretrain"


def test_what_would_fail_again_is_not_tried_again() -> None:
    search = Search(make(limits=Limits(retries=5)))
    ask(search)
    assert not search.fail(ask(search).key, "ValueError: no such folder", retryable=False)


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (FloatingPointError("loss is nan at step 3 of 20"), False),
        (ValueError("no such folder"), False),
        (ImageUnsuitedError("none of the 3 test images can be measured"), False),
        (StoreUnreachableError("tracking server does not answer"), True),
        (OSError("no space left"), True),
    ],
)
def test_an_error_that_the_same_settings_and_data_give_again_is_not_retryable(
    error: Exception, retryable: bool
) -> None:
    assert End.of(error).retryable is retryable


def test_a_failure_that_cannot_be_told_is_raised_with_the_reason_and_a_stop_is_not_taken_for_told() -> None:
    def tell(end: End) -> None:
        raise OSError("no space left")

    with pytest.raises(FloatingPointError, match="loss is nan") as failed, end_told(tell):
        raise FloatingPointError("loss is nan")
    assert failed.value.__notes__ == ["Nor could this be told: OSError: no space left"]
    with pytest.raises(OSError, match="no space left"), end_told(tell):
        raise StoppedByRuleError("rate")


def test_a_failure_reaches_everything_that_stands_on_it_and_nothing_else() -> None:
    sweep = make(warm_start=0.003, keep_every=2, lmbdas=(0.001, 0.003, 0.01))
    search = Search(sweep)
    bad = sweep.pretrain(0.001).key
    run_all(search, lambda trial: trial.key != bad)
    parents = {trial.key: trial.parent for trial in sweep.grid()}
    under = [key for key, parent in parents.items() if bad in (parent, parents.get(parent))]
    assert len(under) == 2 * 3
    assert search.reasons(Status.NOT_RUN) == dict.fromkeys(under, "its pre-training failed: ValueError: spoilt")
    rooted = Search(sweep)
    ran = run_all(rooted, lambda trial: trial.key != sweep.pretrain(0.003).key)
    assert [trial.kind for trial in ran if trial.steps] == ["pretrain"]
    assert len(rooted.reasons(Status.NOT_RUN)) == 2 + 3 * 2 * 3


def test_nothing_that_trains_starts_once_the_hours_are_spent_and_earlier_runs_count() -> None:
    sweep = make(trials=9, limits=Limits(gpu_hours=2.0))
    done = [sweep.pretrain(0.001), sweep.pretrain(0.003)]
    search = Search(sweep, map(record, done))
    assert search.spent_hours == 1.0
    ran = run_all(search)
    assert sum(bool(trial.steps) for trial in ran) == 2
    assert {trial.kind for trial in ran} == {"uncompressed", "finetune", "classical"}
    assert len(search.trials(Status.WAITING)) == 2
    assert search.spent_hours == 2.0


def test_hours_of_attempts_that_failed_are_spent_too() -> None:
    search = Search(make(limits=Limits(gpu_hours=1.0)))
    ask(search)
    search.fail(ask(search).key, DIED, gpu_hours=1.5)
    assert ask(search).kind == "classical"


def test_hours_of_attempts_that_failed_were_stopped_or_cut_off_count_after_a_restart_and_once() -> None:
    sweep = make(lmbdas=(0.001, 0.003), gammas=(1.0,), limits=Limits(gpu_hours=10.0, bpp_low=0.1))
    failed, cut, stopped = sweep.pretrain(0.001), sweep.pretrain(0.003), sweep.finetune(0.001, 1.0)
    records = [
        record(failed, finished=False, reason=DIED, spent_hours=4.0),
        record(cut, finished=False, spent_hours=2.0),
        record(stopped, finished=False, stopped=True, spent_hours=3.0),
    ]
    search = Search(sweep, records)
    assert search.spent_hours == 9.0
    ask(search)
    assert ask(search) == failed
    search.fail(failed.key, DIED, gpu_hours=0.5)
    assert ask(search) == failed
    search.tell(failed.key, measured(failed) | {"gpu_hours": 4.75})
    assert search.spent_hours == pytest.approx(9.75), "what a training says at its end has all its attempts"


def test_with_hours_and_no_number_of_trials_proposals_go_on_until_the_hours_are_spent() -> None:
    search = Search(make(gammas=(0.01, 10.0), limits=Limits(gpu_hours=10.0)))
    ran = run_all(search)
    assert sum(bool(trial.steps) for trial in ran) == 20
    assert proposed(search) == 20 - 2 - 4
    assert not search.trials(Status.WAITING)


def test_a_target_draws_proposals_towards_the_cheapest_codec_that_holds_it() -> None:
    space = {"lmbdas": (0.0005, 0.001, 0.003, 0.01), "gammas": (0.01, 10.0), "trials": 16}
    aimed = Search(make(**space, limits=Limits(target="accuracy>=0.9")))
    run_all(aimed)
    assert aimed.target
    best = aimed.target.best(aimed.results)
    assert best
    assert aimed.states[best].trial.config.lmbda == 0.0005
    assert aimed.results[best]["accuracy"] >= 0.9


def test_codecs_kept_on_the_way_are_points_of_their_own_after_their_fine_tuning() -> None:
    sweep = make(keep_every=2, gammas=(1.0,), lmbdas=(0.003,))
    ran = run_all(Search(sweep))
    tuned = sweep.finetune(0.003, 1.0)
    kept = [trial for trial in ran if trial.kind is Kind.INTERMEDIATE]
    assert [(trial.parent, trial.step, trial.steps) for trial in kept] == [(tuned.key, 2, 0), (tuned.key, 4, 0)]
    assert ran.index(kept[0]) > ran.index(tuned)
    assert tuned.key == make(gammas=(1.0,), lmbdas=(0.003,)).finetune(0.003, 1.0).key


def test_a_finished_fine_tuning_is_not_asked_for_codecs_that_it_did_not_keep() -> None:
    sweep = make(keep_every=2, gammas=(1.0,), lmbdas=(0.003,))
    done = [record(sweep.pretrain(0.003)), record(sweep.finetune(0.003, 1.0), intermediate_steps=(4,))]
    search = Search(sweep, done)
    assert [trial.step for trial in search.trials(Status.WAITING) if trial.kind is Kind.INTERMEDIATE] == [4]
    assert search.without_intermediates == [sweep.finetune(0.003, 1.0).key]


def test_proposals_bring_the_codecs_that_they_keep() -> None:
    search = Search(make(keep_every=2, trials=2, gammas=(0.1, 1.0), lmbdas=(0.003,)))
    before = search.total
    ran = run_all(search)
    assert len(ran) == before
    assert sum(trial.kind is Kind.INTERMEDIATE for trial in ran) == 2 * 4


def test_shares_of_lambda_are_a_third_axis_of_the_grid_and_of_the_proposals() -> None:
    sweep = make(lmbda_shares=(0.0, 1.0), trials=4)
    search = Search(sweep)
    ran = run_all(search)
    grid = {(0.0, 0.3), (0.0, 1.0), (1.0, 0.3), (1.0, 1.0)}
    tuned = [trial for trial in ran if trial.kind == "finetune"]
    assert {(each.config.train.lmbda_share, each.config.gamma) for each in tuned[:8]} == grid
    assert all(0 <= each.config.train.lmbda_share <= 1 for each in tuned)
    assert len(tuned) == 12
    records = [record(trial, proposed=search.states[trial.key].proposed) for trial in ran]
    assert not Search(sweep, records).trials(Status.WAITING)
    assert Search(sweep, records).proposals_left == 0


def test_a_share_of_the_grid_is_the_training_s_own_by_its_key() -> None:
    assert make(lmbda_shares=(0.0,)).finetune(0.003, 1.0, 0.0).key == make().finetune(0.003, 1.0).key


def test_a_warm_start_pre_trains_one_lambda_first_and_the_others_from_it() -> None:
    sweep = make(lmbdas=(0.001, 0.003, 0.01), warm_start=0.003)
    search = Search(sweep)
    ask(search)
    first = ask(search)
    assert (first.config.lmbda, first.parent, first.config.warm_lmbda) == (0.003, "", 0.0)
    assert ask(search).kind == "classical"
    search.tell(first.key, measured(first))
    kinds = [ask(search) for _ in range(3)]
    assert [(each.kind, each.parent) for each in kinds[:2]] == [("pretrain", first.key)] * 2
    assert kinds[2].kind == "finetune"
    assert first.key == make().pretrain(0.003).key
    assert sweep.pretrain(0.001).key != make().pretrain(0.001).key


def test_a_stopped_trial_is_no_failure_stays_stopped_while_there_are_rules_and_goes_on_without() -> None:
    sweep = make(limits=Limits(bpp_high=0.3), keep_every=2)
    search = Search(sweep)
    while (trial := ask(search)).kind != "finetune":
        search.tell(trial.key, measured(trial))
    search.stop(trial.key, "its rate is too high")
    run_all(search)
    assert not search.reasons(Status.FAILED)
    assert not search.reasons(Status.NOT_RUN)
    kept = [each.key for each in sweep.intermediates(trial)]
    assert search.reasons(Status.STOPPED) == {
        trial.key: "its rate is too high",
        **dict.fromkeys(kept, "its fine-tuning was stopped: its rate is too high"),
    }
    stopped = record(trial, finished=False, stopped=True, reason="its rate is too high")
    assert trial not in Search(sweep, [stopped]).trials(Status.WAITING)
    assert trial in Search(make(keep_every=2), [stopped]).trials(Status.WAITING)


def test_a_search_whose_budget_is_spent_at_the_start_still_measures_what_costs_nothing() -> None:
    search = Search(make(limits=Limits(gpu_hours=1e-9)))
    ran = run_all(search)
    assert [trial.steps for trial in ran[:2]] == [0, 20]
    assert search.ask() is Turn.DONE


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"gpu_hours": -1.0}, "gpu_hours is -1.0; it must be 0 or more"),
        ({"retries": -1}, "retries is -1; it must be 0 or more"),
        ({"bpp_low": 0.5, "bpp_high": 0.2}, "low must be below high"),
        ({"stop_margin": float("nan")}, "stop_margin is nan"),
    ],
)
def test_limits_that_mean_nothing_are_refused(limits: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Limits(**limits)
