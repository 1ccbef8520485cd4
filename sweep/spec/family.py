"""The family of stage 2: the settings of which each combination is fine-tuned with every gamma."""

import itertools
from dataclasses import asdict, dataclass, fields, replace

from sweep.spec.axes import Space
from tfic.config import EvalConfig, TrainConfig
from tfic.task_names import TASKS, measured_tasks, weights_of


@dataclass(frozen=True)
class Member:
    """One combination; the names are those of `TrainConfig`."""

    tasks: str
    """Machine tasks."""
    readers: str
    """Readers to train against."""
    reading: str
    """Terms of the reading loss."""
    learns: str
    """The part that learns."""
    text_distortion: float
    """Weight of distortion on text."""
    rest_distortion: float
    """Weight of distortion elsewhere."""

    def of(self, train: TrainConfig) -> TrainConfig:
        """A training with the settings of this member."""
        return replace(train, **asdict(self))

    @property
    def metric(self) -> str:
        """The measure of its first task."""
        return TASKS[next(iter(weights_of(self.tasks)))].metric


def member_of(train: TrainConfig) -> Member:
    """The member that a training is of."""
    return Member(**{each.name: getattr(train, each.name) for each in fields(Member)})


def members(space: Space, train: TrainConfig) -> list[Member]:
    """All members of a space; where it names no values of a setting, the one of `train`. Optuna's are of the first."""
    own = member_of(train)
    values = (
        space.tasks or (own.tasks,),
        space.readers or (own.readers,),
        space.readings or (own.reading,),
        space.learns or (own.learns,),
        space.text_distortions or (own.text_distortion,),
        space.rest_distortions or (own.rest_distortion,),
    )
    return [Member(*each) for each in itertools.product(*values)]


def measured(settings: EvalConfig, family: list[Member]) -> EvalConfig:
    """The measurement of a sweep, with every task that something is trained for: all codecs are compared in each."""
    return replace(settings, tasks=measured_tasks((member.tasks for member in family), settings.tasks))
