"""The sentences at the top of the report say what the numbers are."""

import re
from dataclasses import replace

import made_store
import numpy as np
import pandas as pd
import pytest

from analysis import verdict
from analysis.best import best_pair
from analysis.sweep_data import SweepData
from analysis.verdict import departure, text_bpp


def sweep_data(made=None, change=lambda rows, point: rows):
    return SweepData(*made_store.world(made_store.points() if made is None else made, change))


def sentences(data):
    return verdict.sentences(data, best_pair(data))


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
    long = rows.assign(truth="the same line, again and again\n" * 40)
    assert text_bpp(long) < 8 * 100 / 65536, "as a device would send it"


@pytest.mark.parametrize(("values", "said"), [(["0.0", "0.0"], ""), ([], ""), (["0.0", "0.5"], "kept 0.5 of lambda")])
def test_a_stage_2_that_keeps_distortion_is_said_to_be_a_relative_of_tfic(values: list[str], said: str) -> None:
    made = pd.DataFrame({"train.finetune_lmbda": values}) if values else pd.DataFrame()
    sentence = departure(made)
    assert said in sentence
    assert bool(sentence) == bool(said)


def with_controls(skill: float = 0.8):
    """The made-up sweep with a control for each baseline that reads better than it, and its half of stage 1."""
    made = made_store.points()
    for each in [each for each in made if each.kind == "pretrain"]:
        control = f"control-{each.key}"
        made.append(replace(each, key=control, kind="control", skill=each.skill + skill, parent=each.key))
        made.append(replace(each, key=f"half-{each.key}", kind="halfway", skill=each.skill - 1, parent=each.key))
    return made


def test_tfic_is_compared_with_controls_wherever_they_exist():
    plain, controlled = best_pair(sweep_data()), best_pair(sweep_data(with_controls()))
    assert plain.baseline["kind"] == "pretrain"
    assert controlled.baseline["kind"] == "control"
    assert controlled.gain.value < plain.gain.value, "what more training alone gives is no gain of reading"
    data = sweep_data(with_controls())
    assert {key[:7] for _, matched in data.pairs() for key in matched.weights} == {"control"}
    said = sentences(data)
    assert "for the control at" in said[0]
    assert any("compared with controls" in each for each in said)
    assert any("No control was trained" in each for each in sentences(sweep_data()))


def test_a_gain_that_is_training_alone_is_none():
    assert best_pair(sweep_data(with_controls(skill=3.0))).gain.low <= 0 < best_pair(sweep_data()).gain.low


def test_convergence_is_shown_at_half_at_all_and_in_the_control():
    data = sweep_data(with_controls())
    said = [each for each in sentences(data) if each.startswith("Convergence")]
    assert len(said) == 3
    for each in said:
        values = [float(found) for found in re.findall(r"([\d.]+) at [\d.]+ bpp", each)]
        assert len(values) == 3
        assert values == sorted(values)
        assert re.search("after half of stage 1; .* at its end; .* in the control", each)
    half = data.points[data.points["kind"] == "halfway"].sort_values("lmbda").iloc[0]
    rows = data.rows[data.rows["trial_key"] == half["trial_key"]]
    loss = np.mean([half["lmbda"] * 255**2 / 10 ** (psnr / 10) for psnr in rows["psnr_db"]]) + rows["bpp"].mean()
    assert f"loss {loss:.3f}, after half" in said[0]
    assert not [each for each in sentences(sweep_data()) if each.startswith("Convergence")]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("train.reading", "features", "minimised features as its reading loss"),
        ("train.learns", "encoder", "let the encoder alone learn"),
        ("train.rest_distortion", "0.1", "outside of text with 0.1"),
        ("train.whole_range", "True", "drew a lambda for each image"),
    ],
)
def test_every_member_of_the_family_is_told_from_the_slides_stage_2(name: str, value: str, words: str) -> None:
    runs = {"kind": ["pretrain", "finetune"], "train.finetune_lmbda": ["0.0", "0.0"], name: [value, value]}
    said = departure(pd.DataFrame(runs))
    assert words in said
    assert said.startswith("Stage 2 of this sweep")
    assert departure(pd.DataFrame(runs | {"kind": ["pretrain", "control"]})) == ""


def found(gain: float):
    """Measures the F1 score of detection, with that gain for TFIC's codecs."""

    def change(rows, point):
        noise = np.random.default_rng(len(point.key)).normal(0, 0.02, len(rows))
        return rows.assign(
            detection_f1=0.6 + 0.1 * np.log(point.bpp) + noise + (gain if point.kind == "finetune" else 0)
        )

    return change


def test_detection_is_compared_with_the_control_as_reading_is_wherever_it_was_measured():
    data = sweep_data(with_controls(), found(0.05))
    said = [each for each in sentences(data) if "detection" in each]
    chosen = best_pair(data, "detection")
    control, rates = chosen.baseline, (chosen.tuned["bpp"], chosen.baseline["bpp"])
    assert control["kind"] == "control"
    assert rates[1] >= rates[0]
    assert said[0].startswith(f"At {rates[0]:.3f} bpp TFIC (λ ")
    assert re.search(r"has a detection F1 of 0\.\d\d \[.*, against 0\.\d\d \[.* for the control at", said[0])
    assert said[1] == (
        "Verdict on detection: open, for no held-out detector took part; "
        "ppocrv4 in --heldout of `python -m sweep.run` brings one."
    )
    assert said[2].startswith(
        "At equal rate, the control interpolated between its measured neighbours, TFIC leads most in"
    )
    table = data.rows.pivot(index="image", columns="trial_key", values="detection_f1")
    equal = [(row, matched) for row, matched in data.pairs() if matched.bits == "equal"]
    means = [
        table[row["trial_key"]].mean() - sum(weight * table[key].mean() for key, weight in matched.weights.items())
        for row, matched in equal
    ]
    shown = float(re.search(r", \+(0\.\d\d) \[", said[2])[1])
    assert any(abs(shown - mean) < 0.006 for mean in means)
    assert not any("detection" in each for each in sentences(sweep_data(with_controls())))


@pytest.mark.parametrize(
    ("gain", "verdict_on_detection", "seen"),
    [
        (0.05, "positive: the lead is significant, and PP-OCRv4 does not find significantly less.", "; PP-OCRv4 +0.0"),
        (-0.2, "not positive, for PP-OCRv4 (−0.", "; PP-OCRv4 −0."),
    ],
)
def test_a_held_out_detector_has_its_say_in_the_verdict_on_detection(gain, verdict_on_detection, seen):
    def change(rows, point):
        heldout = found(gain)(rows, point)["detection_f1"]
        return found(0.05)(rows, point).assign(detection_f1_ppocrv4=heldout, accuracy_ppocrv4=0.5)

    said = [each for each in sentences(sweep_data(with_controls(), change)) if "detection" in each]
    assert said[1].startswith(f"Verdict on detection: {verdict_on_detection}")
    assert said[1].endswith("significantly less.")
    assert seen in said[2]
    assert "Tesseract" not in "".join(said), "a reader has no say on detection"


def test_a_codec_that_finds_less_has_no_verdict_on_detection():
    said = sentences(sweep_data(with_controls(), found(-0.05)))
    assert "Verdict on detection: not positive, for no lead of the training detector is significant." in said
    assert any("has a significantly higher detection F1 than a measured control" in each for each in said)
    assert any("leads nowhere significantly, and most in detection F1" in each for each in said)


def test_codecs_without_the_measure_of_a_task_take_no_part_in_its_verdict():
    def change(rows, point):
        known = point.kind == "control" or point.key == "finetune-l0.003-g0.3"
        return found(0.05)(rows, point) if known else rows.assign(detection_f1=np.nan)

    data = sweep_data(with_controls(), change)
    assert best_pair(data, "detection").tuned["trial_key"] == "finetune-l0.003-g0.3"
    said = [each for each in sentences(data) if "in detection F1" in each]
    assert len(said) == 1
    assert "(λ 0.003, γ 0.3)" in said[0]
    nobody = sweep_data(with_controls(), lambda rows, point: found(0)(rows, point) if point.kind == "control" else rows)
    assert best_pair(nobody, "detection") is None
    assert not any("detection" in each for each in sentences(nobody))


def test_a_codec_is_named_with_the_settings_that_set_it_apart():
    points, rows = made_store.world(made_store.points())
    data = SweepData(points.assign(variant=np.where(points["kind"] == "finetune", "for detection", "")), rows)
    assert "TFIC (λ 0.003, γ 1, for detection) reads" in sentences(data)[0]
