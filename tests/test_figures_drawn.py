"""Figures that need many fine-tunings, or some against other readers, are drawn in a browser as they are computed."""

from pathlib import Path

import made_store
import pytest
from made_browser import Opened, open_report
from mlflow import MlflowClient
from playwright.sync_api import Browser

from analysis import report, runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def opened(browser: Browser, tmp_path_factory: pytest.TempPathFactory, laid_out) -> Opened:
    folder: Path = tmp_path_factory.mktemp("many")
    uri = laid_out(folder / "mlflow.db")
    made_store.log_sweep(MlflowClient(tracking_uri=uri), "demo", made_store.many(), folder, 0)
    report.write(runs.load(uri, "demo"), folder / "report.html")
    return open_report(browser, folder / "report.html")


def test_surface_importance_and_transfer_are_drawn_without_an_error(opened) -> None:
    page, said, _ = opened
    marks = {"surface": ".contourlayer path", "importance": ".barlayer path", "transfer": ".heatmaplayer image"}
    for name, mark in marks.items():
        plot = page.locator(f"#figure-{name}")
        plot.scroll_into_view_if_needed()
        page.wait_for_selector(f"#figure-{name} {mark}", state="attached")
        box = plot.bounding_box()
        assert box is not None
        assert box["width"] > 200
        assert box["height"] > 150
    assert said == []


def test_the_figures_show_what_is_in_the_tables_beside_them(opened) -> None:
    page, _, _ = opened
    drawn = page.evaluate(
        "() => [...document.getElementById('figure-transfer')._fullData[0].z].flatMap((row) => [...row])"
    )
    told = page.evaluate(
        """() => [...document.querySelectorAll("#readers table.compact tbody td:nth-child(3)")].map(
          (cell) => Number(cell.firstChild.textContent.trim().replace("\u2212", "-")))"""
    )
    assert len(told) == 4
    assert [round(value, 3) for value in drawn] == told
    tuned = page.evaluate(
        """() => document.getElementById("figure-surface")._fullData.find((trace) => trace.type === "scatter")
          .customdata.length"""
    )
    assert tuned == 18
    assert "They also differ in readers, which it takes together." in page.locator("#surface").inner_text()
    shares = page.evaluate("() => document.getElementById('figure-importance')._fullData.map((bar) => [...bar.x])")
    assert all(abs(sum(pair) - 1) < 1e-9 for pair in zip(*shares, strict=True))


def test_controls_show_their_intervals_as_what_is_compared_with_them_does(opened) -> None:
    page, _, _ = opened
    bars = page.evaluate(
        """() => Object.fromEntries(document.getElementById("figure-accuracy-bpp")._fullData
          .filter((trace) => trace.customdata).map((trace) => [trace.name, trace.error_y.visible]))"""
    )
    assert bars == {"TFIC": True, "control": True, "baseline": True}
