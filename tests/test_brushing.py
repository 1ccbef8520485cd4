"""Brushing the parallel coordinates: figures and tables show the codecs that are left, and all when let go."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made_store
import numpy as np
import pandas as pd
import pytest
from made_browser import Opened, brush, open_report
from mlflow import MlflowClient
from playwright.sync_api import Browser, Page

from analysis import report, runs
from analysis.bd import envelope
from analysis.best import best_pair
from analysis.curves import front
from analysis.matched import by_image
from analysis.sweep_data import SweepData
from analysis.transfer import matrix

pytestmark = pytest.mark.slow
POINTS = {each.key: each for each in made_store.many()}
HIGH_GAMMA = {key for key, each in POINTS.items() if each.gamma == 3.0}
Plots = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory, laid_out) -> runs.Sweep:
    folder: Path = tmp_path_factory.mktemp("brushed")
    uri = laid_out(folder / "mlflow.db")
    made_store.log_sweep(MlflowClient(tracking_uri=uri), "demo", made_store.many(), folder, 0)
    return runs.load(uri, "demo")


@pytest.fixture(scope="module")
def data(sweep: runs.Sweep) -> SweepData:
    return SweepData(sweep.points, runs.rows(sweep))


@pytest.fixture(scope="module")
def report_page(browser: Browser, sweep: runs.Sweep, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    file: Path = tmp_path_factory.mktemp("report") / "report.html"
    report.write(sweep, file)
    return open_report(browser, file)


@pytest.fixture
def page(report_page: Opened) -> Iterator[Page]:
    """The report with nothing brushed, which a test leaves as it was without a word in the console."""
    page, said, _ = report_page
    before, cells = plots(page), table(page)
    yield page
    page.locator("#clear").click()
    assert plots(page) == before
    assert table(page) == cells
    assert said == []


def plots(page: Page) -> Plots:
    """What is drawn of each trace of every figure."""
    found: Plots = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll(".js-plotly-plot")].map((plot) => [
          plot.id.replace("figure-", ""), plot._fullData.map((trace) => ({
            type: trace.type, name: trace.name, mode: trace.mode, text: trace.text, drawn: trace.visible === true,
            x: [...trace.x], y: [...trace.y],
            z: trace.z && [...trace.z].map((row) => (row?.length ? [...row] : row)),
            keys: plot.data[trace.index].customdata ?? null, meta: trace.meta ?? {},
            bars: trace.error_y?.visible ? [...trace.error_y.array] : null }))]))"""
    )
    return found


def table(page: Page) -> list[list[str]]:
    """The rows of the transfer matrix that are shown."""
    found: list[list[str]] = page.evaluate(
        """() => [...document.querySelectorAll("tr[data-cell]")].filter((row) => row.offsetHeight)
          .map((row) => [...row.cells].map((cell) => cell.textContent.replaceAll("\u2212", "-")))"""
    )
    return found


def with_y(trace: dict[str, Any]) -> list[tuple[float, float]]:
    """The points of a trace that are drawn."""
    return [(x, y) for x, y in zip(trace["x"], trace["y"], strict=True) if y is not None] if trace["drawn"] else []


def chosen(data: SweepData, keys: set[str]) -> pd.DataFrame:
    return data.points[data.points["trial_key"].isin(keys)]


def test_page_by_page_loses_the_codec_that_is_brushed_away_and_the_lines_to_it(page: Page, data: SweepData) -> None:
    best = best_pair(data)
    assert best is not None
    assert (best.baseline["kind"], best.tuned["trial_key"] in HIGH_GAMMA) == ("control", True)
    rises, falls, before, after = plots(page)["pages"]
    assert len(with_y(before)) == len(with_y(after)) == made_store.IMAGES
    assert with_y(rises) + with_y(falls)
    brush(page, "gamma", 0.9, 1.0)
    rises, falls, gone, stays = plots(page)["pages"]
    assert [with_y(each) for each in (rises, falls, gone)] == [[], [], []]
    assert stays == after
    assert page.locator("#figure-pages .legend .traces").count() == 2, "what is gone stays in the legend, in grey"
    brush(page, "gamma", 0.0, 0.6)
    assert not any(with_y(each) for each in plots(page)["pages"])


def test_marks_that_are_brushed_away_vanish_from_the_surface_which_stays_and_says_so(page: Page) -> None:
    surface, marks = plots(page)["surface"]
    assert len(with_y(marks)) == 18
    axes = "() => ['xaxis', 'yaxis'].map((axis) => document.getElementById('figure-surface')._fullLayout[axis].range)"
    ranges = page.evaluate(axes)
    brush(page, "gamma", 0.9, 1.0)
    stays, left = plots(page)["surface"]
    assert stays == surface
    kept = {key for key, y in zip(left["keys"], left["y"], strict=True) if y is not None}
    assert kept == HIGH_GAMMA
    assert page.locator("#figure-surface .scatterlayer .point").count() == len(HIGH_GAMMA)
    assert page.evaluate(axes) == ranges
    assert "fitted to all fine-tunings" in page.locator("#surface h3").first.inner_text()


def test_importance_is_of_all_fine_tunings_and_says_so(page: Page) -> None:
    before = plots(page)["importance"]
    brush(page, "gamma", 0.9, 1.0)
    assert plots(page)["importance"] == before
    told = page.locator("#surface .pair > div").nth(1).inner_text()
    assert "among all fine-tunings" in told
    assert "It is of all 18 fine-tunings, also while axes are brushed" in told


def test_a_cell_of_the_transfer_matrix_is_the_mean_of_the_codecs_that_are_left(page: Page, data: SweepData) -> None:
    brush(page, "gamma", 0.9, 1.0)
    (heat,) = plots(page)["transfer"]
    shown = table(page)
    assert len(shown) == 4
    for (trained, read_by, value, codecs), cell in zip(shown, matrix(data), strict=True):
        assert (trained, read_by.rstrip("*")) == (cell.trained, cell.read_by)
        accuracy = by_image(data.rows, "accuracy" if read_by.startswith("PP") else "accuracy_heldout")
        gains = [
            (accuracy[row["trial_key"]] - sum(share * accuracy[key] for key, share in control.weights.items())).mean()
            for row, control in data.pairs()
            if row["trial_key"] in HIGH_GAMMA & set(cell.gains)
        ]
        drawn = heat["z"][heat["y"].index(trained)][heat["x"].index(cell.read_by)]
        assert drawn == pytest.approx(np.mean(gains), abs=2e-6)
        assert abs(drawn - cell.gain.value) > 1e-3, "another number than that of all"
        assert value == f"{drawn:+.3f} no interval"
        assert codecs == f"{len(gains)} of 9" == "3 of 9"
        assert "3 of 9" in heat["text"][heat["y"].index(trained)][heat["x"].index(cell.read_by)]


def test_a_group_of_which_no_codec_is_left_goes_from_the_transfer_matrix(page: Page) -> None:
    brush(page, "accuracy_heldout", 0.8, 0.95)
    left = {key for key in page.evaluate("() => [...selection.kept]") if POINTS[key].kind == "finetune"}
    assert left
    assert {POINTS[key].against for key in left} == {"easyocr"}
    assert [row[0] for row in table(page)] == ["EasyOCR", "EasyOCR"]
    (heat,) = plots(page)["transfer"]
    assert heat["z"][heat["y"].index("PP-OCRv6")] == [None, None]
    assert None not in heat["z"][heat["y"].index("EasyOCR")]


def test_lines_of_fronts_and_of_the_best_are_those_of_the_codecs_that_are_left(page: Page, data: SweepData) -> None:
    brush(page, "gamma", 0.9, 1.0)
    drawn, left = plots(page), chosen(data, HIGH_GAMMA)
    for x, y in (("bpp", "accuracy"), ("bpp", "psnr_db"), ("psnr_db", "accuracy")):
        line = next(each for each in drawn[f"front-{x}-{y}"] if "best" in each["meta"])
        own = front(left, x, y)
        assert with_y(line) == list(zip(own[x], own[y], strict=True))
    for metric, figure in (("accuracy", "accuracy-bpp"), ("psnr_db", "psnr-bpp")):
        line = with_y(next(each for each in drawn[figure] if "best" in each["meta"]))
        rates, best = envelope(left["bpp"].to_numpy(), left[metric].to_numpy())
        for rate, value in zip(2**rates, best, strict=True):  # the line goes on level to the next step
            assert [y for x, y in line if x <= rate * (1 + 1e-12)][-1] == value
        assert math.isclose(line[-1][0], left["bpp"].max())


def test_curves_intervals_and_origins_of_codecs_that_are_brushed_away_go(page: Page, data: SweepData) -> None:
    brush(page, "lmbda", 0.4, 1.0)
    left = {key for key, each in POINTS.items() if (each.lmbda or 0) > 0.001}
    curves = plots(page)["accuracy-bpp"]
    rates = dict(data.points[["trial_key", "bpp"]].itertuples(index=False))
    for line in (each for each in curves if each["mode"] == "lines" and each["name"] != "fine-tuned from"):
        if "needs" in line["meta"]:
            own = {key for (key,) in line["meta"]["needs"]}
            assert {x for x, _ in with_y(line)} == {rates[key] for key in own & left}
            assert own & left < own
    origins = next(each for each in curves if each["name"] == "fine-tuned from")
    assert len(with_y(origins)) == 2 * len({key for key in left if POINTS[key].kind == "finetune"})
    for marks in (each for each in curves if each["bars"]):
        assert {key for key, bar in zip(marks["keys"], marks["bars"], strict=True) if bar is not None} == left & set(
            marks["keys"]
        )


def test_what_is_brushed_away_stays_so_in_dark_surroundings_and_comes_back_in_light_ones(page: Page) -> None:
    brush(page, "gamma", 0.9, 1.0)
    light, cells = plots(page), table(page)
    paper = "() => document.getElementById('figure-transfer')._fullLayout.paper_bgcolor"
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"() => ({paper})() !== '#ffffff'")
    assert plots(page) == light
    assert table(page) == cells
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"() => ({paper})() === '#ffffff'")
    assert plots(page) == light
