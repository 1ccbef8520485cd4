"""The readers of a sweep: what they measured, whom codecs were trained against, and those that a verdict needs.

`accuracy` is that of the reader that measures every sweep, PP-OCRv6, called "training" here as it is the one that
codecs are trained against unless `train.readers` says another; `accuracy_heldout` is Tesseract's.
"""

from collections.abc import Mapping

import pandas as pd

from tfic import task_names
from tfic.config import TrainConfig
from tfic.measuring.row import MEASURES
from tfic.reader_names import FURTHER_READERS, READERS
from tfic.weights import parse

TRAINED_AGAINST = "train.readers"
"""Parameter of a run: the readers of its stage 2."""
TRAINING, TESSERACT = "training", "tesseract"
"""Names of the reader that always reads, and of Tesseract."""
HELDOUT = (TESSERACT, *FURTHER_READERS)
"""Readers that a verdict may need."""
FIRST = TrainConfig().readers
"""The reader that runs were trained against which state none."""


def column(name: str) -> str:
    """The measure of a reader, or of another task."""
    own = {TRAINING: "accuracy", READERS[0]: "accuracy", TESSERACT: "accuracy_heldout"}
    own |= {task: task_names.TASKS[task].metric for task in task_names.FURTHER_TASKS}
    return own.get(name, f"accuracy_{name}")


def title(name: str) -> str:
    """A reader's name for people."""
    own = {TRAINING: "the training reader", READERS[0]: "PP-OCRv6", TESSERACT: "Tesseract"}
    return own.get(name) or MEASURES[column(name)].label


def stated(params: Mapping[str, str]) -> str:
    """The readers that a codec was trained against, by the parameters of its run; "" where it was not for reading."""
    tasks = task_names.weights_of(params.get("train.tasks", "reading"))
    return params.get(TRAINED_AGAINST, FIRST) if "reading" in tasks else ""


def measured(points: pd.DataFrame) -> dict[str, str]:
    """The measure of each reader that read in a sweep, by the reader's name."""
    columns = {name: column(name) for name in (TRAINING, *HELDOUT)}
    return {name: each for name, each in columns.items() if each in points and points[each].notna().any()}


def tasks(points: pd.DataFrame) -> list[str]:
    """The machine tasks beside reading that were measured in a sweep."""
    return [name for name in task_names.FURTHER_TASKS if column(name) in points and points[column(name)].notna().any()]


def metrics(points: pd.DataFrame) -> dict[str, str]:
    """The measures that a codec may be chosen by: those of `measured`, and those of other tasks by the tasks' names."""
    return measured(points) | {name: column(name) for name in tasks(points)}


def against(stated: str) -> tuple[str, ...]:
    """The readers that a codec was trained against, from the parameter of its run; none of ""."""
    return tuple(parse(stated, READERS, "readers")) if stated else ()


def against_title(stated: str, tasks: str) -> str:
    """The same for people, with the weights of a mix where they are not equal, and the tasks if not reading alone."""
    terms = parse(stated, READERS, "readers")
    equal = len(set(terms.values())) == 1
    named = " + ".join(title(name) if equal else f"{weight:g} {title(name)}" for name, weight in terms.items())
    return named if tasks == "reading" else f"{named}, for {tasks}"


def heldout(points: pd.DataFrame, metadata: pd.DataFrame, asked: str | None = None) -> dict[str, str]:
    """The readers that a verdict needs, with their measures: those that are asked for, else those that runs record.

    Args:
        points: points of the sweep.
        metadata: parameters of its runs, as in `runs.Sweep`.
        asked: names with commas; None for those with which `sweep.run --heldout` made the sweep. Of sweeps that
            record none they are all that read.

    Raises:
        ValueError: for a name that is no such reader, or of one that measured nothing here.
    """
    read = {name: each for name, each in measured(points).items() if name != TRAINING}
    if asked is None:
        recorded = _recorded(metadata)
        return {name: each for name, each in read.items() if recorded is None or name in recorded}
    names = list(dict.fromkeys(name.strip() for name in asked.split(",") if name.strip()))
    if not names:
        raise ValueError("--heldout names no reader; give some of " + ", ".join(HELDOUT))
    for name in names:
        if name not in HELDOUT:
            raise ValueError(f"--heldout: there is no reader {name!r} to judge by; there are: {', '.join(HELDOUT)}")
        if name not in read:
            known = f"those that did: {', '.join(read)}" if read else "no reader beside the training reader did"
            raise ValueError(
                f"--heldout: {name} measured nothing in this sweep, {known}; "
                f"`python -m sweep.run --heldout {','.join([*read, name])}` measures with it"
            )
    return {name: read[name] for name in names}


def _recorded(metadata: pd.DataFrame) -> set[str] | None:
    """Names of the held-out readers that any run records; None where none records whether there are some."""
    if "eval.heldout" not in metadata:
        return None
    found = {TESSERACT} if (metadata["eval.heldout"] == "True").any() else set()
    if "eval.readers" in metadata:
        found |= {name for some in metadata["eval.readers"].dropna() for name in str(some).split("+") if name}
    return found


def judges(names: Mapping[str, str], point: pd.Series, task: str = "reading") -> dict[str, str]:
    """Those of held-out readers that a codec was not trained against; of another task the models that they have for it.

    Args:
        names: measures of the held-out readers, by name.
        point: the codec.
        task: the machine task.
    """
    if task != "reading":
        further = task_names.TASKS[task].heldout
        return {name: further[name] for name in names if name in further}
    known = against(str(point["trained_against"])) if "trained_against" in point else ()
    return {name: each for name, each in names.items() if name not in known}
