"""Keys: what two versions of one trial have in common, and what changed between them."""

from dataclasses import replace
from pathlib import Path

import pytest

from sweep.spec.keys import differences, images_digest, make_key, prefix_of
from sweep.spec.presets import preset


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


@pytest.mark.parametrize("version", ["TRAINING_VERSION", "MEASURING_VERSION"])
def test_code_that_trains_or_measures_otherwise_changes_the_keys_that_it_decides(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = preset("tiny")
    old = before.pretrain(0.003), before.anchors()[0]
    monkeypatch.setattr(f"sweep.spec.space.{version}", 2)
    after = preset("tiny")
    new = after.pretrain(0.003), after.anchors()[0]
    changed = [a.key != b.key for a, b in zip(old, new, strict=True)]
    assert changed == [True, version == "MEASURING_VERSION"]
    assert differences(old[0].decides, new[0].decides) == [f"{version.lower()} none -> 2"]


def test_a_folder_that_is_no_set_of_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no metadata\.jsonl there"):
        images_digest(tmp_path)
