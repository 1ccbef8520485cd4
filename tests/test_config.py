"""Settings are strict and say what they want."""

import dataclasses
import inspect
import math

import pytest

from tfic import config as module
from tfic.config import Config, DataConfig, EvalConfig, TrainConfig
from tfic.recipes import RECIPES, recipe
from tfic.strict import first_names, from_mapping


def test_values_are_laid_over_nested_settings() -> None:
    changed = from_mapping(Config(), {"lmbda": 1, "train": {"batch": 3}}, "sweep.toml")
    assert (changed.lmbda, changed.train.batch) == (1.0, 3)
    assert changed.data == DataConfig()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"lmda": 0.1}, "sweep.toml: unknown key 'lmda'; did you mean 'lmbda'"),
        ({"train": {"batchs": 3}}, r"sweep.toml \[train\]: unknown key 'batchs'; did you mean 'batch'"),
        ({"train": 3}, "train is 3; it must be a table"),
        ({"codec": 3}, "codec is 3; it must be of type str"),
        ({"train": {"batch": 2.5}}, "batch is 2.5; it must be of type int"),
        ({"train": {"batch": True}}, "batch is True; it must be of type int"),
        ({"lmbda": 0}, "lmbda is 0.0; it must be a positive number"),
        ({"lmbda": math.inf}, "lmbda is inf"),
        ({"gamma": -1}, "gamma is -1.0; it must be 0"),
        ({"gamma": math.nan}, "gamma is nan"),
        ({"warm_lmbda": -0.1}, r"warm_lmbda is -0.1; it must be 0 \(stage 1 from its own start\) or a positive number"),
        ({"train": {"batch": 0}}, "batch is 0; it must be 1 or more"),
        ({"train": {"learning_rate": 0.0}}, "learning_rate is 0.0; it must be a positive number"),
        ({"train": {"lmbda_share": -0.1}}, "lmbda_share is -0.1; it must be from 0 to 1"),
        ({"train": {"finetune_lmbda": "1"}}, r"\[train\]: finetune_lmbda is '1'; it must be of type float"),
        (
            {"train": {"finetune_lmbda": 1, "lmbda_share": 1}},
            r"sweep.toml \[train\]: finetune_lmbda is the first name of lmbda_share; give one of them",
        ),
        ({"data": {"test_count": 0}}, "test_count is 0; it must be 1 or more"),
        ({"eval": {"detect_side_px": 3}}, "detect_side_px is 3; it must be 32 or more"),
    ],
)
def test_a_bad_value_says_where_what_and_what_instead(values: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        from_mapping(Config(), values, "sweep.toml")


def test_a_renamed_setting_is_read_under_both_names() -> None:
    assert first_names(TrainConfig) == {"lmbda_share": "finetune_lmbda"}
    for name in ("lmbda_share", "finetune_lmbda"):
        assert from_mapping(TrainConfig(), {name: 0.5}, "header").lmbda_share == 0.5


@pytest.mark.parametrize("kind", [Config, DataConfig, TrainConfig, EvalConfig])
def test_every_setting_is_followed_by_its_meaning(kind: type) -> None:
    source = inspect.getsource(module)
    body = source[source.index(f"class {kind.__name__}:") :]
    for field in dataclasses.fields(kind):
        after = body[body.index(f"    {field.name}: ") :].split("\n", 2)[1]
        assert after.strip().startswith('"""'), f"{kind.__name__}.{field.name} has no docstring"


def test_paper_has_the_scale_of_the_slides() -> None:
    assert (recipe("paper").data.train_count, recipe("paper").data.test_count) == (20_000, 600)
    assert recipe("paper").codec == "tic-base"


def test_an_unknown_recipe_names_the_nearest() -> None:
    assert set(RECIPES) == {"tiny", "demo", "scratch", "base", "paper"}
    with pytest.raises(ValueError, match=r"no recipe 'papr'; did you mean 'paper'\? There are base, demo, "):
        recipe("papr")
