"""Tables that sum up a sweep, on worlds where the answer is known."""

import made_store
import numpy as np
import pandas as pd
import pytest

from analysis import stats
from analysis.bd import Difference, NotComparable
from analysis.summaries import averages, cheapest, gamma_effect, times, volumes
from analysis.sweep_data import SweepData


@pytest.fixture(scope="module")
def made():
    return made_store.world(made_store.points())


def test_the_cheapest_codec_of_a_family_reaches_the_bar_and_none_cheaper_does(made):
    points, _ = made
    table = cheapest(points)
    bar = 0.8 * points.set_index("trial_key").at["uncompressed", "accuracy"]
    own = points[(points["family"] == "AVIF") & (points["accuracy"] >= bar)]
    assert table.at[0.8, "AVIF"] == own.sort_values("bpp").iloc[0]["trial_key"]
    assert table.at[0.95, "baseline"] == ""


def test_gamma_is_counted_against_the_codec_it_started_from(made):
    points, rows = made
    effects = gamma_effect(SweepData(points, rows))
    assert [(each.gamma, each.lmbda) for each in effects] == [(g, x) for g in (0.3, 1.0) for x in (0.001, 0.003, 0.01)]
    effect = next(each for each in effects if each.key == "finetune-l0.003-g1")
    known = points.set_index("trial_key")
    child, parent = known.loc["finetune-l0.003-g1"], known.loc["pretrain-l0.003"]
    assert effect.rate.value == pytest.approx(child["bpp"] / parent["bpp"] - 1)
    assert effect.accuracy.value == pytest.approx(child["accuracy"] - parent["accuracy"])
    assert effect.rate.low == pytest.approx(effect.rate.high), "bits per page differ by one factor here"
    for each in (effect.accuracy, effect.heldout, effect.psnr_db):
        assert each.low < each.value < each.high
    tables = {key: own.set_index("image")["accuracy"] for key, own in rows.groupby("trial_key")}
    assert effect.accuracy == stats.mean((tables["finetune-l0.003-g1"] - tables["pretrain-l0.003"]).to_numpy())


def test_a_reader_that_did_not_read_a_codec_has_no_difference(made):
    points, rows = made
    unread = rows.assign(accuracy_heldout=rows["accuracy_heldout"].where(rows["trial_key"] != "finetune-l0.003-g1"))
    effects = {each.key: each for each in gamma_effect(SweepData(points, unread))}
    assert effects["finetune-l0.003-g1"].heldout is None
    assert effects["finetune-l0.01-g1"].heldout is not None


def test_more_codecs_never_cover_less(made):
    table, corner = volumes(made[0])
    for space in ("plane", "space"):
        assert table.at["baseline alone", space] < table.at["baseline and TFIC", space] <= table.at["all codecs", space]
    assert 0 < table.at["all codecs", "plane"] <= 1
    assert corner["accuracy"] == 0


def test_a_single_learned_point_covers_its_rectangle():
    points = pd.DataFrame(
        {"kind": ["pretrain", "pretrain"], "bpp": [0.25, 1.0], "accuracy": [0.5, 0.1], "psnr_db": [21.0, 20.0]}
    )
    table, corner = volumes(points)
    assert corner == {"bpp": 1.0, "accuracy": 0.0, "psnr_db": 19.0}
    assert table.at["baseline alone", "plane"] == pytest.approx(0.75 * 0.5)
    assert table.at["baseline alone", "space"] == pytest.approx(0.75 * 0.5 * 2)


def test_families_are_averaged_or_refused_with_a_reason(made):
    found = averages(made[0])
    assert isinstance(found["TFIC"]["accuracy"], Difference)
    assert found["TFIC"]["accuracy"].value > 0.1
    assert isinstance(found["JPEG"]["accuracy"], NotComparable)


def test_where_there_are_controls_families_are_averaged_against_them(made):
    points = made[0]
    controls = points[points["kind"] == "pretrain"].assign(kind="control", family="control")
    controls["trial_key"] = "control-" + controls["trial_key"]
    controls["accuracy"] += 0.05
    found = averages(pd.concat([points, controls], ignore_index=True))
    assert "control" not in found
    assert found["baseline"]["accuracy"].value == pytest.approx(-0.05)
    assert found["TFIC"]["accuracy"].value < averages(points)["TFIC"]["accuracy"].value


def test_times_are_means_by_family_over_reading_uncompressed(made):
    points, _ = made
    table = times(points).set_index("title")
    assert table.index.tolist() == ["baseline (tic-tiny)", "TFIC (tic-tiny)", "JPEG", "WebP", "AVIF", "uncompressed"]
    own = points[points["family"] == "TFIC"]
    assert table.at["TFIC (tic-tiny)", "encode_ms"] == pytest.approx(own["encode_ms"].mean())
    read_ms = points.set_index("trial_key").at["uncompressed", "read_ms"]
    assert table.at["JPEG", "over_reading"] == pytest.approx(table.at["JPEG", "encode_ms"] / read_ms)
    assert np.isnan(table.at["uncompressed", "encode_ms"])


def test_times_of_two_machines_make_no_ratio(made):
    points, _ = made
    away = points["family"].eq("TFIC") | points["trial_key"].eq("jpeg-q5")
    points = points.assign(host=np.where(away, "a slow machine", "fixture"))
    points.loc[points["trial_key"].eq("jpeg-q5"), "encode_ms"] = 1e6
    table = times(points).set_index("title")
    assert np.isnan(table.at["TFIC (tic-tiny)", "over_reading"])
    assert table.at["JPEG", "over_reading"] < 1
    assert table.at["JPEG", "encode_ms"] > 1e5
