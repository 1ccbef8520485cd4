"""What a sweep covers: its grid, the trials in it, and the keys by which they are known for ever.

A trial's key is a readable name and a hash of everything that decides its result and of nothing else. So the same
command finds what is done, a grown grid reuses what still applies, and how often a run reports or on how many
threads it runs changes nothing.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from tfic.baselines import QUALITIES
from tfic.config import STAGE_1, STAGE_2, Config, DataConfig, EvalConfig, TrainConfig, check_positive
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
    """The grid, and how far the search may go beyond it. Duplicates are removed."""

    lmbdas: tuple[float, ...] = (0.0018, 0.0035, 0.0067, 0.013)
    """Weights of distortion; each is pre-trained once and is a point itself, the baseline codec."""
    gammas: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
    """Weights of reading; each fine-tunes every pre-trained codec."""
    trials: int = 0
    """Fine-tunings proposed by Optuna beyond the grid."""
    classical: Qualities = field(default_factory=Qualities)
    """The codecs a user would pick instead."""

    def __post_init__(self) -> None:
        for name, values in (("lmbdas", self.lmbdas), ("gammas", self.gammas)):
            for value in values:
                check_positive(name.removesuffix("s"), value)
            object.__setattr__(self, name, tuple(dict.fromkeys(float(value) for value in values)))
        if not self.lmbdas:
            raise ValueError("lmbdas is empty; give at least one, such as 0.0067")
        if self.trials < 0:
            raise ValueError(f"trials is {self.trials}; it must be 0 or more")
        if self.trials and not self.gammas:
            raise ValueError(f"trials is {self.trials} but gammas is empty; give at least one gamma to search around")

    @property
    def gamma_range(self) -> tuple[float, float]:
        """Smallest and largest gamma to propose: the grid's, or a factor of 3 around a single one."""
        low, high = min(self.gammas), max(self.gammas)
        return (low, high) if low < high else (low / 3, high * 3)


@dataclass(frozen=True)
class Trial:
    """One codec to make and measure; it becomes one run in the tracking store."""

    key: str
    """Name for ever: readable, then a hash of what decides the result."""
    kind: str
    """"uncompressed", "classical", "pretrain" or "finetune"."""
    config: Config
    """What to make and how to measure it; for the kinds that train nothing only codec, data and eval count."""
    parent: str = ""
    """Key of the pre-training that a fine-tuning starts from."""
    quality: int = -1
    """Quality setting of a classical codec."""

    @property
    def title(self) -> str:
        """What it is, for people: `finetune lmbda 0.003 gamma 1`."""
        match self.kind:
            case "finetune":
                return f"finetune lmbda {self.config.lmbda:g} gamma {self.config.gamma:g}"
            case "pretrain":
                return f"pretrain lmbda {self.config.lmbda:g}"
            case "classical":
                return f"{self.config.codec} quality {self.quality}"
        return self.kind

    @property
    def steps(self) -> int:
        """Training steps of its own; a fine-tuning does not count those it starts from."""
        train = self.config.train
        return {"pretrain": train.pretrain_steps, "finetune": train.finetune_steps}.get(self.kind, 0)


@dataclass(frozen=True)
class Record:
    """A trial as the tracking store knows it."""

    key: str
    """The trial's key."""
    kind: str
    """The trial's kind."""
    finished: bool
    """Whether everything is measured and logged."""
    lmbda: float = 0.0
    """Weight of distortion; 0 for the kinds that train nothing."""
    gamma: float = 0.0
    """Weight of reading; 0 for the kinds without stage 2."""
    proposed: bool = False
    """Whether Optuna proposed it, beyond the grid."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Final metrics by name; empty unless finished."""


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
    """The grid and what lies beyond it."""
    data: DataConfig = field(default_factory=DataConfig)
    """The images."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""
    eval: EvalConfig = field(default_factory=EvalConfig)
    """The measurement."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name):
            raise ValueError(f"name is {self.name!r}; it must be letters, digits, dots, dashes and underscores")

    def reference(self) -> Trial:
        """The images as they are."""
        return Trial(_key("uncompressed", self._measured), "uncompressed", self._config("uncompressed"))

    def anchors(self) -> list[Trial]:
        """The classical codecs, each at each of its qualities."""
        return [
            Trial(
                _key(f"{name}-q{quality}", {"codec": name, "quality": quality, **self._measured}),
                "classical",
                self._config(name),
                quality=quality,
            )
            for name, qualities in asdict(self.space.classical).items()
            for quality in qualities
        ]

    def pretrain(self, lmbda: float) -> Trial:
        """Stage 1 for that lambda."""
        decides = {"codec": self.codec, "lmbda": lmbda, **self._trained_on, **self._measured, **self._train(STAGE_1)}
        config = replace(self._config(self.codec), lmbda=lmbda)
        return Trial(_key(f"pretrain-l{lmbda:g}", decides), "pretrain", config)

    def finetune(self, lmbda: float, gamma: float) -> Trial:
        """Stage 2 for that gamma, from stage 1 of that lambda."""
        parent = self.pretrain(lmbda)
        decides = {"parent": parent.key, "gamma": gamma, **self._train(STAGE_2)}
        key = _key(f"finetune-l{lmbda:g}-g{gamma:g}", decides)
        return Trial(key, "finetune", replace(parent.config, gamma=gamma), parent=parent.key)

    def grid(self) -> list[Trial]:
        """Every trial that is known beforehand: the reference, stage 1, stage 2, the classical codecs."""
        pairs = [(lmbda, gamma) for gamma in self.space.gammas for lmbda in self.space.lmbdas]
        return [
            self.reference(),
            *(self.pretrain(lmbda) for lmbda in self.space.lmbdas),
            *(self.finetune(lmbda, gamma) for lmbda, gamma in pairs),
            *self.anchors(),
        ]

    def _config(self, codec: str) -> Config:
        return Config(codec=codec, data=self.data, train=self.train, eval=self.eval)

    def _train(self, names: Iterable[str]) -> dict[str, Any]:
        return {f"train.{name}": getattr(self.train, name) for name in names}

    @cached_property
    def _drawn(self) -> dict[str, Any]:
        """What decides a synthetic image of a given split and index."""
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

    @cached_property
    def _trained_on(self) -> dict[str, Any]:
        if self.data.train_dir:
            return {"train_dir": images_digest(Path(self.data.train_dir))}
        return {"train_count": self.data.train_count, "train_drawn": self._drawn}

    @cached_property
    def _measured(self) -> dict[str, Any]:
        measured: dict[str, Any] = {"test_count": self.data.test_count, "eval": asdict(self.eval)}
        if self.data.test_dir:
            return measured | {"test_dir": images_digest(Path(self.data.test_dir))}
        return measured | {"test_drawn": self._drawn}


def _key(prefix: str, decides: Mapping[str, Any]) -> str:
    """`prefix` and ten hexadecimal digits of the SHA-256 of `decides` as canonical JSON."""
    text = json.dumps(decides, sort_keys=True, allow_nan=False)
    return f"{prefix}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def images_digest(folder: Path) -> str:
    """Digest of a folder of text images: its truth to the byte, and its files by name and size.

    Raises:
        ValueError: when the folder holds no metadata.jsonl.
    """
    truth = folder / "metadata.jsonl"
    if not truth.is_file():
        raise ValueError(f"{folder}: no metadata.jsonl there; `python -m tfic synth` writes a folder of that form")
    return hashlib.sha256(truth.read_bytes() + folder_digest(folder).encode()).hexdigest()


def folder_digest(folder: Path) -> str:
    """Digest of the names and sizes in bytes of all files under a folder, wherever the folder lies.

    Raises:
        ValueError: when there is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    files = sorted((str(path.relative_to(folder)), path.stat().st_size) for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()
