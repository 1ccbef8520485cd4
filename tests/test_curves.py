"""What the figures draw, before plotly draws it."""

import made_store
import pytest

from analysis import curves
from analysis.sweep_data import lossy


@pytest.fixture(scope="module")
def world():
    return made_store.world(made_store.points())


@pytest.mark.parametrize("metric", ["accuracy", "psnr_db"])
def test_every_lossy_point_is_on_its_familys_curve_once(world, metric):
    points, rows = world
    found = curves.curves(points, rows, metric)
    assert [curve.family for curve in found] == ["TFIC", "baseline", "JPEG", "WebP", "AVIF"]
    shown = sorted((x, y) for curve in found for x, y in zip(curve.x, curve.y, strict=True))
    assert shown == sorted(zip(lossy(points)["bpp"], lossy(points)[metric], strict=True))


def test_a_curve_rises_in_rate_and_its_interval_holds_its_value(world):
    for curve in curves.curves(*world, "accuracy"):
        assert curve.x == sorted(curve.x)
        assert all(low <= value <= high for low, value, high in zip(curve.low, curve.y, curve.high, strict=True))


def test_pointing_at_a_point_tells_codec_settings_metrics_and_key(world):
    points, _ = world
    point = points[points["trial_key"] == "finetune-l0.003-g1"].iloc[0].copy()
    point["label"] = "TFIC λ 0.003 γ 1"
    text = curves.hover(point)
    for wanted in (
        "TFIC λ 0.003 γ 1",
        "tic-tiny",
        f"bpp {point['bpp']:.3f}",
        "accuracy",
        f"PSNR {point['psnr_db']:.2f} dB",
        "finetune-l0.003-g1",
    ):
        assert wanted in text
    assert "PSNR" not in curves.hover(points[points["kind"] == "uncompressed"].iloc[0])


def test_the_front_of_rate_and_reading_climbs_and_nothing_lies_above_it(world):
    points, _ = world
    best = curves.front(points, "bpp", "accuracy")
    assert best["accuracy"].is_monotonic_increasing
    assert best["bpp"].is_monotonic_increasing
    assert "uncompressed" not in best["kind"].tolist()
    for _, point in lossy(points).iterrows():
        assert (best[best["bpp"] <= point["bpp"]]["accuracy"] >= point["accuracy"]).any()


def test_ticks_are_round_and_lie_within_the_axis():
    assert curves.ticks(0.09, 2.2) == [0.1, 0.2, 0.5, 1.0, 2.0]
    assert curves.ticks(1.0, 1.0) == [1.0]
