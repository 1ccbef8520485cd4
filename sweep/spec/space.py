"""The space of a sweep: its grid, the trials in it, and their keys.

A trial's key is a readable prefix and a hash of everything that decides its result, and of nothing else. So the same
command finds the finished trials, a larger grid reuses them, and settings such as the number of threads change no key.
"""

import math
import re
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from sweep.spec import keys
from sweep.spec.axes import Space
from sweep.spec.family import Member, measured, members
from sweep.spec.limits import Limits
from sweep.spec.target import Target
from sweep.spec.trials import Kind, Trial, trial_of
from tfic.checkpoints import models
from tfic.codec import LMBDA_MIDDLE, VARIABLE_RATE
from tfic.codec import version as codec_version
from tfic.config import (
    CONTROL,
    MEASURING_VERSION,
    STAGE_1,
    STAGE_2,
    TRAINING_VERSION,
    Config,
    DataConfig,
    EvalConfig,
    TrainConfig,
    half,
)
from tfic.synth import DRAWING_VERSION
from tfic.task_names import FURTHER_TASKS, TASKS, further_tasks


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
            wanted = "letters a-z and A-Z, digits, '.', '-' and '_', beginning with a letter or digit"
            raise ValueError(f"name is {self.name!r}; it must be {wanted}")
        if self.train.whole_range and self.space.warm_start:
            raise ValueError(
                f"warm_start is {self.space.warm_start:g} with train.whole_range, where one stage 1 serves all; leave "
                "one of them out"
            )

    def reference(self) -> Trial:
        """The images as they are."""
        return trial_of("uncompressed", Kind.UNCOMPRESSED, self._measured, self._config("uncompressed"))

    def anchors(self) -> list[Trial]:
        """The classical codecs, each at each of its qualities."""
        return [
            trial_of(
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
            **keys.training_settings(self.train, STAGE_1 - {"start"}),
        }
        decides |= {"start": models.weights_of(self._start)} if self._start else {}
        version = codec_version(self.codec, self._largest_side_px)
        decides |= {"codec_version": version} if version > 1 else {}
        warm = self.space.warm_start if self.space.warm_start != lmbda else 0.0
        parent = self.pretrain(warm) if warm else None
        config = replace(self._config(self.codec), lmbda=lmbda, warm_lmbda=warm)
        return trial_of(f"pretrain-l{lmbda:g}", Kind.PRETRAIN, decides, config, parent)

    def finetune(
        self, lmbda: float, gamma: float, lmbda_share: float | None = None, member: Member | None = None
    ) -> Trial:
        """Stage 2 for that gamma, from stage 1 of that lambda.

        Args:
            lmbda: Weight of distortion in stage 1.
            gamma: Weight of reading.
            lmbda_share: Share of lambda that stage 2 keeps; None for the training's.
            member: Member of the family of stage 2; None for the first.
        """
        parent = self.pretrain(lmbda)
        share = parent.config.train.lmbda_share if lmbda_share is None else lmbda_share
        train = replace((member or self.family[0]).of(parent.config.train), lmbda_share=share)
        config = replace(parent.config, gamma=gamma, train=train)
        decides = {"gamma": gamma, **keys.training_settings(config.train, STAGE_2)}
        return trial_of(f"finetune-l{lmbda:g}-g{gamma:g}", Kind.FINETUNE, decides, config, parent)

    def control(self, lmbda: float) -> Trial:
        """Stage 1 of that lambda continued for the steps of stage 2."""
        parent = self.pretrain(lmbda)
        decides = {"control": True, **keys.training_settings(parent.config.train, CONTROL)}
        config = replace(parent.config, control=True)
        return trial_of(f"control-l{lmbda:g}", Kind.CONTROL, decides, config, parent)

    def halfway(self, lmbda: float) -> Trial:
        """The codec of stage 1 after half of its steps."""
        parent = self.pretrain(lmbda)
        step = half(parent.steps)
        prefix = f"{keys.prefix_of(parent.key)}-at{step}"
        return trial_of(prefix, Kind.HALFWAY, {"step": step}, parent.config, parent, step=step)

    def at_lmbda(self, training: Trial, lmbda: float) -> Trial:
        """The codec of a training for the whole range, at another lambda than its own."""
        prefix = f"{keys.prefix_of(training.key)}-at-l{lmbda:g}"
        config = replace(training.config, lmbda=lmbda)
        return trial_of(prefix, Kind.QUALITY, {"lmbda": lmbda}, config, training)

    def at_lmbdas(self, training: Trial) -> list[Trial]:
        """The codec of a training at the other lambdas of the space; none where a training serves one lambda."""
        return [self.at_lmbda(training, lmbda) for lmbda in self.other_lmbdas(training.config.lmbda)]

    def other_lmbdas(self, lmbda: float) -> list[float]:
        """The lambdas of the space that a training with this one serves too; none where it serves one lambda."""
        return [each for each in self.space.lmbdas if each != lmbda] if self.train.whole_range else []

    def intermediates(self, finetune: Trial) -> list[Trial]:
        """The intermediate checkpoints of a fine-tuning, earliest first."""
        return [
            trial_of(
                f"{keys.prefix_of(finetune.key)}-at{step}",
                Kind.INTERMEDIATE,
                {"step": step},
                finetune.config,
                finetune,
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
    def trained_lmbdas(self) -> tuple[float, ...]:
        """Lambdas with trainings of their own, the warm start's first; for the whole range the middle one alone."""
        if self.train.whole_range:
            return (LMBDA_MIDDLE,)
        return tuple(sorted(self.space.lmbdas, key=lambda lmbda: lmbda != self.space.warm_start))

    @property
    def lmbda_shares(self) -> tuple[float, ...]:
        """Shares of lambda that the fine-tunings of the grid keep."""
        return self.space.lmbda_shares or (self.train.lmbda_share,)

    @cached_property
    def family(self) -> list[Member]:
        """The members of the family of stage 2 that the grid fine-tunes."""
        return members(self.space, self.train)

    @property
    def target(self) -> Target | None:
        """The target of the limits; None for none.

        Raises:
            ValueError: for one that is none, or bounds what is not measured.
        """
        if not self.limits.target:
            return None
        target, tasks = Target.parse(self.limits.target, self.family[0].metric), further_tasks(self._eval.tasks)
        for name in FURTHER_TASKS:
            if target.metric == TASKS[name].metric and name not in tasks:
                raise ValueError(f"target {target}: {name} is not measured; add --tasks {name}, or a mix with it")
        return target

    def grid(self) -> list[Trial]:
        """Every trial that is known beforehand: the reference, what is trained, once per seed, the classical codecs."""
        seeded = [self._with_seed(self.train.seed + more) for more in range(self.space.seeds)]
        return [self.reference(), *(trial for each in seeded for trial in each.trained()), *self.anchors()]

    def _with_seed(self, seed: int) -> "Sweep":
        """The same sweep with another seed of training; digests of files, which do not depend on it, go along."""
        other = replace(self, train=replace(self.train, seed=seed))
        vars(other).update(_start=self._start, _trained_on=self._trained_on, _measured=self._measured)
        return other

    def trained(self) -> list[Trial]:
        """Everything that the grid trains with the seed of [train]: stage 1, controls, stage 2, earlier checkpoints."""
        space = self.space
        first = self.trained_lmbdas
        tunings = [
            self.finetune(lmbda, gamma, share, member)
            for member in self.family
            for share in self.lmbda_shares
            for gamma in space.gammas
            for lmbda in first
        ]
        intermediates = [each for trial in tunings for each in self.intermediates(trial)]
        pretrainings = [self.pretrain(lmbda) for lmbda in first]
        controls = [self.control(lmbda) for lmbda in first if space.controls]
        halves = space.halfway and half(self.train.pretrain_steps) < self.train.pretrain_steps
        halfway = [self.halfway(lmbda) for lmbda in first if halves]
        trained = [*pretrainings, *controls, *tunings]
        others = [each for trial in trained for each in self.at_lmbdas(trial)]
        return [*trained, *others, *halfway, *intermediates]

    def check_start(self) -> None:
        """Raise ValueError when stage 1 cannot start from the model that `train.start` names, or for the whole range.

        A codec of another kind is told from the header of its file.
        """
        if self.train.whole_range and self.codec not in VARIABLE_RATE:
            raise ValueError(
                f"whole_range is true for codec {self.codec}, which has one rate; give --codec {VARIABLE_RATE[0]}, or "
                "set train.whole_range to false"
            )
        if self._start and (codec := models.codec_of(self._start)) != self.codec:
            raise ValueError(
                f"start is {self.train.start}, a {codec}, and the codec to train is {self.codec}; give --codec "
                f'{codec}, or another --start ("" for none)'
            )

    @cached_property
    def _start(self) -> str:
        """The model that stage 1 starts from, with its weights' fingerprint; "" for none."""
        return models.pinned(self.train.start) if self.train.start else ""

    def _config(self, codec: str) -> Config:
        return Config(codec=codec, data=self.data, train=replace(self.train, start=self._start), eval=self._eval)

    @cached_property
    def _eval(self) -> EvalConfig:
        return measured(self.eval, self.family)

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
                drawn[name] = keys.folder_digest(Path(getattr(data, name)))
        if data.document_share:
            drawn["document_share"] = data.document_share
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
            return code | {"train_dir": keys.images_digest(Path(self.data.train_dir))}
        return code | {"train_count": self.data.train_count, "train_drawn": self._drawn}

    @cached_property
    def _measured(self) -> dict[str, Any]:
        found: dict[str, Any] = {"test_count": self.data.test_count, "eval": keys.measuring_settings(self._eval)}
        found |= {"measuring_version": MEASURING_VERSION} if MEASURING_VERSION > 1 else {}
        if self.data.test_dir:
            return found | {"test_dir": keys.images_digest(Path(self.data.test_dir))}
        return found | {"test_drawn": self._drawn}
