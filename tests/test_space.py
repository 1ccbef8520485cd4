"""Keys are functions of what decides a result and of nothing else; a sweep's file is read strictly."""

import json
import os
import textwrap
import tomllib
from dataclasses import fields, replace
from pathlib import Path

import pytest

from sweep.spec import presets
from sweep.spec.axes import Qualities, Space
from sweep.spec.limits import Limits
from sweep.spec.presets import SPACES, from_tables, preset, read_toml
from sweep.spec.space import Sweep
from tfic.config import MEASURING_VERSION, NO_MATTER, STAGE_1, STAGE_2, TRAINING_VERSION, DataConfig, TrainConfig
from tfic.recipes import RECIPES
from tfic.synth import DRAWING_VERSION


def keys(sweep: Sweep) -> tuple[str, str, str, str]:
    """Keys of the reference, one classical codec, one stage 1 and one stage 2."""
    return sweep.reference().key, sweep.anchors()[0].key, sweep.pretrain(0.003).key, sweep.finetune(0.003, 1.0).key


def changed(before: Sweep, after: Sweep) -> list[bool]:
    return [a != b for a, b in zip(keys(before), keys(after), strict=True)]


def test_every_training_setting_decides_stage_one_or_stage_two_or_nothing() -> None:
    assert sorted([*STAGE_1, *STAGE_2, *NO_MATTER]) == sorted(each.name for each in fields(TrainConfig))


OTHER = {"reading": "features", "tasks": "2*reading", "readers": "2*ppocrv6-small", "learns": "encoder",
         "pretrain_average": 0.5, "start": "zoo/lite-cpu-0.003", "whole_range": True, "precision": "bf16"}  # fmt: skip


@pytest.mark.parametrize("name", sorted(STAGE_1 | STAGE_2 | NO_MATTER))
def test_a_training_setting_changes_the_keys_of_the_stages_it_decides(name: str) -> None:
    sweep = preset("tiny")
    value = OTHER[name] if name in OTHER else getattr(sweep.train, name) * 2 + 1
    other = replace(sweep, train=replace(sweep.train, **{name: value}))
    assert changed(sweep, other) == [False, False, name in STAGE_1, name in STAGE_1 | STAGE_2]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"codec": "tic-small"}, [False, False, True, True]),
        ({"data": {"train_count": 33}}, [False, False, True, True]),
        ({"data": {"test_count": 5}}, [True, True, True, True]),
        ({"data": {"seed": 1}}, [True, True, True, True]),
        ({"data": {"document_share": 0.0}}, [False, False, False, False]),
        ({"data": {"document_share": 0.5}}, [True, True, True, True]),
        ({"eval": {"detect_side_px": 320}}, [True, True, True, True]),
        ({"name": "other"}, [False, False, False, False]),
        ({"space": {"lmbdas": [0.5], "trials": 9}}, [False, False, False, False]),
    ],
)
def test_a_setting_changes_the_keys_it_decides(table: dict[str, object], expected: list[bool]) -> None:
    assert changed(preset("tiny"), from_tables(table, "sweep.toml", "tiny")) == expected


def test_a_codec_that_computes_otherwise_in_large_images_has_other_keys_there_alone() -> None:
    table = {"codec": "tic-base", "data": {"height_px": 512}}
    here, there = (from_tables(table | codec, "sweep.toml", "tiny") for codec in ({}, {"codec": "tic-tiny"}))
    assert here.pretrain(0.003).decides["codec_version"] == 2
    assert "codec_version" not in there.pretrain(0.003).decides
    assert "codec_version" not in preset("base").pretrain(0.003).decides


def test_keys_of_a_grid_are_distinct_readable_and_fit_for_a_folder() -> None:
    for name in RECIPES:
        found = [trial.key for trial in preset(name).grid()]
        assert len(set(found)) == len(found)
    sweep = preset("demo")
    assert sweep.finetune(0.001, 0.3).key.startswith("finetune-l0.001-g0.3-")
    assert sweep.anchors()[0].key.startswith("jpeg-q5-")
    assert all(key == Path(key).name and " " not in key for key in keys(sweep))


@pytest.mark.parametrize(
    ("measuring", "drawing", "training"),
    [(1, 3, 1), (2, 3, 1), (2, 4, 1), (MEASURING_VERSION, DRAWING_VERSION, TRAINING_VERSION)],
)
def test_a_key_does_not_change_between_versions_of_this_program(
    measuring: int, drawing: int, training: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed key orphans everything people have trained: change it only on purpose, and say so in the notes."""
    monkeypatch.setattr("sweep.spec.space.MEASURING_VERSION", measuring)
    monkeypatch.setattr("sweep.spec.space.DRAWING_VERSION", drawing)
    monkeypatch.setattr("sweep.spec.space.TRAINING_VERSION", training)
    data, train = DataConfig(train_count=8, test_count=2), TrainConfig(pretrain_steps=3, finetune_steps=2)
    sweep = Sweep(codec="tic-tiny", data=data, train=train)
    assert keys(sweep) == PINNED[measuring, drawing, training]
    weights = {(3, 1): "65c7b7771c", (4, 1): "19c90d844a", (4, 2): "6cb792c13c"}[drawing, training]
    assert sweep.finetune(0.003, 1.0).weights.startswith(weights)


PINNED = {
    (1, 3, 1): (
        "uncompressed-864690e457",
        "jpeg-q1-127209c48a",
        "pretrain-l0.003-134b335ebf",
        "finetune-l0.003-g1-07657a3615",
    ),
    (2, 3, 1): (
        "uncompressed-93a31f8ab0",
        "jpeg-q1-3ff18865a5",
        "pretrain-l0.003-be6b3c2297",
        "finetune-l0.003-g1-8e703d23d8",
    ),
    (2, 4, 1): (
        "uncompressed-c781cdc026",
        "jpeg-q1-48d7bbf735",
        "pretrain-l0.003-5265b4dde0",
        "finetune-l0.003-g1-c65b95a35e",
    ),
    (2, 4, 2): (
        "uncompressed-c781cdc026",
        "jpeg-q1-48d7bbf735",
        "pretrain-l0.003-365b86c588",
        "finetune-l0.003-g1-63e3ce6a59",
    ),
}
"""Keys by the versions of measuring, drawing and training."""


def write_images(folder: Path, text: str = "one") -> Path:
    folder.mkdir()
    (folder / "a.png").write_bytes(b"12345")
    (folder / "metadata.jsonl").write_text(json.dumps({"file_name": "a.png", "text": text, "lines": []}) + "\n")
    return folder


def test_the_users_own_images_decide_by_content_and_not_by_where_they_lie(tmp_path: Path) -> None:
    here, there = write_images(tmp_path / "here"), write_images(tmp_path / "there")
    other = write_images(tmp_path / "other", text="two")

    def tested_on(folder: Path) -> Sweep:
        return from_tables({"data": {"test_dir": str(folder)}}, "sweep.toml", "tiny")

    def trained_on(folder: Path) -> Sweep:
        return from_tables({"data": {"train_dir": str(folder), "train_count": os.getpid()}}, "sweep.toml", "tiny")

    assert changed(tested_on(here), tested_on(there)) == [False] * 4
    assert changed(tested_on(here), tested_on(other)) == [True] * 4
    assert changed(trained_on(here), trained_on(other)) == [False, False, True, True]
    ignored = replace(trained_on(there), data=replace(trained_on(there).data, train_count=1))
    assert changed(trained_on(here), ignored) == [False] * 4


def test_another_image_under_the_same_name_is_another_trial(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "images")
    before = from_tables({"data": {"test_dir": str(folder)}}, "sweep.toml", "tiny").reference().key
    (folder / "a.png").write_bytes(b"123456")
    assert from_tables({"data": {"test_dir": str(folder)}}, "sweep.toml", "tiny").reference().key != before


def test_a_folder_without_metadata_or_no_folder_is_said() -> None:
    with pytest.raises(ValueError, match=r"does not exist; give one with images and metadata.jsonl"):
        from_tables({"data": {"test_dir": "/nowhere"}}, "sweep.toml", "tiny").reference()
    with pytest.raises(ValueError, match="/nowhere: no such folder"):
        from_tables({"data": {"font_dir": "/nowhere"}}, "sweep.toml", "tiny").reference()


def test_every_recipe_has_a_space_and_takes_its_name() -> None:
    assert sorted(SPACES) == sorted(RECIPES)
    assert preset("demo").name == "demo"
    assert (len(preset("base").space.lmbdas), len(preset("base").space.gammas)) == (4, 6)


@pytest.mark.parametrize("bad", [0.0, -0.01, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["lmbda", "gamma"])
def test_a_weight_that_is_not_positive_is_refused(name: str, bad: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {bad!r}; it must be a positive number"):
        Space(**{f"{name}s": (bad,)})


def test_duplicates_are_removed_in_order() -> None:
    space = Space((0.003, 0.001, 0.003), (1, 1.0), classical=Qualities(jpeg=(5, 5, 1)))
    assert (space.lmbdas, space.gammas, space.classical.jpeg) == ((0.003, 0.001), (1.0,), (5, 1))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"space": {"lambdas": [1]}}, r"sweep.toml \[space\]: unknown key 'lambdas'; did you mean 'lmbdas'"),
        ({"spaces": {}}, "sweep.toml: unknown key 'spaces'; did you mean 'space'"),
        ({"train": {"batchs": 3}}, r"sweep.toml \[train\]: unknown key 'batchs'; did you mean 'batch'"),
        ({"space": {"lmbdas": 0.1}}, r"sweep.toml \[space\]: lmbdas is 0.1; it must be a list"),
        ({"space": {"lmbdas": ["a"]}}, r"lmbdas is 'a'; it must be of type float"),
        ({"space": {"lmbdas": []}}, r"sweep.toml: lmbdas is empty"),
        ({"space": {"lmbdas": [-1]}}, r"sweep.toml: lmbda is -1.0; it must be a positive number"),
        ({"space": {"gammas": [], "trials": 1}}, r"gammas is empty; give at least one gamma"),
        ({"space": {"trials": -1}}, r"trials is -1; it must be 0 or more"),
        ({"space": {"classical": {"jpeg": [101]}}}, r"quality of jpeg is 101; it must be a whole number from 0 to 100"),
        ({"space": {"classical": {"jpg": [1]}}}, r"unknown key 'jpg'; did you mean 'jpeg'"),
        ({"name": "a/b"}, r"name is 'a/b'; it must be letters"),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_wanted(table: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        from_tables(table, "sweep.toml", "tiny")


def test_readers_and_tasks_of_sweep_toml_are_written_as_on_the_command_line() -> None:
    table = {
        "space": {"readers": ["ppocr", "ppocr=1,easyocr=0.5"], "tasks": ["reading=2"]},
        "train": {"readers": "easyocr=2"},
    }
    sweep = from_tables(table, "sweep.toml", "tiny")
    assert sweep.space.readers == ("ppocrv6-small", "ppocrv6-small+0.5*easyocr")
    assert (sweep.space.tasks, sweep.train.readers) == (("2*reading",), "2*easyocr")
    with pytest.raises(ValueError, match=r"readers is 'pcocr'; 'pcocr' is none of ppocrv6-small, easyocr"):
        from_tables({"space": {"readers": ["pcocr"]}}, "sweep.toml", "tiny")


def test_a_toml_error_gives_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "sweep.toml"
    path.write_text('name = "x"\nlmbdas = [0.1,, 2]\n')
    with pytest.raises(ValueError, match=r"sweep.toml: not valid TOML: .*line 2"):
        read_toml(path)
    with pytest.raises(ValueError, match=r"missing.toml: No such file"):
        read_toml(tmp_path / "missing.toml")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_toml(path)


def test_a_single_gamma_is_searched_around_and_several_between() -> None:
    assert Space(gammas=(3.0,)).gamma_range == pytest.approx((1.0, 9.0))
    assert Space(gammas=(1.0, 0.1, 3.0)).gamma_range == (0.1, 3.0)


def test_the_sweep_toml_of_the_documentation_makes_trials() -> None:
    tables = tomllib.loads(textwrap.dedent((presets.__doc__ or "").partition("every key optional:")[2]))
    assert Limits(**tables.pop("limits")).target
    sweep = from_tables(tables | {"data": {}}, "sweep.toml", tables["recipe"])
    assert {trial.config.train.learns for trial in sweep.grid() if trial.config} == {"all", "encoder"}
