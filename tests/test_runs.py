"""Reading a store gives what was written, changes nothing, and refuses in one clear line."""

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import made_store
import numpy as np
import pandas as pd
import pytest

from analysis import kept, row_tables, runs
from tfic.measuring.row import Row, write_rows


def test_every_finished_run_is_one_point_and_no_other_is(tracking_uri):
    sweep = runs.load(tracking_uri, "demo")
    assert sorted(sweep.points["trial_key"]) == sorted(each.key for each in made_store.points())
    assert sweep.unfinished == 1
    assert sweep.points["bpp"].is_monotonic_increasing


def test_a_point_carries_its_settings_and_the_means_of_its_rows(tracking_uri):
    points = runs.load(tracking_uri, "demo").points.set_index("trial_key")
    point = points.loc["finetune-l0.003-g0.3"]
    assert (point["kind"], point["family"], point["codec"]) == ("finetune", "TFIC", "tic-tiny")
    assert (point["lmbda"], point["gamma"], point["parent"]) == (0.003, 0.3, "pretrain-l0.003")
    assert point["label"] == "TFIC λ 0.003 γ 0.3"
    index = [each.key for each in made_store.points()].index("finetune-l0.003-g0.3")
    wanted = made_store.means_of(made_store.rows_of(made_store.points()[index], index))
    assert {name: point[name] for name in wanted} == pytest.approx(wanted)
    assert points.at["webp-q15", "label"] == "WebP q 15"


def test_the_uncompressed_reference_has_no_psnr(tracking_uri):
    points = runs.load(tracking_uri, "demo").points.set_index("trial_key")
    assert np.isnan(points.at["uncompressed", "psnr_db"])
    assert points.at["uncompressed", "label"] == "uncompressed"


def test_rows_come_back_as_written_for_every_point_and_image(tracking_uri):
    sweep = runs.load(tracking_uri, "demo")
    rows = runs.rows(sweep)
    assert len(rows) == len(sweep.points) * made_store.IMAGES
    wanted = made_store.rows_of(made_store.points()[0])
    got = rows[rows["trial_key"] == "uncompressed"].reset_index(drop=True)
    assert got["truth"].tolist() == made_store.page_texts()
    assert np.isinf(got["psnr_db"]).all()
    pd.testing.assert_series_equal(got["accuracy"], wanted["accuracy"])


def test_a_page_that_reads_na_or_nothing_stays_text(tmp_path):
    table = made_store.rows_of(made_store.points()[0]).head(3).assign(truth=["NA", "", "nan"], text=["", "null", "1.0"])
    table.to_csv(tmp_path / "rows.csv", index=False)
    got = row_tables.read({"a": tmp_path / "rows.csv"})
    assert got["truth"].tolist() == ["NA", "", "nan"]
    assert got["text"].tolist() == ["", "null", "1.0"]


def test_pictures_come_back_by_image(tracking_uri):
    sweep = runs.load(tracking_uri, "demo")
    found = kept.names(sweep, "jpeg-q5")
    assert found == ["details.json", *(f"test-{number:05d}.png" for number in range(made_store.PICTURES))]
    point = next(each for each in made_store.points() if each.key == "jpeg-q5")
    page = kept.file(sweep, "jpeg-q5", "test-00001.png")
    assert page == made_store.picture(made_store.page_texts()[1], point)


def test_without_a_name_the_most_recent_sweep_is_taken_and_said(tracking_uri):
    sweep = runs.load(tracking_uri)
    assert sweep.name == "demo"
    assert sweep.chosen == "the most recent of demo, older"
    assert runs.load(tracking_uri, "older").chosen == "asked for by name"


@pytest.mark.parametrize("name", ["dmeo", "planned"])
def test_a_sweep_that_is_not_there_names_the_nearest(tracking_uri, name):
    with pytest.raises(ValueError, match=rf"no sweep '{name}'.*did you mean '(demo|older)'\? There are: demo, older"):
        runs.load(tracking_uri, name)


def test_a_missing_store_is_an_error_and_is_not_created(tmp_path):
    file = tmp_path / "mlflow.db"
    with pytest.raises(ValueError, match=r"no tracking store at .*mlflow.db; run `python -m sweep.run` first"):
        runs.load(f"sqlite:///{file}")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path):
    (tmp_path / "empty.db").touch()
    (tmp_path / "text.db").write_text("this is a text file, and quite long enough to be taken for a header " * 3)
    for name in ("empty.db", "text.db"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(ValueError, match="is not a tracking store"):
            runs.load(f"sqlite:///{tmp_path / name}")
        assert (tmp_path / name).read_bytes() == before


def test_reading_leaves_the_store_as_it_is(tracking_uri):
    file = Path(tracking_uri.removeprefix("sqlite:///"))
    before = file.read_bytes()
    runs.rows(runs.load(tracking_uri, "older"))
    assert file.read_bytes() == before


def test_a_server_that_does_not_answer_is_one_line_within_seconds(silent_port):
    start = time.monotonic()
    with pytest.raises(ValueError, match=r"tracking server http://127\.0\.0\.1:\d+ does not answer"):
        runs.load(f"http://127.0.0.1:{silent_port}")
    assert time.monotonic() - start < 10


def test_a_command_fails_in_one_line_with_exit_code_2_and_without_torch(tmp_path):
    code = (
        "import sys; from analysis.__main__ import main; code = main(['report']);"
        "print({'torch', 'cv2', 'onnxruntime', 'ray', 'sweep'} & set(sys.modules)); sys.exit(code)"
    )
    clean = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=clean, check=False
    )
    assert done.returncode == 2
    words = "run `python -m sweep.run` first, or name another --tracking-uri"
    assert done.stderr.strip() == f"error: no tracking store at {tmp_path / 'mlflow.db'}; {words}"
    assert done.stdout.strip() == "set()"
    assert list(tmp_path.iterdir()) == []


def test_rows_as_a_measurement_writes_them_come_back_with_what_is_not_known_and_not_finite(tmp_path: Path) -> None:
    row = Row("a.png", 4, 3, 9, 6.0, 5.0, math.nan, math.inf, *(0.5,) * 10, truth="NA", text="")
    write_rows([row], tmp_path / "rows.csv")
    (read,) = row_tables.read({"a": tmp_path / "rows.csv"}).to_dict("records")
    assert math.isnan(read["bpp_estimated"])
    assert read["psnr_db"] == math.inf
    assert (read["bpp"], read["truth"], read["text"]) == (6.0, "NA", "")
