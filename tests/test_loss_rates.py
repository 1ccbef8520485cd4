"""The rates at stated losses: crossings in closed form, and the table of a made-up sweep."""

import re
from dataclasses import replace

import made_store
import numpy as np
from mlflow import MlflowClient

from analysis import report, runs
from analysis.loss_rates import LOSSES, crossing, table
from analysis.sweep_data import SweepData


def test_a_crossing_lies_on_the_line_over_the_log_of_the_rate():
    bpp = np.array([[0.1, 0.4], [0.1, 0.4], [0.1, 0.4]])
    accuracy = np.array([[0.5, 0.9], [0.9, 0.2], [0.5, 0.9]])
    np.testing.assert_allclose(crossing(bpp, accuracy, np.array([0.7, 0.8, 0.95])), [0.2, 0.1, np.inf])


def test_a_curve_that_falls_again_keeps_its_best():
    found = crossing(np.array([[0.1, 0.2, 0.4]]), np.array([[0.6, 0.5, 0.8]]), np.array([0.7]))
    np.testing.assert_allclose(found, [2 ** (np.log2(0.2) + 0.5)])


def test_the_table_has_each_reader_and_loss_with_the_cheapest_family_first():
    points, rows = made_store.world(made_store.points())
    found = table(SweepData(points, rows))
    assert list(found) == ["training", "tesseract"]
    known = points.set_index("trial_key")
    reference = known.at["uncompressed", "accuracy"]
    for reader in ("training", "tesseract"):
        for loss in LOSSES:
            some = [each for each in found[reader] if each.loss == loss]
            assert [each.bpp.value for each in some] == sorted(each.bpp.value for each in some)
            assert [each.saved is None for each in some] == [True, *[False] * (len(some) - 1)][: len(some)]
            for each in some[1:]:
                np.testing.assert_allclose(each.saved.value, 100 * (1 - some[0].bpp.value / each.bpp.value))
            for each in some:
                assert each.bpp.low <= each.bpp.value <= each.bpp.high
                assert each.family == known.at[each.codec, "family"]
                assert known.at[each.codec, "bpp"] >= each.bpp.value * 0.99
                if reader == "training":
                    assert known.at[each.codec, "accuracy"] >= reference - loss / 100
    assert any(each.saved is not None for some in found.values() for each in some)


def test_without_the_reference_there_is_no_table():
    points, rows = made_store.world(made_store.points()[1:])
    assert table(SweepData(points, rows)) == {}


def test_a_codec_that_a_reader_did_not_read_is_left_out_of_that_reader_s_table_alone():
    def change(rows, point):
        return rows.assign(accuracy_heldout=float("nan")) if point.codec == "jpeg" else rows

    points, rows = made_store.world(made_store.points(), change)
    points.loc[points["codec"] == "jpeg", "accuracy_heldout"] = float("nan")
    found = table(SweepData(points, rows))
    families = {(each.reader, each.family) for some in found.values() for each in some}
    assert ("tesseract", "AVIF") in families
    assert ("tesseract", "JPEG") not in families


def test_a_level_that_no_codec_reaches_is_a_row_that_says_so(tmp_path, laid_out):
    few = [each for each in made_store.points() if each.kind in ("uncompressed", "pretrain")]
    poor = [replace(each, skill=min(each.skill, 3.0 - (each.kind == "pretrain"))) for each in few]
    data = SweepData(*made_store.world(poor))
    assert table(data) == {"training": [], "tesseract": []}
    uri = laid_out(tmp_path / "mlflow.db")
    made_store.log_sweep(MlflowClient(tracking_uri=uri), "demo", poor, tmp_path / "made", 0)
    page = report.page(runs.load(uri, "demo"))
    first, *others = re.findall(r'<table class="answer">.*?</table>', page, flags=re.DOTALL)
    assert len(others) == 1, "that of Tesseract"
    for each in (first, *others):
        rows = re.findall(r"<tr><td>([\d.]+) points?</td>\s*<td[^>]*>([^<]*)</td></tr>", each)
        assert rows == [(f"{loss:g}", "no codec here reaches it") for loss in LOSSES]
