"""What a sweep would run, why, and what sharing stage 1 saves, as lines of text."""

from sweep.search import Search
from sweep.space import Trial


def plan(search: Search) -> list[str]:
    """The trials of a sweep by stage, with their state, then the steps to train and those that sharing saves."""
    lines: list[str] = []
    width = max(len(key) for key in search.trials)
    for kind, heading in (
        ("uncompressed", "Reference"),
        ("pretrain", "Stage 1, one pre-training per lambda (each is a point: the baseline codec)"),
        ("finetune", "Stage 2, fine-tuned from stage 1"),
        ("classical", "Classical codecs"),
    ):
        trials = [trial for trial in search.trials.values() if trial.kind == kind]
        if trials:
            lines += ["", heading]
            lines += [
                f"  {trial.key:<{width}}  {_state(search, trial):<8}  {_work(trial)}".rstrip() for trial in trials
            ]
    if search.proposals_left:
        low, high = search.sweep.space.gamma_range
        lines += ["", f"Then {search.proposals_left} fine-tunings proposed by Optuna, gamma from {low:g} to {high:g}"]
    return [*lines, "", *_totals(search)]


def _state(search: Search, trial: Trial) -> str:
    return "finished" if trial.key in search.results else "to run"


def _work(trial: Trial) -> str:
    start = f" from {trial.parent}" if trial.parent else ""
    return f"{trial.steps:,} steps{start}" if trial.steps else ""


def _totals(search: Search) -> list[str]:
    """How much is left, and the steps of a product without sharing against those of the tree."""
    train, left = search.sweep.train, search.waiting
    proposals = search.proposals_left
    steps = sum(trial.steps for trial in left) + proposals * train.finetune_steps
    to_run = f"{len(left) + proposals} to run ({steps:,} training steps)"
    lines = [f"{search.total} trials: {len(search.results)} finished, {to_run}"]
    tunings = sum(trial.kind == "finetune" for trial in search.trials.values()) + proposals
    pretrainings = sum(trial.kind == "pretrain" for trial in search.trials.values())
    apart = pretrainings * train.pretrain_steps + tunings * (train.pretrain_steps + train.finetune_steps)
    shared = pretrainings * train.pretrain_steps + tunings * train.finetune_steps
    if tunings:
        lines.append(
            f"Sharing stage 1 makes the whole sweep {shared:,} training steps instead of {apart:,} "
            f"({1 - shared / apart:.0%} saved)"
        )
    return lines
