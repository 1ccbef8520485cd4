"""The transfer matrix: each group of codecs by what it was trained against, as each reader sees it."""

from dataclasses import replace

import made_store
import numpy as np
import pytest
from mlflow import MlflowClient

from analysis import report, runs
from analysis.matched import by_image
from analysis.reader_figures import transfer_figure
from analysis.sweep_data import SweepData
from analysis.transfer import matrix

BOTH = "PP-OCRv6 + EasyOCR"


@pytest.fixture(scope="module")
def cells():
    found = matrix(SweepData(*made_store.world(made_store.transferred())))
    return {(cell.trained, cell.read_by): cell for cell in found}


def test_each_group_gains_with_the_readers_that_it_was_made_to_gain_with(cells):
    assert list(cells) == [
        (trained, read) for trained in ("EasyOCR", "PP-OCRv6", BOTH) for read in ("PP-OCRv6", "Tesseract")
    ]
    assert cells["PP-OCRv6", "PP-OCRv6"].gain.low > 0 > cells["PP-OCRv6", "Tesseract"].gain.value
    assert cells["EasyOCR", "Tesseract"].gain.low > 0 > cells["EasyOCR", "PP-OCRv6"].gain.value
    assert cells[BOTH, "Tesseract"].gain.high < 0
    assert {key for key, cell in cells.items() if cell.own} == {("PP-OCRv6", "PP-OCRv6"), (BOTH, "PP-OCRv6")}
    assert all(cell.gain.low < cell.gain.value < cell.gain.high for cell in cells.values())


def test_a_cell_is_the_mean_over_codecs_of_the_difference_to_the_control_at_equal_rate(cells):
    points, rows = made_store.world(made_store.transferred())
    data = SweepData(points, rows)
    table = by_image(rows, "accuracy")
    gains = [
        table[row["trial_key"]] - sum(weight * table[key] for key, weight in control.weights.items())
        for row, control in data.pairs()
        if row["trained_against"] == "easyocr"
    ]
    keys = [row["trial_key"] for row, _ in data.pairs() if row["trained_against"] == "easyocr"]
    cell = cells["EasyOCR", "PP-OCRv6"]
    assert cell.gains == pytest.approx(dict(zip(keys, np.mean(gains, axis=1), strict=True)))
    assert cell.codecs == len(gains) == 3
    assert cell.gain.value == pytest.approx(np.mean(gains))
    assert all(key.startswith("control") for _, control in data.pairs() for key in control.weights)


def test_the_gains_of_codecs_are_over_the_pages_that_all_of_them_have_and_their_mean_is_the_cell_s():
    def change(rows, point):
        return rows.assign(accuracy=rows["accuracy"].where(rows.index > 4 * (point.key == "finetune-l0.001-easyocr")))

    found = matrix(SweepData(*made_store.world(made_store.transferred(), change)))
    cell = next(each for each in found if (each.trained, each.read_by) == ("EasyOCR", "PP-OCRv6"))
    assert cell.gain.images == made_store.IMAGES - 5
    assert cell.gain.value == pytest.approx(np.mean(list(cell.gains.values())))
    assert len(set(cell.gains.values())) == cell.codecs == 3


def test_one_set_of_training_readers_makes_no_matrix():
    one = [each for each in made_store.transferred() if each.against in ("", "easyocr")]
    assert matrix(SweepData(*made_store.world(one))) == []
    assert matrix(SweepData(*made_store.world(made_store.points()))) == []


def test_codecs_that_were_also_trained_for_another_task_are_a_group_of_their_own():
    made = [each for each in made_store.transferred() if each.against in ("", "easyocr")]
    both = [replace(each, key=f"{each.key}-d", tasks="reading+detection", skill=each.skill - 1)
            for each in made if each.against]  # fmt: skip
    found = matrix(SweepData(*made_store.world([*made, *both])))
    assert [cell.trained for cell in found] == ["EasyOCR"] * 2 + ["EasyOCR, for reading+detection"] * 2
    plain, more = (cell for cell in found if cell.read_by == "PP-OCRv6")
    assert (plain.codecs, more.codecs) == (3, 3)
    assert more.gain.value < plain.gain.value - 0.05


def test_a_reader_that_saw_one_group_alone_has_that_cell_alone():
    def change(rows, point):
        return rows.assign(accuracy_gocr=0.5 if point.against in ("", "easyocr") else np.nan)

    points, rows = made_store.world(made_store.transferred(), change)
    points["accuracy_gocr"] = 0.5
    seen = [cell.trained for cell in matrix(SweepData(points, rows)) if cell.read_by == "GOCR"]
    assert seen == ["EasyOCR"]


def test_the_heat_map_shows_the_cells(cells):
    (heat,) = transfer_figure(list(cells.values())).data
    assert list(heat.y) == ["EasyOCR", "PP-OCRv6", BOTH]
    assert list(heat.x) == ["PP-OCRv6", "Tesseract"]
    assert heat.z[0][0] == cells["EasyOCR", "PP-OCRv6"].gain.value
    assert heat.zmax == -heat.zmin == np.abs(heat.z).max()


def test_the_report_has_table_and_heat_map_or_a_sentence(tracking_uri, laid_out, tmp_path):
    uri = laid_out(tmp_path / "mlflow.db")
    made_store.log_sweep(MlflowClient(tracking_uri=uri), "transfer", made_store.transferred(), tmp_path, minute=0)
    sweep = runs.load(uri)
    trained = dict(sweep.points.set_index("trial_key")["trained_against"])
    assert (trained["finetune-l0.01-easyocr"], trained["pretrain-l0.01"]) == ("easyocr", "")
    labels = set(sweep.points["label"])
    assert "TFIC λ 0.01 γ 1 against easyocr" in labels, "codecs that differ in their readers have labels that do"
    page = report.page(sweep)
    assert 'id="figure-transfer"' in page
    assert page.count('<tr class="own"') == 2
    assert "were trained against the same readers" not in page
    other = report.page(runs.load(tracking_uri, "demo"))
    assert "were trained against the same readers" in other
    assert 'id="figure-transfer"' not in other
