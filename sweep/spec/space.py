"""The space of a sweep: its grid, the trials in it, and their keys.

A trial's key is a readable prefix and a hash of everything that decides its result, and of nothing else. So the same
command finds the finished trials, a larger grid reuses them, and settings such as the number of threads change no key.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from sweep.spec.keys import folder_digest, images_digest, make_key, prefix_of
from sweep.spec.limits import Limits
from sweep.spec.trials import Kind, Trial
from tfic.classical import QUALITIES
from tfic.codec import version as codec_version
from tfic.config import (
    LATER,
    MEASURING_VERSION,
    STAGE_1,
    STAGE_2,
    TRAINING_VERSION,
    Config,
    DataConfig,
    EvalConfig,
    TrainConfig,
    check_at_least,
    check_positive,
    first_names,
    renamed,
)
from tfic.synth import DRAWING_VERSION


@dataclass(frozen=True)
class Qualities:
    """Quality settings of each classical codec, one trial each; an empty list leaves the codec out."""

    jpeg: tuple[int, ...] = QUALITIES["jpeg"]
    """libjpeg's quality, 0 to 100."""
    webp: tuple[int, ...] = QUALITIES["webp"]
    """libwebp's quality, 0 to 100."""
    avif: tuple[int, ...] = QUALITIES["avif"]
    """libavif's quality, 0 to 100."""

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
        for share in self.lmbda_shares:
            if not 0 <= share <= 1:
                raise ValueError(
                    f"lmbda_share is {share!r}; it must be a share of lambda, 0 (the slides' stage 2) to 1"
                )
        object.__setattr__(self, "lmbda_shares", tuple(dict.fromkeys(float(share) for share in self.lmbda_shares)))
        if not self.lmbdas:
            raise ValueError("lmbdas is empty; give at least one, such as 0.0067")
        if self.warm_start and self.warm_start not in self.lmbdas:
            raise ValueError(f"warm_start is {self.warm_start!r}; it must be one of the lmbdas, or 0 for none")
        check_at_least("trials", self.trials, 0)
        check_at_least("keep_every", self.keep_every, 0)
        if self.trials and not self.gammas:
            raise ValueError(f"trials is {self.trials} but gammas is empty; give at least one gamma to search around")

    @property
    def gamma_range(self) -> tuple[float, float]:
        """Smallest and largest gamma to propose: the grid's, or a factor of 3 around a single one."""
        low, high = min(self.gammas), max(self.gammas)
        return (low, high) if low < high else (low / 3, high * 3)


@dataclass(frozen=True)
class Sweep:
    """A sweep by name: the codec, the images, the training and the space to cover. The form of sweep.toml."""

    recipe: str = "demo"
    """Recipe whose settings are the defaults."""
    name: str = "demo"
    """Name of the experiment in the tracking store and of the folder under runs/."""
    codec: str = "tic-tiny"
    """Name of a codec, as `tfic.build` takes it."""
    space: Space = field(default_factory=Space)
    """The grid and the proposals beyond it."""
    data: DataConfig = field(default_factory=DataConfig)
    """The images."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""
    eval: EvalConfig = field(default_factory=EvalConfig)
    """The measurement."""
    limits: Limits = field(default_factory=Limits)
    """Budget, target, stop rules and retries; they decide no result."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name):
            raise ValueError(f"name is {self.name!r}; it must be letters, digits, dots, dashes and underscores")

    def reference(self) -> Trial:
        """The images as they are."""
        return _trial("uncompressed", Kind.UNCOMPRESSED, self._measured, self._config("uncompressed"))

    def anchors(self) -> list[Trial]:
        """The classical codecs, each at each of its qualities."""
        return [
            _trial(
                f"{name}-q{quality}",
                Kind.CLASSICAL,
                {"codec": name, "quality": quality, **self._measured},
                self._config(name),
                quality=quality,
            )
            for name, qualities in asdict(self.space.classical).items()
            for quality in qualities
        ]

    def pretrain(self, lmbda: float) -> Trial:
        """Stage 1 for that lambda, from its own start or from the warm start's weights."""
        decides = {
            "codec": self.codec,
            "lmbda": lmbda,
            **self._trained_on,
            **self._measured,
            **_settings(self.train, STAGE_1),
        }
        version = codec_version(self.codec, self._largest_side_px)
        decides |= {"codec_version": version} if version > 1 else {}
        warm = self.space.warm_start if self.space.warm_start != lmbda else 0.0
        parent = self.pretrain(warm).key if warm else ""
        decides |= {"parent": parent} if parent else {}
        config = replace(self._config(self.codec), lmbda=lmbda, warm_lmbda=warm)
        return _trial(f"pretrain-l{lmbda:g}", Kind.PRETRAIN, decides, config, parent=parent)

    def finetune(self, lmbda: float, gamma: float, lmbda_share: float | None = None) -> Trial:
        """Stage 2 for that gamma, from stage 1 of that lambda, keeping that share of lambda (None: the training's)."""
        parent = self.pretrain(lmbda)
        config = replace(parent.config, gamma=gamma)
        if lmbda_share is not None:
            config = replace(config, train=replace(config.train, lmbda_share=lmbda_share))
        decides = {"parent": parent.key, "gamma": gamma, **_settings(config.train, STAGE_2)}
        return _trial(f"finetune-l{lmbda:g}-g{gamma:g}", Kind.FINETUNE, decides, config, parent=parent.key)

    def intermediates(self, finetune: Trial) -> list[Trial]:
        """The intermediate checkpoints of a fine-tuning, earliest first."""
        return [
            _trial(
                f"{prefix_of(finetune.key)}-at{step}",
                Kind.INTERMEDIATE,
                {"parent": finetune.key, "step": step},
                finetune.config,
                parent=finetune.key,
                step=step,
            )
            for step in self.intermediate_steps
        ]

    @property
    def intermediate_steps(self) -> range:
        """Steps of stage 2 at which each fine-tuning writes an intermediate checkpoint."""
        every = self.space.keep_every
        return range(every, self.train.finetune_steps, every) if every else range(0)

    @property
    def lmbda_shares(self) -> tuple[float, ...]:
        """Shares of lambda that the fine-tunings of the grid keep."""
        return self.space.lmbda_shares or (self.train.lmbda_share,)

    def grid(self) -> list[Trial]:
        """Every trial that is known beforehand: the reference, stage 1, stage 2, the classical codecs."""
        space = self.space
        first = sorted(space.lmbdas, key=lambda lmbda: lmbda != space.warm_start)
        tunings = [
            self.finetune(lmbda, gamma, share)
            for share in self.lmbda_shares
            for gamma in space.gammas
            for lmbda in first
        ]
        intermediates = [each for trial in tunings for each in self.intermediates(trial)]
        pretrainings = [self.pretrain(lmbda) for lmbda in first]
        return [self.reference(), *pretrainings, *tunings, *intermediates, *self.anchors()]

    def _config(self, codec: str) -> Config:
        return Config(codec=codec, data=self.data, train=self.train, eval=self.eval)

    @cached_property
    def _drawn(self) -> dict[str, Any]:
        """Everything that decides a synthetic image of a given split and index."""
        data = self.data
        drawn: dict[str, Any] = {
            "version": DRAWING_VERSION,
            "height_px": data.height_px,
            "width_px": data.width_px,
            "seed": data.seed,
        }
        for name in ("background_dir", "font_dir"):
            if getattr(data, name):
                drawn[name] = folder_digest(Path(getattr(data, name)))
        return drawn

    @property
    def _largest_side_px(self) -> float:
        """Longest side of an image that a codec may meet here; infinite with folders of images."""
        if self.data.train_dir or self.data.test_dir:
            return math.inf
        return max(self.data.height_px, self.data.width_px, self.train.crop_height_px, self.train.crop_width_px)

    @cached_property
    def _trained_on(self) -> dict[str, Any]:
        code = {"training_version": TRAINING_VERSION} if TRAINING_VERSION > 1 else {}
        if self.data.train_dir:
            return code | {"train_dir": images_digest(Path(self.data.train_dir))}
        return code | {"train_count": self.data.train_count, "train_drawn": self._drawn}

    @cached_property
    def _measured(self) -> dict[str, Any]:
        measured: dict[str, Any] = {"test_count": self.data.test_count, "eval": asdict(self.eval)}
        measured |= {"measuring_version": MEASURING_VERSION} if MEASURING_VERSION > 1 else {}
        if self.data.test_dir:
            return measured | {"test_dir": images_digest(Path(self.data.test_dir))}
        return measured | {"test_drawn": self._drawn}


def _trial(prefix: str, kind: Kind, decides: Mapping[str, Any], config: Config, **more: Any) -> Trial:
    return Trial(make_key(prefix, decides), kind, config, decides=decides, **more)


def _settings(train: TrainConfig, names: Iterable[str]) -> dict[str, Any]:
    """Settings as a key knows them; those of `LATER` only where they are not the default."""
    first = first_names(TrainConfig)  # a renamed setting keeps its first name in keys
    values = {name: getattr(train, name) for name in names}
    return dict(
        sorted(
            (f"train.{first.get(name, name)}", value)
            for name, value in values.items()
            if name not in LATER or value != getattr(TrainConfig(), name)
        )
    )
