"""The plan of a sweep as lines of text: each trial, its state and cost, and the training steps that sharing saves."""

import math
from collections.abc import Mapping, Sequence

from sweep.search.costs import hours, mean_seconds
from sweep.search.progress import duration
from sweep.search.search import Search
from sweep.search.state import Status
from sweep.spec.keys import prefix_of
from sweep.spec.space import Sweep
from sweep.spec.trials import Kind, Trial
from sweep.store.schema import Record
from tfic.differing import differences
from tfic.training import memory

HEADINGS = {
    Kind.UNCOMPRESSED: "Reference",
    Kind.PRETRAIN: "Stage 1, one pre-training per lambda (each is a point: the baseline codec)",
    Kind.CONTROL: "Controls: stage 1 continued for the steps of stage 2",
    Kind.FINETUNE: "Stage 2, fine-tuned from stage 1",
    Kind.QUALITY: "The same codecs at other lambdas, by their quality",
    Kind.HALFWAY: "Stage 1 after half of its steps, which shows how far it has converged",
    Kind.INTERMEDIATE: "Intermediate checkpoints of stage 2, each a point of its own",
    Kind.CLASSICAL: "Classical codecs",
}
"""A heading for each kind of trial, in the order of the tree."""


def plan(search: Search, steps: Mapping[str, int] | None = None) -> list[str]:
    """The trials of a sweep by stage with their state and cost, then what is left and what sharing saves.

    Args:
        search: The sweep, as its records leave it.
        steps: Global steps of the trials that run at this moment, by key; None when no driver is at work.
    """
    lines: list[str] = []
    width = max(len(key) for key in search.states)
    other = _of_other_settings(search)
    for kind, heading in HEADINGS.items():
        trials = [trial for trial in search.trials() if trial.kind is kind]
        if trials:
            lines += ["", heading]
            lines += [f"  {trial.key:<{width}}  {_state(search, trial, steps, other)}".rstrip() for trial in trials]
    return [*lines, *_beyond(search), "", *_totals(search)]


def recorded(records: Sequence[Record], steps: Mapping[str, int] | None = None) -> list[str]:
    """The trials in a store with their state, for where the folders that decide the keys of the others are not.

    Args:
        records: The trials.
        steps: Global steps of those that run at this moment, by key; None when no driver is at work.
    """
    width = max((len(each.key) for each in records), default=0)
    lines = [f"  {each.key:<{width}}  {_recorded_state(each, steps)}" for each in records]
    finished = sum(each.finished for each in records)
    return ["", *lines, "", f"{len(records)} trials in the store: {finished} finished"]


def _recorded_state(record: Record, steps: Mapping[str, int] | None) -> str:
    if record.finished:
        return "finished"
    if record.reason:
        return f"{'stopped' if record.stopped else 'failed '}   {record.reason}"
    if steps is not None and record.key in steps:
        done = steps[record.key]
        return f"running   global step {done:,}" if done >= 0 else "running"
    return "cut off"


def _of_other_settings(search: Search) -> dict[str, list[Record]]:
    """The finished trials of the store that the sweep does not ask for, by the readable part of their keys."""
    found: dict[str, list[Record]] = {}
    for each in search.records.values():
        if each.finished and each.key not in search.states:
            found.setdefault(prefix_of(each.key), []).append(each)
    return found


def _state(search: Search, trial: Trial, steps: Mapping[str, int] | None, other: Mapping[str, Sequence[Record]]) -> str:
    """A trial's state in a word, then its steps, or why it is not done."""
    state = search.states[trial.key]
    if state.status is Status.FINISHED:
        return "finished  " + _work(trial)
    if state.status is Status.STOPPED:
        return f"stopped   {state.reason}"
    if steps is not None and trial.key in steps:
        before = trial.config.train.pretrain_steps if trial.kind in (Kind.FINETUNE, Kind.CONTROL) else 0
        done = max(0, steps[trial.key] - before)
        return f"running   step {done:,} of {trial.steps:,}" if trial.steps else "running"
    if search.is_measured_again(trial):
        return f"to run    0 steps  (measured again, with the weights of {search.before[trial.weights].key})"
    if state.trained_hours is not None:
        return "to run    0 steps  (trained, and still to be measured)"
    why = _why(search, trial, other.get(prefix_of(trial.key), ()))
    return f"to run    {_work(trial)}{f'  ({why})' if why else ''}"


def _work(trial: Trial) -> str:
    start = f"from {trial.parent}" if trial.parent else ""
    return f"{trial.steps:,} steps {start}".rstrip() if trial.steps else start


def _why(search: Search, trial: Trial, before: Sequence[Record]) -> str:
    """The reason why a trial is still to run, if it ran before: cut off, failed, or finished with other settings."""
    record = search.records.get(trial.key)
    if record is not None:
        return f"failed before: {record.reason}" if record.reason else "cut off; goes on from its last checkpoint"
    if not before or not before[-1].decides:
        return ""
    changed = differences(before[-1].decides, trial.decides)
    if changed and all(name.split(" ")[0].endswith("_dir") for name in changed):
        # of one version a correction; keys of version 0.1 held no contents, so that each folder changes once
        return f"measured under another key, {before[-1].key}: other files, {', '.join(changed)}"
    if any(name.startswith("training_version ") for name in changed):
        return f"{before[-1].key} was trained by another version of this program: {', '.join(changed)}"
    return f"{before[-1].key} had other settings: {', '.join(changed)}"


def _beyond(search: Search) -> list[str]:
    """The proposals that may follow the known trials, and the limits."""
    lines: list[str] = []
    left, limits = search.proposals_left, search.limits
    if left:
        low, high = search.sweep.space.gamma_range
        many = f"{left:.0f} fine-tunings" if math.isfinite(left) else "fine-tunings"
        aim = f", looking for {search.target}" if search.target else ""
        lines += ["", f"Then {many} proposed by Optuna, gamma from {low:g} to {high:g}{aim}"]
    if limits.gpu_hours:
        lines.append(f"Nothing that trains starts once {limits.gpu_hours:g} GPU-hours are spent; {_spent(search)}")
    if search.without_intermediates:
        lines.append(
            f"{len(search.without_intermediates)} finished fine-tunings ran without `keep_every` and have no "
            "intermediate checkpoints at those steps"
        )
    return lines


def _spent(search: Search) -> str:
    return f"{search.spent_hours:.3g} GPU-hours so far"


def _totals(search: Search) -> list[str]:
    """The trials that are left, and the training steps with and without sharing stage 1."""
    train, left = search.sweep.train, search.trials(Status.WAITING)
    proposals = int(search.proposals_left) if math.isfinite(search.proposals_left) else 0
    steps = sum(trial.steps for trial in left if search.trains(trial)) + proposals * train.finetune_steps
    mean = mean_seconds(search)
    ahead = hours(left, mean) + proposals * mean.get(Kind.FINETUNE, 0.0 if not proposals else math.nan) / 3600
    about = f", about {duration(3600 * ahead)} in one slot" if ahead > 0 else ""
    to_run = f"{len(left) + proposals} to run ({steps:,} training steps{about})"
    finished, stopped = len(search.trials(Status.FINISHED)), len(search.trials(Status.STOPPED))
    by_rule = f", {stopped} stopped by a rule" if stopped else ""
    lines = [f"{search.total} trials: {finished} finished{by_rule}, {to_run}"]
    again = len(search.measured_again)
    lines += [f"{again} of them are measured again from checkpoints in the store; nothing is trained for them"] * bool(
        again
    )
    tunings = sum(trial.kind is Kind.FINETUNE for trial in search.trials()) + proposals
    pretrainings = sum(trial.kind is Kind.PRETRAIN for trial in search.trials())
    tunings += sum(trial.kind is Kind.CONTROL for trial in search.trials())
    apart = pretrainings * train.pretrain_steps + tunings * (train.pretrain_steps + train.finetune_steps)
    shared = pretrainings * train.pretrain_steps + tunings * train.finetune_steps
    if shared < apart:
        lines.append(
            f"Sharing stage 1 makes the whole sweep {shared:,} training steps instead of {apart:,} "
            f"({1 - shared / apart:.0%} saved)"
        )
    return lines


def memory_line(sweep: Sweep, pretrain_gpus: float, gpus: float) -> str:
    """The memory that a training is estimated to need, as a sentence; see `tfic.training.memory`.

    Args:
        sweep: The sweep.
        pretrain_gpus: GPUs of a trial of stage 1, or processes where there are none; below 1 a share of one.
        gpus: Those of any other trial that trains.
    """
    needs, least = [], 0.0
    for stage, count in ((1, pretrain_gpus), (2, gpus)):
        found = memory.training_bytes(sweep.codec, sweep.train, stage, max(1, int(count)))
        if found is None:
            return f"How much memory a training of {sweep.codec} needs has not been counted."
        needs.append(f"{found / memory.GIB:.1f} GiB in stage {stage}")
        least = max(least, found / memory.GIB / count) if count < 1 else least
    data = sweep.data
    drawn = 0 if data.train_dir else memory.set_bytes(data.train_count, data.height_px, data.width_px)
    shared = f"; to be shared like that, a GPU needs {least:.0f} GiB" if least else ""
    held = f"; the training set takes {drawn / memory.GIB:.1f} GiB more of a GPU with room for it" if drawn else ""
    return f"A process that trains needs about {' and '.join(needs)} (estimated, float32){shared}{held}."
