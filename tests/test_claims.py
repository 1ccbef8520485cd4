"""Each claim comes out as a world built to hold it, to break it or to leave it open says."""

import dataclasses

import made_store
import numpy as np
import pytest

from analysis import claims
from analysis.sweep_data import SweepData


def judged(made, change=lambda rows, point: rows):
    """The claims by number."""
    return {claim.number: claim for claim in claims.judge(SweepData(*made_store.world(made, change)))}


def test_the_made_up_sweep_is_judged_as_it_was_made():
    found = judged(made_store.points())
    assert [found[number].status for number in range(1, 7)] == [
        "confirmed", "confirmed", "refuted", "confirmed", "refuted", "confirmed",
    ]  # fmt: skip
    assert "From 0.509 to 0.108 bpp" in found[1].reason


def test_claims_compare_with_controls_where_there_are_any_and_name_them():
    made = made_store.points()
    controls = [
        dataclasses.replace(each, key=f"control-{each.key}", kind="control", skill=each.skill + 9, parent=each.key)
        for each in made
        if each.kind == "pretrain"
    ]
    plain, controlled = judged(made), judged(made + controls)
    assert plain[2].status == "confirmed"
    assert controlled[2].status != "confirmed", "a gain that more training alone gives is none"
    for number in (4, 5):
        assert "the baseline leads" in plain[number].reason
        assert "the control leads" in controlled[number].reason


def test_a_flat_baseline_refutes_the_drop():
    flat = [dataclasses.replace(each, skill=2.0) if each.kind == "pretrain" else each for each in made_store.points()]
    assert judged(flat)[1].status == "refuted"


def test_one_baseline_leaves_the_drop_open():
    one = [each for each in made_store.points() if each.kind != "pretrain" or each.lmbda == 0.01]
    assert judged(one)[1].status == "not testable here"
    assert "baselines at two rates" in judged(one)[1].reason


def test_tuning_that_harms_refutes_the_higher_accuracy():
    found = judged(made_store.points(gain=-1.5))
    assert found[2].status == "refuted"
    assert "0 of 4 TFIC codecs" in found[2].reason


def test_tuning_that_does_nothing_confirms_nothing():
    made = [
        dataclasses.replace(each, skill=-0.6 if each.lmbda == 0.001 else each.skill)
        if each.kind == "finetune"
        else each
        for each in made_store.points(gain=0.0)
    ]
    assert judged(made)[2].status != "confirmed"


def test_beating_uncompressed_counts_only_when_the_heldout_reader_agrees():
    both = judged(made_store.points(gain=8.0, heldout_gain=8.0))[3]
    assert both.status == "confirmed"
    alone = judged(made_store.points(gain=8.0, heldout_gain=0.0))[3]
    assert alone.status == "refuted"
    assert "A held-out reader reads less wherever the training reader gains." in alone.reason
    nobody = judged(made_store.points(gain=8.0), lambda rows, _: rows.assign(accuracy_heldout=np.nan))[3]
    assert nobody.status == "not testable here"
    assert "No held-out reader" in nobody.reason


def test_a_tuned_codec_with_the_higher_psnr_refutes_the_baselines_lead():
    made = [
        dataclasses.replace(each, psnr_db=30.0) if each.kind == "finetune" else each for each in made_store.points()
    ]
    assert judged(made)[4].status == "refuted"


@pytest.mark.parametrize(
    ("text_db", "background_db", "status"),
    [(4.0, -4.0, "confirmed"), (-4.0, -4.0, "refuted"), (4.0, 4.0, "refuted"), (np.nan, np.nan, "not testable here")],
)
def test_where_the_error_lies_decides_the_claim_about_pictures(text_db, background_db, status):
    def change(rows, point):
        shift = np.random.default_rng(1).normal(0, 0.1, len(rows))
        tuned = point.kind == "finetune"
        return rows.assign(
            psnr_text_db=20 + shift + (text_db if tuned else 0),
            psnr_background_db=22 + shift + (background_db if tuned else 0),
        )

    found = judged(made_store.points(), change)[5]
    assert found.status == status


@pytest.mark.parametrize(("encode_ms", "status"), [(90.0, "confirmed"), (400.0, "refuted")])
def test_the_cost_is_the_ratio_to_reading_uncompressed(encode_ms, status):
    found = judged(made_store.points(), lambda rows, _: rows.assign(encode_ms=encode_ms, read_ms=180.0))[6]
    assert found.status == status
    assert f"a ratio of {encode_ms / 180:.2f}" in found.reason


def test_the_cost_is_not_the_ratio_of_two_machines_times():
    points, rows = made_store.world(made_store.points())
    away = points.assign(host=np.where(points["kind"] == "finetune", "another", "fixture"))
    found = claims.judge(SweepData(away, rows))[5]
    assert found.status == "not testable here"
    assert "No TFIC codec was measured on fixture, where uncompressed images were read" in found.reason
    one = points.assign(host=np.where(points["trial_key"] == "finetune-l0.003-g1", "fixture", "another"))
    one.loc[one["kind"] == "uncompressed", "host"] = "fixture"
    rows = rows.assign(encode_ms=np.where(rows["trial_key"] == "finetune-l0.003-g1", 10.0, 1e6))
    assert "Encoding takes 10 ms" in claims.judge(SweepData(one, rows))[5].reason


def test_a_reader_that_a_codec_was_trained_against_cannot_confirm_that_it_surpasses_uncompressed():
    points, rows = made_store.world(made_store.points(gain=8.0, heldout_gain=8.0))
    points["accuracy_easyocr"], rows["accuracy_easyocr"] = points["accuracy_heldout"], rows["accuracy_heldout"]
    tuned = points["kind"] == "finetune"
    against = points.assign(trained_against=np.where(tuned, "ppocrv6-small+easyocr", ""))
    needed = {"easyocr": "accuracy_easyocr"}
    assert claims.judge(SweepData(points, rows, needed=needed))[2].status == "confirmed"
    alone = claims.judge(SweepData(against, rows, needed=needed))[2]
    assert alone.status == "not testable here"
    assert "No held-out reader took part that it was not trained against" in alone.reason
    one = against.copy()
    one.loc[one["trial_key"] == "finetune-l0.001-g0.3", "trained_against"] = "ppocrv6-small"
    assert claims.judge(SweepData(one, rows, needed=needed))[2].status == "confirmed"
    assert "Best is finetune-l0.001-g0.3" in claims.judge(SweepData(one, rows, needed=needed))[2].reason


def test_a_held_out_reader_that_measured_some_codecs_alone_stops_nothing():
    points, rows = made_store.world(made_store.points(gain=8.0, heldout_gain=8.0))
    rows.loc[rows["trial_key"].str.startswith("finetune-l0.001"), "accuracy_heldout"] = np.nan
    found = claims.judge(SweepData(points, rows))[2]
    assert found.status in ("confirmed", "not testable here")
    lacking = rows.assign(accuracy_heldout=rows["accuracy_heldout"].where(~rows["trial_key"].str.startswith("fine")))
    found = claims.judge(SweepData(points, lacking))[2]
    assert found.status == "not testable here"
    assert "There Tesseract did not measure it." in found.reason


@pytest.mark.parametrize("missing", ["uncompressed", "pretrain", "finetune"])
def test_a_sweep_that_lacks_a_kind_is_judged_without_a_crash_and_says_what_is_missing(missing):
    found = judged([each for each in made_store.points() if each.kind != missing])
    assert found[2].status == "not testable here"
    assert "has not finished" in found[2].reason
    assert len(found) == 6


def test_claim_2_states_the_lead_in_detection_and_is_decided_by_reading():
    def change(rows, point):
        noise = np.random.default_rng(len(point.key)).normal(0, 0.01, len(rows))
        return rows.assign(detection_f1=0.7 + noise - (0.1 if point.kind == "finetune" else 0))

    plain, found = judged(made_store.points())[2], judged(made_store.points(), change)[2]
    assert found.status == plain.status == "confirmed"
    assert found.reason.startswith(f"{plain.reason} In detection F1, which decides nothing here, finetune-l")
    assert ": −0.10 [−0.1" in found.reason
