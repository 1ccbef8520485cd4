"""One schema of a row: a measure added to it is found in MLflow and in the report, and nothing else needs a change."""

import csv
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tfic.config import MEASURING_VERSION
from tfic.measuring.row import BANDS_PX, MEASURES, TEXTS, Measure, Row, means, read_rows, write_rows

ROOT = Path(__file__).parent.parent
ADDED = """
    sharpness: Annotated[float, Measure("sharpness", "maximize", 1, "%")] = 12.345
    \"\"\"A measure that is the same for every image.\"\"\"
"""
MEASURE_AND_REPORT = """
import sys
from dataclasses import replace
from pathlib import Path

from analysis import report
from sweep.spec.presets import preset
from sweep.store.tracking import Tracker
from sweep.trial.run import run_trial
from tfic.config import EvalConfig

new, old = sys.argv[1:]
base = preset("tiny")
settings = EvalConfig(detect_side_px=256, heldout=False, pictures=1)
sweep = replace(base, data=replace(base.data, test_count=2), eval=settings)
tracker = Tracker(new, "added")
trial = sweep.reference()
run_trial(trial, tracker, tracker.start(trial), Path("run"), lambda event: None)
assert report.main(["--tracking-uri", new, "--name", "added", "--out", "added.html"]) == 0
assert report.main(["--tracking-uri", old, "--name", "older", "--out", "older.html"]) == 0
"""


@pytest.fixture(scope="module")
def own_store(tmp_path_factory: pytest.TempPathFactory, laid_out: Callable[[Path], str]) -> str:
    """A store in which nobody has measured uncompressed images yet: they are measured once in a store."""
    return laid_out(tmp_path_factory.mktemp("own") / "mlflow.db")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, own_store: str, tracking_uri: str) -> Path:
    """A folder with reports by a project that has one more field in tfic/measuring/row.py.

    added.html is of a sweep that it measured, older.html of a sweep that was measured without the field.
    """
    folder = tmp_path_factory.mktemp("changed")
    (folder / "tfic" / "measuring").mkdir(parents=True)
    for package in ("sweep", "analysis"):
        (folder / package).symlink_to(ROOT / package)
    for place, own in (("tfic", "measuring"), ("tfic/measuring", "row.py")):
        for path in (ROOT / place).iterdir():
            if path.name not in (own, "__pycache__"):
                (folder / place / path.name).symlink_to(path)
    source = (ROOT / "tfic" / "measuring" / "row.py").read_text(encoding="utf-8")
    last = '    """The text as the training reader read it."""\n'
    assert source.count(last) == 1
    (folder / "tfic" / "measuring" / "row.py").write_text(source.replace(last, last + ADDED), encoding="utf-8")
    command = [sys.executable, "-c", MEASURE_AND_REPORT, own_store, tracking_uri]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def points_table(report: Path) -> str:
    """The report's table of points as HTML."""
    found = re.search(r'<table class="points.*?</table>', report.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert found
    return found.group()


@pytest.mark.slow
def test_a_field_added_to_the_row_is_a_column_of_rows_csv_a_metric_in_mlflow_and_a_column_of_the_report(
    folder: Path, own_store: str, tmp_path: Path
) -> None:
    client = MlflowClient(tracking_uri=own_store)
    (run,) = client.search_runs([client.get_experiment_by_name("added").experiment_id])
    assert run.data.metrics["sharpness"] == pytest.approx(12.345)
    rows = Path(client.download_artifacts(run.info.run_id, "rows.csv", str(tmp_path))).read_text(encoding="utf-8")
    assert "sharpness" in rows.splitlines()[0].split(",")
    table = points_table(folder / "added.html")
    assert ">sharpness %<" in table
    assert re.search(r'data-value="12\.34\d+">12\.3<', table)


@pytest.mark.slow
def test_a_store_from_before_a_measure_was_added_still_makes_a_report(folder: Path) -> None:
    table = points_table(folder / "older.html")
    assert ">sharpness %<" not in table, "a column that no codec has is left out"
    assert "pretrain-l0.001" in table


def test_every_number_of_a_row_that_can_be_averaged_is_a_measure_and_all_other_columns_are_sizes_or_text() -> None:
    others = {each.name: each.type for each in fields(Row) if each.name not in MEASURES}
    sizes = {"width_px": int, "height_px": int, "file_bytes": int}
    texts = ("image", "truth", "text", "missing", "order")
    assert others == {**sizes, "measuring_version": int, **dict.fromkeys(texts, str)}
    assert texts == TEXTS


def test_a_measure_is_shown_with_its_unit_and_its_digits() -> None:
    psnr = Measure("PSNR", "maximize", 2, "dB", name="PSNR of the page", short="PSNR, dB")
    assert (psnr.head, psnr.axis, psnr.show(27.126), psnr.sign) == ("PSNR dB", "PSNR of the page in dB", "27.13 dB", 1)
    assert psnr.short_head == "PSNR, dB"
    bits = Measure("bpp", "minimize")
    assert (bits.head, bits.short_head, bits.axis, bits.show(0.25), bits.sign) == ("bpp", "bpp", "bpp", "0.250", -1)


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    numbers = [float("inf"), float("nan"), 0.1 + 0.2, *[1 / 3] * 11]
    row = Row("a,b.png", 3, 4, 5, *numbers, "two\nlines", 'a "quote"')
    write_rows([row], tmp_path / "rows.csv")
    assert repr(read_rows(tmp_path / "rows.csv")) == repr([row])


def test_rows_of_before_the_order_of_lines_cost_nothing_are_told_apart(tmp_path: Path) -> None:
    (row,) = [Row("a.png", 3, 4, 5, *[0.5] * 14, "", "", accuracy_words=0.25)]
    write_rows([row], tmp_path / "rows.csv")
    table = list(csv.DictReader((tmp_path / "rows.csv").read_text().splitlines()))
    later = {"accuracy_words", "order", "measuring_version", *BANDS_PX}
    with (tmp_path / "old.csv").open("w") as file:
        writer = csv.DictWriter(file, [name for name in table[0] if name not in later], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(table)
    (old,) = read_rows(tmp_path / "old.csv")
    assert (row.measuring_version, old.measuring_version) == (MEASURING_VERSION, 1)
    assert (old.accuracy, math.isnan(old.accuracy_words), old.order) == (0.5, True, "")


def test_the_mean_of_rows_is_over_what_is_finite() -> None:
    row = Row("a.png", 3, 4, 5, 1.0, 1.0, float("nan"), float("inf"), *[0.5] * 10, "", "")
    found = means([row, Row("b.png", 3, 4, 5, 2.0, 1.0, float("nan"), 30.0, *[0.5] * 10, "", "")])
    assert (found["bpp"], found["psnr_db"]) == (1.5, 30.0)
    assert "bpp_estimated" not in found
