"""Trainings for a whole range of lambda: their codecs at each lambda compare with others at that lambda."""

from collections.abc import Mapping

from analysis.records import StoredRun


def training_of(parent: str, lmbda: str, runs: Mapping[str, StoredRun]) -> tuple[str, str | None]:
    """Kind of the training that a codec of kind "quality" is of, and the key of the codec that it started from.

    Args:
        parent: Key of the training.
        lmbda: The codec's own lambda, as its run has it.
        runs: All runs of the sweep by trial key.
    """
    if parent not in runs:
        return "quality", None
    training = runs[parent].tags
    start = training.get("parent")
    wanted = ("quality", start, lmbda)
    for key, run in runs.items():
        tags = run.tags
        if (tags["kind"], tags.get("parent"), run.params.get("lmbda")) == wanted:
            return training["kind"], key
    return training["kind"], start
