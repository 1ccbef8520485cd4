"""The settings of one codec: frozen dataclasses, strict on unknown keys.

Settings objects are taken by `train`, `evaluate`, command lines and trials; other functions take plain values.
"""

import math
from dataclasses import dataclass, field

from tfic import reader_names, task_names
from tfic.strict import first_names, renamed
from tfic.weights import parse

CODEC_FILE = "codec.safetensors"
"""Name of a trained codec's file in the directory of its training."""


TRAINING_VERSION = 2
"""Raised whenever a change alters what the same settings train; it is part of the key of every trial that trains from 2
on. 2: the frozen readers compute in fewer operations, and layers of lite as torch has them; losses are the same within
rounding (5e-6 and 4e-4 of the gradients), weights are not, to the bit."""
MEASURING_VERSION = 2
"""Raised whenever a change alters what the same codec measures; it is part of every trial's key from 2 on.
2: found lines go in the order of the true ones, and the reading order follows the angle of the text."""


@dataclass(frozen=True)
class DataConfig:
    """The images a codec is trained and tested on."""

    train_count: int = 20_000
    """Synthetic training images (ignored with `train_dir`)."""
    test_count: int = 600
    """Synthetic test images; with `test_dir`, the most that are taken from it."""
    height_px: int = 256
    """Height of a synthetic image in pixels."""
    width_px: int = 256
    """Width of a synthetic image in pixels."""
    seed: int = 0
    """Seed of the synthetic images: image i is a function of (seed, split, i) alone."""
    train_dir: str = ""
    """Folder with `metadata.jsonl` to train on instead of synthetic images."""
    test_dir: str = ""
    """Folder with `metadata.jsonl` to test on instead of synthetic images."""
    background_dir: str = ""
    """Folder of photographs to draw text on, besides the drawn backgrounds."""
    font_dir: str = ""
    """Folder of .ttf/.otf fonts to draw with instead of the fonts that ship."""
    document_share: float = 0.0
    """Share of the synthetic images that are pages of documents, dark text on paper, 0 to 1; the others are scenes."""

    def __post_init__(self) -> None:
        for name in ("train_count", "test_count", "height_px", "width_px"):
            check_at_least(name, getattr(self, name), 1)
        check_at_least("seed", self.seed, 0)
        check_share("document_share", self.document_share)


@dataclass(frozen=True)
class TrainConfig:
    """The training of a codec in its two stages."""

    start: str = ""
    """Model from whose weights stage 1 starts, such as `zoo/lite-vbr`; "" for the codec's own start."""
    pretrain_steps: int = 200_000
    """Steps of stage 1 (gamma = 0); 0 takes the model that `start` names for a codec of stage 1."""
    finetune_steps: int = 50_000
    """Steps of stage 2 (gamma above 0; `lmbda_share` of lambda stays)."""
    klt_start: bool = False
    """Start stage 1 from the best linear transform coder, not from random weights; for tic and lite."""
    batch: int = 12
    """Images in a training step of stage 1."""
    finetune_batch: int = 12
    """Images in a training step of stage 2."""
    crop_height_px: int = 256
    """Height of a training crop in pixels."""
    crop_width_px: int = 256
    """Width of a training crop in pixels."""
    read_width_px: int = 16_000
    """Width of text, in pixels at the reader's height, that is read in a step of stage 2; padding counts."""
    learning_rate: float = 1e-4
    """Peak learning rate of Adam in stage 1; it falls to a tenth along a cosine."""
    lmbda_share: float = renamed(0.0, first="finetune_lmbda")
    """Share of lambda that stage 2 keeps, 0 to 1; 0 is TFIC's own loss, in which distortion counts for nothing."""
    finetune_learning_rate: float = 1e-4
    """Peak learning rate of Adam in stage 2."""
    tasks: str = "reading"
    """Machine tasks of stage 2, `reading` (TFIC's own), `detection`, or a sum: `reading+0.5*detection`."""
    reading: str = "ctc"
    """Terms of the reading loss, `ctc` (TFIC's own), `features` or `logits`, or a sum: `ctc+0.5*features`."""
    readers: str = "ppocrv6-small"
    """Frozen readers of stage 2, such as `easyocr`, or a sum, `ppocrv6-small+easyocr`; each reads the same lines."""
    learns: str = "all"
    """The part that learns in stage 2: `all` (TFIC's own), or `encoder`: the decoder stays that of stage 1."""
    text_distortion: float = 1.0
    """Weight, in the distortion that stage 2 keeps, of pixels on text."""
    rest_distortion: float = 1.0
    """Weight, in the distortion that stage 2 keeps, of all other pixels."""
    whole_range: bool = False
    """Train for every lambda that a variable-rate codec serves, one drawn for each image; gamma goes with lambda."""
    pretrain_average: float = 0.0
    """Share of stage 1, its end, over which weights are averaged; 0 for none."""
    clip_norm: float = 1.0
    """Largest gradient norm."""
    precision: str = "float32"
    """Number format of training: `float32`, `tf32` or `bf16` (`tfic.system.precision`)."""
    seed: int = 0
    """Seed of weights, crops and quantisation noise."""
    checkpoint_every: int = 1_000
    """Steps between checkpoints: the most that is trained twice after a kill."""
    checkpoint_minutes: float = 0.0
    """Minutes between checkpoints, which then come with the next report and not every so many steps; 0 for steps."""
    log_every: int = 100
    """Steps between progress reports."""
    compiled: bool = False
    """Compile the transforms (`torch.compile`) on a GPU: the first step takes minutes; not on the CPU."""
    threads: int = 0
    """CPU threads of a training process; 0 leaves torch's default."""

    def __post_init__(self) -> None:
        counts = ("batch", "finetune_batch", "crop_height_px", "crop_width_px", "read_width_px")
        for name in ("finetune_steps", *counts, "checkpoint_every", "log_every"):
            check_at_least(name, getattr(self, name), 1)
        check_at_least("pretrain_steps", self.pretrain_steps, 0 if self.start else 1)
        for name in ("seed", "threads", "text_distortion", "rest_distortion", "checkpoint_minutes"):
            check_at_least(name, getattr(self, name), 0)
        for name in ("lmbda_share", "pretrain_average"):
            check_share(name, getattr(self, name))
        for name in ("learning_rate", "finetune_learning_rate", "clip_norm"):
            check_positive(name, getattr(self, name))
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision is {self.precision!r}; it must be {' or '.join(PRECISIONS)}")
        if self.learns not in LEARNERS:
            raise ValueError(f"learns is {self.learns!r}; it must be {' or '.join(LEARNERS)}")
        task_names.weights_of(self.tasks)
        parse(self.reading, READING_TERMS, "reading")
        parse(self.readers, reader_names.READERS, "readers")

    @property
    def reads(self) -> bool:
        """Reading is one of the tasks of stage 2."""
        return "reading" in task_names.weights_of(self.tasks)

    @property
    def teachers(self) -> tuple[str, ...]:
        """Names of the readers that teach stage 2; none where reading is no task."""
        return tuple(parse(self.readers, reader_names.READERS, "readers")) if self.reads else ()


READING_TERMS = ("ctc", "features", "logits")
"""Terms of the reading loss (`tfic.training.reading_terms`)."""
PRECISIONS = ("float32", "tf32", "bf16")
"""Number formats of training."""
LEARNERS = ("all", "encoder")
"""The parts that may learn in stage 2."""
STAGE_1 = frozenset((
    "start", "pretrain_steps", "klt_start", "batch", "crop_height_px", "crop_width_px",
    "learning_rate", "clip_norm", "precision", "seed", "pretrain_average", "whole_range",
))  # fmt: skip
"""Training settings that decide a pre-trained codec, and through it everything fine-tuned from it."""
STAGE_2 = frozenset((
    "finetune_steps", "finetune_batch", "read_width_px", "lmbda_share", "finetune_learning_rate",
    "tasks", "reading", "readers", "learns", "text_distortion", "rest_distortion",
))  # fmt: skip
"""Training settings that decide a fine-tuned codec only."""
CONTROL = frozenset(("finetune_steps", "finetune_batch", "finetune_learning_rate"))
"""Those of stage 2 that decide a control too."""
LMBDA_SHARE = f"train.{first_names(TrainConfig)['lmbda_share']}"
"""Parameter of a run: the share of lambda that stage 2 kept, under the setting's first name."""
LATER = frozenset((
    "reading", "readers", "learns", "text_distortion", "rest_distortion", "pretrain_average", "start", "whole_range",
    "precision", "tasks",
))  # fmt: skip
"""Settings that earlier versions did not have: part of a key only where they differ from their default."""
NO_MATTER = frozenset(("checkpoint_every", "checkpoint_minutes", "log_every", "compiled", "threads"))
"""Training settings that decide no result."""
TESTED_ON = frozenset(("test_count", "test_dir"))
"""Settings of [data] that decide a measurement and no weights."""


@dataclass(frozen=True)
class EvalConfig:
    """The measurement of a codec."""

    detect_side_px: int = 736
    """Short side to which the text detector enlarges a page (736 is RapidOCR's default; less is faster)."""
    heldout: bool = True
    """Also read with the held-out reader, Tesseract, which no codec is trained against; it must be installed."""
    readers: str = ""
    """Further readers of the test images, joined by `+`: `easyocr+ppocrv4`; each must be installed."""
    tasks: str = ""
    """Machine tasks that are measured beside reading: `detection`. A sweep adds those that it trains for."""
    pictures: int = 8
    """Test images whose reconstructions are kept for the report."""

    def __post_init__(self) -> None:
        check_at_least("detect_side_px", self.detect_side_px, 32)
        check_at_least("pictures", self.pictures, 1)
        reader_names.further(self.readers)
        task_names.further_tasks(self.tasks)

    @property
    def judges(self) -> tuple[str, ...]:
        """Names of the readers that measure, beside PP-OCRv6."""
        return (*(("tesseract",) if self.heldout else ()), *reader_names.further(self.readers))


@dataclass(frozen=True)
class Config:
    """One codec: its network, its training and its measurement."""

    codec: str = "tic-base"
    """Name of a codec, as `tfic.build` takes it."""
    lmbda: float = 0.0067
    """Weight of distortion in stage 1: `lmbda * 255^2 * MSE + bpp`, with pixel values in [0, 1]."""
    gamma: float = 0.0
    """Weight of reading, or of the tasks of stage 2: `bpp + gamma * L_OCR`; 0 means stage 1 only, the baseline codec.

    With `train.whole_range` it is that of `lmbda`, and for another lambda larger or smaller by the same factor."""
    data: DataConfig = field(default_factory=DataConfig)
    """The images."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""
    eval: EvalConfig = field(default_factory=EvalConfig)
    """The measurement."""
    warm_lmbda: float = 0.0
    """lambda of the pre-training from whose weights stage 1 starts; 0 = from its own start."""
    control: bool = False
    """Continue stage 1 for the steps of stage 2, on its crops and learning rate, for comparison with stage 2."""

    def __post_init__(self) -> None:
        check_positive("lmbda", self.lmbda)
        for name, zero in (("gamma", "stage 1 only"), ("warm_lmbda", "stage 1 from its own start")):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value!r}; it must be 0 ({zero}) or a positive number")
        if self.control and self.gamma:
            raise ValueError(f"gamma is {self.gamma:g} for a control, which is trained without reading; give gamma 0")

    @property
    def from_stage_1(self) -> bool:
        """The training is stage 2 or a control, which start from a finished stage 1."""
        return bool(self.gamma) or self.control

    @property
    def needed_readers(self) -> tuple[str, ...]:
        """Names of the readers that teach or measure it, which must be installed."""
        return (*self.eval.judges, *(self.train.teachers if self.gamma else ()))


def check_positive(name: str, value: float) -> None:
    """Raise ValueError unless `value` is a finite number above zero."""
    if not (isinstance(value, (int, float)) and math.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value!r}; it must be a positive number, such as 0.01")


def check_at_least(name: str, value: float, least: int) -> None:
    """Raise ValueError unless `value` is a finite number of at least `least`."""
    if not (math.isfinite(value) and value >= least):
        raise ValueError(f"{name} is {value!r}; it must be {least} or more")


def check_share(name: str, value: float) -> None:
    """Raise ValueError unless `value` is a number from 0 to 1."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value!r}; it must be from 0 to 1")


def half(steps: int) -> int:
    """Half of the steps of a stage, rounded up: where `fit` keeps the codec of stage 1 if asked to."""
    return -(-steps // 2)


def check_batch(name: str, batch: int, workers: int, what: str = "of this training") -> None:
    """Raise ValueError unless each of so many workers has an image of a batch; `what` says whose workers they are."""
    if batch < workers:
        raise ValueError(
            f"{name} is {batch}, and there are {workers} workers {what}, each of which needs an image; it is the batch "
            f"of all: ask for {batch} workers (GPUs) at most, or give a {name} of {workers} or more"
        )
