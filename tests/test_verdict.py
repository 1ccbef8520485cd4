"""The sentences at the top of the report say what the numbers are."""

import made_store
import numpy as np
import pandas as pd
import pytest

from analysis.sweep_data import SweepData
from analysis.verdict import best_pair, departure, sentences, text_bpp


def sweep_data(made=None, change=lambda rows, point: rows):
    return SweepData(*made_store.world(made_store.points() if made is None else made, change))


def test_the_best_codec_beats_a_measured_baseline_of_no_fewer_bits():
    chosen = best_pair(sweep_data())
    assert chosen.fair
    assert chosen.baseline["bpp"] >= chosen.tuned["bpp"]
    assert chosen.gain.low > 0


def test_the_headline_gives_both_codecs_with_their_intervals():
    shown = sweep_data()
    chosen, first = best_pair(shown), sentences(shown)[0]
    assert first.startswith(
        f"At {chosen.tuned['bpp']:.3f} bpp TFIC (λ 0.003, γ 1) reads {chosen.tuned['accuracy']:.2f} ["
    )
    assert f"against {chosen.baseline['accuracy']:.2f} [" in first
    assert first.endswith(f"{1 - chosen.tuned['bpp'] / chosen.baseline['bpp']:.0%} fewer bits.")


def test_tuning_that_harms_is_said_to():
    assert (
        "No TFIC codec of this sweep reads significantly more" in sentences(sweep_data(made_store.points(gain=-1.5)))[0]
    )


def test_without_a_baseline_of_enough_bits_nothing_is_decided():
    made = [each for each in made_store.points() if each.kind != "pretrain" or each.lmbda == 0.001]
    assert not best_pair(sweep_data(made)).fair
    assert "does not decide" in sentences(sweep_data(made))[0]


def test_without_a_tuned_codec_there_is_no_verdict_but_the_bound_stands():
    said = sentences(sweep_data([each for each in made_store.points() if each.kind != "finetune"]))
    assert "nothing to decide" in said[0]
    assert len(said) == 2


@pytest.mark.parametrize(
    ("heldout", "words"),
    [(0.9, "sees a gain too"), (0.1, "belongs to the training reader"), (np.nan, "No held-out reader")],
)
def test_the_heldout_reader_is_quoted_either_way(heldout, words):
    def change(rows, point):
        return rows.assign(accuracy_heldout=heldout if point.kind == "finetune" else 0.5 + 0 * heldout)

    assert any(words in sentence for sentence in sentences(sweep_data(change=change)))


def test_the_cheapest_codec_for_nearly_all_of_the_reading_is_named():
    assert any(
        "keeps 90% of the reading is finetune-l0.003-g1 at 0.340 bpp" in each for each in sentences(sweep_data())
    )


def test_sending_the_text_costs_its_utf8_bytes():
    _, rows = made_store.world(made_store.points()[:1], lambda rows, _: rows.assign(truth="ä€"))
    assert text_bpp(rows) == pytest.approx(8 * 5 / 65536)


@pytest.mark.parametrize(("values", "said"), [(["0.0", "0.0"], ""), ([], ""), (["0.0", "0.5"], "kept 0.5 of lambda")])
def test_a_stage_2_that_keeps_distortion_is_said_to_be_a_relative_of_tfic(values: list[str], said: str) -> None:
    made = pd.DataFrame({"train.finetune_lmbda": values}) if values else pd.DataFrame()
    sentence = departure(made)
    assert said in sentence
    assert bool(sentence) == bool(said)
