"""A plan says for each trial what its state is, what it takes and why it is still to run."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_sweeps import make, record

from sweep.search.plan import memory_line, plan
from sweep.search.search import Search
from sweep.spec.limits import Limits
from sweep.spec.presets import preset
from tfic.data import write_folder
from tfic.synth import draw


def line_of(lines: list[str], key: str) -> str:
    (found,) = [line for line in lines if line.strip().startswith(key)]
    return found.strip().removeprefix(key).strip()


def test_changed_settings_are_named_where_they_make_a_finished_trial_run_again() -> None:
    sweep = make()
    longer = replace(sweep, train=replace(sweep.train, pretrain_steps=25))
    old = sweep.pretrain(0.003)
    done = [record(old), record(sweep.finetune(0.003, 1.0)), record(sweep.anchors()[0])]
    lines = plan(Search(longer, done))
    assert line_of(lines, longer.pretrain(0.003).key) == (
        f"to run    25 steps  ({old.key} had other settings: train.pretrain_steps 20 -> 25)"
    )
    parents = f"parent {old.key} -> {longer.pretrain(0.003).key}"
    assert parents in line_of(lines, longer.finetune(0.003, 1.0).key)
    assert line_of(lines, longer.pretrain(0.001).key) == "to run    25 steps"
    assert line_of(lines, longer.anchors()[0].key) == "finished"


def test_what_was_cut_off_failed_or_was_stopped_says_so() -> None:
    sweep = make(limits=Limits(bpp_high=0.2))
    cut, failed, stopped = sweep.pretrain(0.001), sweep.pretrain(0.003), sweep.finetune(0.003, 1.0)
    records = [
        record(cut, finished=False),
        record(failed, finished=False, reason="OSError: no space left"),
        record(stopped, finished=False, reason="its rate is too high", stopped=True),
    ]
    lines = plan(Search(sweep, records))
    assert line_of(lines, cut.key) == "to run    20 steps  (cut off; goes on from its last checkpoint)"
    assert line_of(lines, failed.key) == "to run    20 steps  (failed before: OSError: no space left)"
    assert line_of(lines, stopped.key) == "stopped   its rate is too high"
    assert "1 stopped by a rule" in lines[-2]


def test_while_a_driver_is_at_work_the_steps_of_what_runs_are_shown() -> None:
    sweep = make()
    first, tuned = sweep.pretrain(0.001), sweep.finetune(0.003, 1.0)
    search = Search(sweep, [record(each, finished=False) for each in (first, tuned)])
    lines = plan(search, {first.key: 8, tuned.key: 22})
    assert line_of(lines, first.key) == "running   step 8 of 20"
    assert line_of(lines, tuned.key) == "running   step 2 of 6"


def test_costs_are_told_once_each_kind_has_been_seen() -> None:
    sweep = make()
    assert "in one slot" not in "".join(plan(Search(sweep)))
    seen = [sweep.reference(), sweep.pretrain(0.001), sweep.finetune(0.001, 0.3), sweep.anchors()[0]]
    lines = plan(Search(sweep, map(record, seen)))
    assert "6 to run (38 training steps, about 6 s in one slot)" in lines[-2]


def test_what_ends_the_search_is_told() -> None:
    limits = Limits(gpu_hours=9.0, target="accuracy>=0.95")
    sweep = make(limits=limits, keep_every=2)
    done = [record(sweep.pretrain(0.003)), record(sweep.finetune(0.003, 1.0))]
    text = "\n".join(plan(Search(sweep, done)))
    assert "Then fine-tunings proposed by Optuna, gamma from 0.3 to 1, looking for accuracy>=0.95" in text
    assert "Nothing that trains starts once 9 GPU-hours are spent; 1 GPU-hours so far" in text
    assert (
        "1 finished fine-tunings ran without `keep_every` and have no intermediate checkpoints at those steps" in text
    )


def test_images_that_were_corrected_in_place_are_measured_under_another_key_and_the_plan_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_folder([draw(0, "test", 0, 32, 48)], tmp_path / "set")
    sweep = make()
    sweep = replace(sweep, data=replace(sweep.data, test_dir=str(tmp_path / "set")))
    old = sweep.anchors()[0]
    metadata = tmp_path / "set" / "metadata.jsonl"
    metadata.write_text(metadata.read_text() + " ")
    again = replace(sweep)
    new = again.anchors()[0]
    said = line_of(plan(Search(again, [record(old)])), new.key)
    assert said.startswith(f"to run      (measured under another key, {old.key}: other files, test_dir ")
    assert len(said) < 150


def test_a_plan_says_what_memory_a_training_needs_and_how_large_a_gpu_must_be_to_be_shared() -> None:
    whole, shared = memory_line(preset("base"), 4, 1), memory_line(preset("base"), 0.25, 0.25)
    assert whole == (
        "A process that trains needs about 3.5 GiB in stage 1 and 12.7 GiB in stage 2 (estimated, float32); the "
        "training set takes 3.7 GiB more of a GPU with room for it."
    )
    assert "(estimated, float32); to be shared like that, a GPU needs 51 GiB; the training set" in shared
    other = replace(preset("base"), codec="bmshj2018-factorized")
    assert memory_line(other, 1, 1).startswith("How much memory a training of bmshj2018-factorized needs has not been")
