"""The machine tasks by name: what codecs are trained for in stage 2, and measured by. Needs no network.

    x -> codec -> x_hat -> frozen model -> loss        stage 2 (`tfic.training.tasks`)
                     |---> frozen model -> metric      measuring, from the decoded file (`tfic.measuring.tasks`)

A task is a frozen model, a loss and a metric. `L_OCR` of TFIC is the loss of the first; each other takes its place, or
stands beside it with a weight: `reading+0.5*detection`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tfic.weights import chosen, from_assignments, parse


@dataclass(frozen=True)
class Task:
    """A machine task."""

    model: str
    """The frozen model."""
    loss: str
    """What is minimised in stage 2."""
    metric: str
    """The measure of the decoded pixels: a field of `tfic.measuring.row.Row`."""
    licence: str
    """Licence of the model, and where that is stated."""
    agent: str
    """What the model is, in sentences."""
    verb: str
    """What it does, in sentences."""
    heldout: Mapping[str, str]
    """The same measure of models that nothing is trained against, by the reader of `eval.readers` that the model is a
    part of; none for reading, which `tfic.reader_names` has the readers of."""


TASKS: Mapping[str, Task] = MappingProxyType({
    "reading": Task(
        "PP-OCRv6 small's recogniser, or EasyOCR's (train.readers)", "the terms of train.reading", "accuracy",
        "Apache-2.0; `python -m tfic readers` has that of each reader", "reader", "read",
        MappingProxyType({}),
    ),
    "detection": Task(
        "PP-OCRv6 small's detector", "Kullback-Leibler divergence of its map of x_hat from its map of x",
        "detection_f1", "Apache-2.0 (rapidocr)", "detector", "find",
        MappingProxyType({"ppocrv4": "detection_f1_ppocrv4"}),
    ),
})  # fmt: skip
"""The tasks, TFIC's own first."""
FURTHER_TASKS = tuple(name for name in TASKS if name != "reading")
"""Tasks that are measured where they are asked for; reading always is."""


def weights_of(tasks: str) -> dict[str, float]:
    """The weight of each task in `train.tasks`.

    Raises:
        ValueError: for an unknown or repeated name, or a weight that is not positive.
    """
    return parse(tasks, tuple(TASKS), "tasks")


def trained_for(text: str) -> str:
    """Machine tasks as a sum, from a flag such as `reading=1,detection=0.5`."""
    return from_assignments(text, {})


def further_tasks(text: str) -> tuple[str, ...]:
    """The names of tasks in `eval.tasks`, joined by `+`.

    Raises:
        ValueError: for an unknown or repeated name.
    """
    return chosen(text, FURTHER_TASKS, "eval.tasks")


def measured_tasks(trained: Iterable[str], asked: str) -> str:
    """`eval.tasks` with those that some `train.tasks` train for: codecs of all of them are compared in each."""
    names = {name for tasks in trained for name in weights_of(tasks)}.union(further_tasks(asked))
    return "+".join(name for name in FURTHER_TASKS if name in names)
