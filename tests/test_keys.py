"""Keys: what two versions of one trial have in common, and what changed between them."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sweep.spec.keys import folder_digest, images_digest, make_key, prefix_of
from sweep.spec.presets import preset
from tfic.data import write_folder
from tfic.differing import differences
from tfic.synth import draw


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_key_hashes_what_decides_whatever_its_order() -> None:
    assert make_key("jpeg-q1", {"a": 1, "b": 2}) == make_key("jpeg-q1", {"b": 2, "a": 1})
    assert make_key("jpeg-q1", {"a": 1}) != make_key("jpeg-q1", {"a": 2})


def test_versions_of_one_trial_share_the_readable_part_and_tell_what_changed() -> None:
    sweep = preset("tiny")
    other = replace(sweep, train=replace(sweep.train, pretrain_steps=21), data=replace(sweep.data, seed=1))
    before, after = sweep.pretrain(0.003), other.pretrain(0.003)
    assert prefix_of(before.key) == prefix_of(after.key) == "pretrain-l0.003"
    assert differences(before.decides, after.decides) == [
        "train_drawn.seed 0 -> 1",
        "test_drawn.seed 0 -> 1",
        "train.pretrain_steps 20 -> 21",
    ]
    assert differences({"a": 1}, {"b": {"c": 2}}) == ["a 1 -> none", "b.c none -> 2"]


@pytest.mark.parametrize(("version", "before"), [("TRAINING_VERSION", "2"), ("MEASURING_VERSION", "2")])
def test_code_that_trains_or_measures_otherwise_changes_the_keys_that_it_decides(
    version: str, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = preset("tiny")
    old = sweep.pretrain(0.003), sweep.finetune(0.003, 1.0), sweep.anchors()[0]
    monkeypatch.setattr(f"sweep.spec.space.{version}", 3)
    after = preset("tiny")
    new = after.pretrain(0.003), after.finetune(0.003, 1.0), after.anchors()[0]
    changed = [a.key != b.key for a, b in zip(old, new, strict=True)]
    assert changed == [True, True, version == "MEASURING_VERSION"]
    assert differences(old[0].decides, new[0].decides) == [f"{version.lower()} {before} -> 3"]
    other_weights = [a.weights != b.weights for a, b in zip(old, new, strict=True)]
    assert other_weights == [version == "TRAINING_VERSION"] * 2 + [False]


def test_weights_are_decided_by_all_that_is_trained_and_by_nothing_that_is_measured() -> None:
    sweep = preset("tiny")
    old = sweep.finetune(0.003, 1.0)
    measured = (
        replace(sweep, data=replace(sweep.data, test_count=sweep.data.test_count + 1)),
        replace(sweep, eval=replace(sweep.eval, detect_side_px=300)),
    )
    for other in measured:
        trial = other.finetune(0.003, 1.0)
        assert (trial.key != old.key, trial.weights) == (True, old.weights)
    trained = (
        replace(sweep, train=replace(sweep.train, pretrain_steps=21)),
        replace(sweep, data=replace(sweep.data, train_count=sweep.data.train_count + 1)),
        replace(sweep, codec="tic-small"),
    )
    assert len({old.weights, *(other.finetune(0.003, 1.0).weights for other in trained)}) == 4
    assert len({trial.weights for trial in sweep.grid()}) == len(sweep.grid())


def test_a_folder_that_is_no_set_of_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no metadata\.jsonl"):
        images_digest(tmp_path)


def test_a_file_corrected_in_place_changes_the_digest_even_with_its_size_and_time(tmp_path: Path) -> None:
    write_folder([draw(0, "test", i, 32, 48) for i in range(2)], tmp_path / "set")
    image, truth = tmp_path / "set" / "test-000001.png", tmp_path / "set" / "metadata.jsonl"
    seen = [images_digest(tmp_path / "set"), folder_digest(tmp_path / "set")]
    for path in (image, truth):
        before, data = path.stat(), bytearray(path.read_bytes())
        data[-20] ^= 1
        path.write_bytes(bytes(data))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_size == before.st_size
        seen += [folder_digest(tmp_path / "set")] + ([images_digest(tmp_path / "set")] if path == image else [])
    assert len(set(seen)) == len(seen)


def test_the_digest_is_of_contents_and_not_of_the_place_nor_of_what_is_not_listed(tmp_path: Path) -> None:
    write_folder([draw(0, "test", 0, 32, 48)], tmp_path / "set")
    before = images_digest(tmp_path / "set")
    shutil.copytree(tmp_path / "set", tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "Thumbs.db").write_text("made by a file manager")
    assert images_digest(tmp_path / "elsewhere") == before


def test_a_listed_image_that_is_missing_is_named(tmp_path: Path) -> None:
    write_folder([draw(0, "test", 0, 32, 48)], tmp_path / "set")
    (tmp_path / "set" / "test-000000.png").unlink()
    with pytest.raises(ValueError, match=r"test-000000.png cannot be read \(No such file"):
        images_digest(tmp_path / "set")
