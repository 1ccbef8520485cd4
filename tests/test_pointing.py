"""Pointing at a codec in a figure of the report shows its pictures, in a browser."""

from pathlib import Path

import pytest
from made_browser import Opened, middle, open_report
from playwright.sync_api import Browser

from analysis import report, runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def opened(browser: Browser, tracking_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """The report of the made-up sweep."""
    file: Path = tmp_path_factory.mktemp("report") / "report.html"
    report.write(runs.load(tracking_uri, "demo"), file)
    return open_report(browser, file)


def test_pointing_at_a_codec_shows_its_reconstruction_beside_the_original(opened) -> None:
    page, _, _ = opened
    page.evaluate(
        """() => pointedAt({ points: [{ customdata: "avif-q15" }], event: { clientX: 300, clientY: 300 } })"""
    )
    assert page.locator("#card img").evaluate_all("all => all.map((img) => img.dataset.key)") == [
        "uncompressed",
        "avif-q15",
    ]
    assert page.locator("#card").is_visible()
    assert page.locator("#card img").evaluate_all("all => all.every((img) => img.src.startsWith('data:image/webp'))")
    listening = page.evaluate(
        """() => [...document.querySelectorAll(".js-plotly-plot")].filter(
          (plot) => plot.data.some((trace) => Array.isArray(trace.customdata)) &&
            !plot._ev.listenerCount("plotly_hover")).length"""
    )
    assert listening == 0
    page.evaluate("() => { card.hidden = true; }")


def test_the_mouse_over_a_mark_brings_that_codec_and_away_from_it_nothing_stays(opened) -> None:
    page, said, _ = opened
    middle(page, "#figure-accuracy-bpp")
    x, y = page.evaluate(
        """() => { const plot = document.getElementById("figure-accuracy-bpp"), box = plot.getBoundingClientRect();
          const trace = plot._fullData.find((each) => (each.customdata ?? []).includes("jpeg-q35"));
          const place = trace.customdata.indexOf("jpeg-q35"), { xaxis, yaxis } = plot._fullLayout;
          return [box.left + xaxis._offset + xaxis.d2p(trace.x[place]),
            box.top + yaxis._offset + yaxis.d2p(trace.y[place])]; }"""
    )
    page.mouse.move(x - 3, y - 3)
    page.mouse.move(x, y, steps=3)
    page.wait_for_selector("#card:not([hidden])")
    assert page.locator("#card img").evaluate_all("all => all.map((img) => img.dataset.key)")[-1] == "jpeg-q35"
    box = page.locator("#card").bounding_box()
    assert box is not None
    assert abs(box["x"] - x) < 60 or abs(box["x"] + box["width"] - x) < 60
    page.mouse.move(2, 2)
    page.wait_for_selector("#card", state="hidden")
    assert said == []


def test_a_figure_in_space_says_no_place_and_the_card_stands_where_the_mouse_was_last(opened) -> None:
    page, said, _ = opened
    x, y = middle(page, "#figure-front-space")
    page.mouse.move(x, y)
    page.evaluate(
        """() => { const plot = document.getElementById("figure-front-space");
          card.hidden = true;
          plot.emit("plotly_hover", { points: [{ customdata: "avif-q15" }] }); }"""
    )
    assert page.locator("#card").is_visible()
    box = page.locator("#card").bounding_box()
    assert box is not None
    assert abs(box["x"] - x) < 60 or abs(box["x"] + box["width"] - x) < 60
    assert box["y"] < y < box["y"] + box["height"]
    page.evaluate("() => { card.hidden = true; }")
    page.mouse.move(2, 2)
    assert said == []
