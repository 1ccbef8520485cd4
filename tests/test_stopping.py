"""A rule ends a fine-tuning only where every objective agrees, in its second half, and says the numbers."""

from dataclasses import replace

import pytest

from sweep.spec.limits import Limits
from sweep.spec.presets import preset
from sweep.store.tracking import Tracker
from sweep.trial.stopping import Rival, StoppedByRuleError, check, rivals
from tfic.training.train import Progress

NOW = Progress("finetune", 60, 100, 1060, loss=1.0, bpp_estimated=0.2, mse=0.01, ocr=1.0, seconds_left=10.0)


RIVAL = Rival("finetune-l0.003-g1-0", {1060: (0.18, 0.9, 0.009)})


def test_a_finetuning_beaten_by_the_margin_on_all_objectives_is_stopped_with_the_numbers() -> None:
    words = r"finetune-l0.003-g1-0 was better by more than 10% .* at step 60 of 100: 0.2 against 0.18, 1 against 0.9"
    with pytest.raises(StoppedByRuleError, match=words):
        check(Limits(stop_margin=0.1), [RIVAL], NOW)


@pytest.mark.parametrize(
    "saved",
    [
        replace(NOW, bpp_estimated=0.19),
        replace(NOW, ocr=0.95),
        replace(NOW, mse=0.0095),
        replace(NOW, step=49),
        replace(NOW, global_step=1061),
    ],
)
def test_one_objective_within_the_margin_or_no_rival_at_that_step_saves_it(saved: Progress) -> None:
    check(Limits(stop_margin=0.1), [RIVAL], saved)


@pytest.mark.parametrize(
    ("limits", "bpp", "words"),
    [
        (Limits(bpp_low=0.1), 0.09, "is below bpp_low 0.1"),
        (Limits(bpp_high=0.3), 0.61, "is above 2 times bpp_high 0.3"),
    ],
)
def test_a_rate_outside_of_what_is_of_interest_ends_it(limits: Limits, bpp: float, words: str) -> None:
    with pytest.raises(StoppedByRuleError, match=words):
        check(limits, [], replace(NOW, bpp_estimated=bpp))
    check(limits, [], replace(NOW, bpp_estimated=bpp, step=49))
    check(limits, [], replace(NOW, bpp_estimated=bpp, stage="pretrain"))
    check(limits, [], NOW)


def test_without_rules_nothing_is_stopped() -> None:
    check(Limits(), [RIVAL], replace(NOW, bpp_estimated=99.0, ocr=99.0, mse=1.0))


def test_rivals_are_the_finished_finetunings_of_as_many_steps(empty_store: str) -> None:
    tracker, sweep = Tracker(empty_store, "rivals"), preset("tiny")
    trial, unfinished = sweep.finetune(0.003, 1.0), sweep.finetune(0.003, 2.0)
    entries = [(22, {"train_bpp": 0.2, "train_ocr": 1.0, "train_mse": 0.01}), (24, {"train_bpp": 0.3})]
    for each in (trial, unfinished, sweep.pretrain(0.003)):
        run = tracker.start(each)
        tracker.log_steps(run, entries)
        if each != unfinished:
            tracker._client.set_terminated(run, "FINISHED")
    assert rivals(tracker, sweep.train.finetune_steps) == [Rival(trial.key, {22: (0.2, 1.0, 0.01)})]
    assert rivals(tracker, 99) == []
