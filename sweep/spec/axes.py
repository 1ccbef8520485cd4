"""The axes of a sweep: the values of its grid, and how far the search may go beyond it."""

from dataclasses import asdict, dataclass, field

from tfic.config import LEARNERS, READING_TERMS, check_at_least, check_positive, check_share
from tfic.measuring.classical import QUALITIES
from tfic.reader_names import READERS
from tfic.strict import renamed
from tfic.task_names import weights_of
from tfic.weights import parse


@dataclass(frozen=True)
class Qualities:
    """Quality settings of each classical codec, one trial each; an empty list leaves the codec out."""

    jpeg: tuple[int, ...] = QUALITIES["jpeg"]
    """libjpeg's quality, 0 to 100."""
    webp: tuple[int, ...] = QUALITIES["webp"]
    """libwebp's quality, 0 to 100."""
    avif: tuple[int, ...] = QUALITIES["avif"]
    """libavif's quality, 0 to 100."""
    avif_slow: tuple[int, ...] = ()
    """AVIF at its slowest, speed 0; `--rivals` asks for it and those below."""
    avif_444: tuple[int, ...] = ()
    """AVIF with colour at full resolution."""
    avif_half: tuple[int, ...] = ()
    """AVIF of half the size, enlarged again before it is read."""
    webp_half: tuple[int, ...] = ()
    """WebP of half the size, likewise: the lowest rates, for its container is the smallest."""
    avif_flat: tuple[int, ...] = ()
    """AVIF after blurring what the detector does not take for text."""
    jpeg_flat: tuple[int, ...] = ()
    """JPEG after the same."""
    jxl: tuple[int, ...] = ()
    """JPEG XL; it comes with `tfic-sweep[rivals]`."""
    heic: tuple[int, ...] = ()
    """HEIC; it comes with `tfic-sweep[rivals]`."""

    def __post_init__(self) -> None:
        for name, qualities in asdict(self).items():
            for quality in qualities:
                if not 0 <= quality <= 100:
                    raise ValueError(f"quality of {name} is {quality!r}; it must be a whole number from 0 to 100")
            object.__setattr__(self, name, tuple(dict.fromkeys(qualities)))


@dataclass(frozen=True)
class Space:
    """The grid, and the proposals beyond it. Duplicates are removed."""

    lmbdas: tuple[float, ...] = (0.0018, 0.0035, 0.0067, 0.013)
    """Weights of distortion; each is pre-trained once and is a point itself, the baseline codec."""
    gammas: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
    """Weights of reading; each fine-tunes every pre-trained codec."""
    trials: int = 0
    """Fine-tunings that Optuna proposes beyond the grid; with a budget of GPU-hours, at most so many."""
    lmbda_shares: tuple[float, ...] = renamed((), first="floors")
    """Shares of lambda that stage 2 keeps, 0 to 1, each with every gamma; empty takes `train.lmbda_share` alone."""
    readings: tuple[str, ...] = ()
    """Reading losses, each with every gamma; empty takes `train.reading` alone. Optuna proposes with the first."""
    learns: tuple[str, ...] = ()
    """What learns in stage 2, likewise; empty takes `train.learns` alone."""
    readers: tuple[str, ...] = ()
    """Readers to train against, likewise; empty takes `train.readers` alone."""
    tasks: tuple[str, ...] = ()
    """Machine tasks of stage 2, likewise; empty takes `train.tasks` alone. Optuna proposes for the first."""
    text_distortions: tuple[float, ...] = ()
    """Weights of distortion on text in stage 2, likewise; empty takes `train.text_distortion` alone."""
    rest_distortions: tuple[float, ...] = ()
    """Weights of distortion elsewhere, likewise; empty takes `train.rest_distortion` alone."""
    seeds: int = 1
    """Trainings of everything that the grid trains: with the seed of [train], the next one, and so on."""
    controls: bool = False
    """For each lambda also continue stage 1 for the steps of stage 2, for fine-tunings to be compared with."""
    halfway: bool = False
    """Also measure each pre-trained codec after half of its steps."""
    keep_every: int = renamed(0, first="every")
    """Steps of stage 2 between intermediate checkpoints, each measured as a point of its own; 0 for none."""
    warm_start: float = 0.0
    """Lambda from whose pre-training the others start; 0 pre-trains each from its own start."""
    classical: Qualities = field(default_factory=Qualities)
    """Classical codecs to compare with."""

    def __post_init__(self) -> None:
        for name, values in (("lmbdas", self.lmbdas), ("gammas", self.gammas)):
            for value in values:
                check_positive(name.removesuffix("s"), value)
            object.__setattr__(self, name, tuple(dict.fromkeys(float(value) for value in values)))
        for name in ("text_distortions", "rest_distortions"):
            for value in getattr(self, name):
                check_at_least(name.removesuffix("s"), value, 0)
            object.__setattr__(self, name, tuple(dict.fromkeys(float(value) for value in getattr(self, name))))
        for share in self.lmbda_shares:
            check_share("lmbda_share", share)
        object.__setattr__(self, "lmbda_shares", tuple(dict.fromkeys(float(share) for share in self.lmbda_shares)))
        for reading in self.readings:
            parse(reading, READING_TERMS, "reading")
        for readers in self.readers:
            parse(readers, READERS, "readers")
        for tasks in self.tasks:
            weights_of(tasks)
        for name in ("readers", "tasks", "readings", "learns"):
            object.__setattr__(self, name, tuple(dict.fromkeys(getattr(self, name))))
        for each in self.learns:
            if each not in LEARNERS:
                raise ValueError(f"learns has {each!r}; it must be {' or '.join(LEARNERS)}")
        if not self.lmbdas:
            raise ValueError("lmbdas is empty; give at least one, such as 0.0067")
        if self.warm_start and self.warm_start not in self.lmbdas:
            raise ValueError(f"warm_start is {self.warm_start!r}; it must be one of the lmbdas, or 0 for none")
        check_at_least("trials", self.trials, 0)
        check_at_least("seeds", self.seeds, 1)
        check_at_least("keep_every", self.keep_every, 0)
        if self.trials and not self.gammas:
            raise ValueError(f"trials is {self.trials} but gammas is empty; give at least one gamma to search around")

    @property
    def gamma_range(self) -> tuple[float, float]:
        """Smallest and largest gamma to propose: the grid's, or a factor of 3 around a single one."""
        low, high = min(self.gammas), max(self.gammas)
        return (low, high) if low < high else (low / 3, high * 3)
