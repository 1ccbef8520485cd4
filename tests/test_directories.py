"""Which folders are run directories, and which trials they are."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import config, small, untrained

from sweep.run_directories import find, finished
from tfic.data import test_pages as pages_to_test_on
from tfic.data import write_folder


def test_copies_of_codecs_in_a_trial_s_own_folders_are_no_run_directories(tmp_path: Path) -> None:
    for name in ("t/codec.safetensors", "t/measured/checkpoint/codec.safetensors", "t/start/codec.safetensors"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    assert find(tmp_path) == ([tmp_path / "t"], [])


def test_a_stage_1_that_ended_alone_is_taken_and_its_training_named(tmp_path: Path) -> None:
    (tmp_path / "run" / "pretrain").mkdir(parents=True)
    (tmp_path / "run" / "pretrain" / "codec.safetensors").touch()
    assert find(tmp_path) == ([tmp_path / "run" / "pretrain"], [tmp_path / "run"])


def test_folders_of_images_count_by_content_wherever_they_lie_here(tmp_path: Path) -> None:
    images = tmp_path / "images"
    write_folder(pages_to_test_on(config().data), images)
    there = untrained(tmp_path / "run", config(train_dir="/there/train", test_dir="/there/test"))
    sweep = replace(small(), data=replace(small().data, train_dir=str(images), test_dir=str(images)))
    found = finished(there, "scans", str(images), str(images))
    assert found.trial == sweep.pretrain(0.003)
    with pytest.raises(ValueError, match=r"train_dir /there/train is not here; give .* with --train-data"):
        finished(there, "scans")
    drawn = untrained(tmp_path / "drawn", config())
    assert finished(drawn, "scans", str(images), str(images)).trial == small().pretrain(0.003)


def test_a_warm_start_is_part_of_what_a_training_is(tmp_path: Path) -> None:
    warm = replace(small(), space=replace(small().space, lmbdas=(0.003, 0.01), warm_start=0.003))
    run = untrained(tmp_path / "run", replace(config(0.01), warm_lmbda=0.003))
    first = untrained(run / "warm", config(0.003))
    assert find(tmp_path) == ([first, run], [])
    assert finished(run, "tiny").trial == warm.pretrain(0.01)
    assert finished(first, "tiny").trial == warm.pretrain(0.003)
