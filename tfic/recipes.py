"""Settings with a name: from two minutes on two cores to the scale of the slides.

`tiny`, `demo` and `scratch` are for two CPU cores, `base` for one GPU, `paper` for the scale of the EUSIPCO 2025 slides
(20,000 training and 600 test images; the slides give no other number).
"""

from collections.abc import Callable

from tfic.config import Config, DataConfig, EvalConfig, TrainConfig
from tfic.strict import unknown_name


def tiny() -> Config:
    """All steps in under two minutes, for tests; its codecs are trained too little to be judged."""
    return Config(
        codec="tic-tiny",
        data=DataConfig(train_count=32, test_count=4),
        train=TrainConfig(
            pretrain_steps=20, finetune_steps=6, klt_start=True, batch=2, finetune_batch=2, read_width_px=600,
            learning_rate=1e-3, finetune_learning_rate=3e-4, checkpoint_every=5, log_every=2, threads=1,
        ),
        eval=EvalConfig(detect_side_px=256, pictures=2),
    )  # fmt: skip


def demo() -> Config:
    """A first front on two CPU cores: the shipped lite-vbr, and its encoder fine-tuned for reading at every rate.

    Its stage 2 departs from the slides'; LOG.md says why.
    """
    return Config(
        codec="lite-vbr",
        data=DataConfig(train_count=1200, test_count=140),
        train=TrainConfig(
            start="zoo/lite-vbr", pretrain_steps=0, whole_range=True, finetune_steps=300, batch=4, finetune_batch=4,
            read_width_px=3000, finetune_learning_rate=1e-3, lmbda_share=1.0, reading="features", learns="encoder",
            rest_distortion=0.1, checkpoint_every=25, log_every=10, threads=1,
        ),
        eval=EvalConfig(detect_side_px=256, pictures=6),
    )  # fmt: skip


def scratch() -> Config:
    """Any codec from its own start, in minutes on two CPU cores; stage 2 as in the demo."""
    return Config(
        codec="tic-tiny",
        data=DataConfig(train_count=600, test_count=32),
        train=TrainConfig(
            pretrain_steps=700, finetune_steps=400, klt_start=True, batch=2, finetune_batch=4, read_width_px=3000,
            learning_rate=1e-3, finetune_learning_rate=3e-4, lmbda_share=1.0, reading="features", learns="encoder",
            rest_distortion=0.1, checkpoint_every=25, log_every=10, threads=1,
        ),
        eval=EvalConfig(detect_side_px=256, pictures=6),
    )  # fmt: skip


def base() -> Config:
    """For a GPU: a night for one codec, by estimate; stage 2 as in the demo."""
    return Config(
        codec="tic-base",
        data=DataConfig(train_count=20_000, test_count=200),
        train=TrainConfig(
            pretrain_steps=100_000, finetune_steps=20_000, lmbda_share=1.0, reading="features", learns="encoder",
            rest_distortion=0.1, checkpoint_minutes=5.0,
        ),
    )  # fmt: skip


def paper() -> Config:
    """The scale of the slides, with batch, crop and learning rates of the public TIC training."""
    return Config(
        codec="tic-base",
        data=DataConfig(train_count=20_000, test_count=600),
        train=TrainConfig(pretrain_steps=400_000, finetune_steps=100_000, checkpoint_minutes=5.0),
    )


RECIPES: dict[str, Callable[[], Config]] = {
    "tiny": tiny, "demo": demo, "scratch": scratch, "base": base, "paper": paper,
}  # fmt: skip


def recipe(name: str) -> Config:
    """The settings of that name.

    Raises:
        ValueError: when there is no such recipe.
    """
    if name not in RECIPES:
        raise unknown_name(name, list(RECIPES), "recipe")
    return RECIPES[name]()
