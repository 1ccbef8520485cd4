"""Findings, on worlds where the answer is known."""

import dataclasses

import made_store
import numpy as np
import pytest

from analysis.best import best_pair
from analysis.findings import discordant, findings
from analysis.sweep_data import SweepData


@pytest.fixture(scope="module")
def made():
    return made_store.world(made_store.points())


def test_discordant_pairs_are_counted_without_ties():
    assert discordant(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])) == (0, 3)
    assert discordant(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 2.0])) == (2, 2)


def test_every_finding_is_told_with_numbers(made):
    data = SweepData(*made)
    found = findings(data, best_pair(data))
    assert len(found) == 4
    assert all(any(letter.isdigit() for letter in each.text) for each in found)


@pytest.mark.parametrize(
    ("gain", "heldout_gain", "title"),
    [
        (2.0, 1.2, "Fine-tuning also helps the held-out reader"),
        (2.0, -1.5, "Fine-tuning costs the held-out reader accuracy"),
    ],
)
def test_what_the_held_out_reader_gains_is_judged_at_equal_rate(gain, heldout_gain, title):
    data = SweepData(*made_store.world(made_store.points(gain, heldout_gain)))
    (found,) = [each for each in findings(data, None) if each.title.startswith("Fine-tuning")]
    assert found.title == title
    assert "At equal rate 4 tuned codecs change" in found.text
    assert "over their baselines" in found.text


def test_more_bits_are_no_help_of_fine_tuning_and_without_a_codec_at_equal_rate_nothing_is_claimed():
    """With no gain of its own a codec with more bits reads what the baseline reads there, or less."""
    base = made_store.points(gain=0.0, heldout_gain=0.5)
    data = SweepData(*made_store.world(base))
    (found,) = [each for each in findings(data, None) if each.title.startswith("Fine-tuning")]
    assert "helps" not in found.title
    apart = [dataclasses.replace(e, bpp=e.bpp * 9) if e.kind == "finetune" else e for e in base]
    (found,) = [each for each in findings(SweepData(*made_store.world(apart)), None) if "Fine-t" in each.title]
    assert found.title == "Fine-tuning and the held-out reader, at other rates"
    assert "no codec lies within the rates" in found.text


def test_controls_go_before_baselines_in_what_the_held_out_reader_gains():
    made = made_store.points()
    made += [
        dataclasses.replace(e, key=f"control-{e.key}", kind="control", parent=e.key)
        for e in made
        if e.kind == "pretrain"
    ]
    (found,) = [each for each in findings(SweepData(*made_store.world(made)), None) if "Fine-t" in each.title]
    assert "over their controls" in found.text


def test_a_sweep_of_one_point_has_no_findings_and_no_crash():
    points, rows = made_store.world(made_store.points()[:1])
    assert findings(SweepData(points, rows), None) == []
