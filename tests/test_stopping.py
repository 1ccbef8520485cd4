"""A rule ends a fine-tuning only where every objective agrees, in its second half, and says the numbers."""

from dataclasses import replace

import pytest

from sweep.spec.limits import Limits
from sweep.spec.presets import preset
from sweep.spec.trials import Trial
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


def finished(tracker: Tracker, trial: Trial) -> Rival:
    """Leave the run of a finished trial, and return the rival that it is."""
    run = tracker.start(trial)
    tracker.log_steps(run, [(22, {"train_bpp": 0.2, "train_ocr": 1.0, "train_mse": 0.01}), (24, {"train_bpp": 0.3})])
    tracker._client.set_terminated(run, "FINISHED")
    return Rival(trial.key, {22: (0.2, 1.0, 0.01)})


def test_rivals_are_the_finished_finetunings_that_differ_in_gamma_and_lambda_alone(empty_store: str) -> None:
    tracker, sweep = Tracker(empty_store, "rivals"), preset("tiny")
    trial, train = sweep.finetune(0.003, 1.0), sweep.train
    for lmbda in (0.001, 0.003):
        finished(tracker, sweep.pretrain(lmbda))
    tracker.start(sweep.finetune(0.003, 9.0))
    measured_otherwise = replace(sweep, eval=replace(sweep.eval, detect_side_px=99))
    finished(tracker, measured_otherwise.pretrain(0.001))
    rivals_of_it = [
        finished(tracker, sweep.finetune(0.003, 2.0)),
        finished(tracker, sweep.finetune(0.001, 1.0)),
        finished(tracker, sweep.finetune(0.003, 1.0, 0.5)),
        finished(tracker, measured_otherwise.finetune(0.001, 3.0)),
    ]
    others = [replace(sweep, train=replace(train, **{name: value})) for name, value in (
        ("seed", 7), ("finetune_steps", 99), ("finetune_batch", 3), ("crop_width_px", 192), ("reading", "features"),
        ("tasks", "reading+0.5*detection"), ("readers", "easyocr"), ("learns", "encoder"), ("pretrain_steps", 19),
    )]  # fmt: skip
    others += [replace(sweep, codec="tic-small"), replace(sweep, data=replace(sweep.data, train_count=99))]
    for other in others:
        finished(tracker, other.pretrain(0.003))
        finished(tracker, other.finetune(0.003, 2.0))
    found = rivals(tracker, trial)
    assert sorted(found, key=lambda each: each.key) == sorted(rivals_of_it, key=lambda each: each.key)
    assert len(rivals(tracker, others[0].finetune(0.003, 1.0))) == 1
