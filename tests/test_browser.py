"""The report in a browser, Debian's chromium: it draws without an error, asks for nothing, and everything is linked."""

import io
import math
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import made_store
import pypdfium2
import pytest
from made_browser import Opened, brush, open_report
from made_restarts import Server
from mlflow import MlflowClient
from playwright.sync_api import Browser, Page

from analysis import report, runs
from tfic.measuring.row import MEASURES

pytestmark = pytest.mark.slow
LEAST_FIGURES = 8
MARGIN_PT = 13 / 25.4 * 72 - 2
"""The margin of a printed page in points, less what a letter may reach beyond its line."""
POINTS = {each.key: each for each in made_store.points()}


@pytest.fixture(scope="module")
def opened(browser: Browser, tracking_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """The report of the made-up sweep."""
    file: Path = tmp_path_factory.mktemp("report") / "report.html"
    report.write(runs.load(tracking_uri, "demo"), file)
    return open_report(browser, file)


def drawn(page: Page) -> dict[str, dict[str, list[float]]]:
    """For each figure x and y of every codec in it, by trial key."""
    found: dict[str, dict[str, list[float]]] = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll(".js-plotly-plot")].map((plot) => [plot.id,
          Object.fromEntries(plot._fullData.flatMap((trace) => (Array.isArray(trace.customdata) ? trace.customdata : [])
            .map((key, place) => [key, [trace.x[place], trace.y[place]]])))]))"""
    )
    return found


def table(page: Page) -> dict[str, dict[str, float]]:
    """The numbers in the table of points by trial key and head of the column, of the rows that are shown."""
    found: dict[str, dict[str, float]] = page.evaluate(
        """() => {
          const heads = [...document.querySelectorAll("table.points th")].map((head) => head.textContent);
          const rows = [...document.querySelectorAll("tr[data-key]")].filter((row) => !row.hidden);
          return Object.fromEntries(rows.map((row) => [row.dataset.key, Object.fromEntries([...row.cells].map(
            (cell, place) => [heads[place], cell.dataset.value ? Number(cell.dataset.value) : null]))]));
        }"""
    )
    return found


def test_on_paper_everything_lies_between_the_margins_and_each_page_of_a_table_has_its_head(
    browser: Browser, tracking_uri: str, tmp_path: Path
) -> None:
    sweep = runs.load(tracking_uri, "demo")
    points = sweep.points
    unmeasured = {name: points["accuracy"] for name in MEASURES if points[name].isna().all()}
    report.write(replace(sweep, points=points.assign(**unmeasured)), tmp_path / "wide.html")
    page, said, _ = open_report(browser, tmp_path / "wide.html")
    tables = 0
    for paper, landscape in (("Letter", False), ("A4", False), ("A4", True)):
        sheets = page.pdf(format=paper, landscape=landscape, print_background=True)
        document = pypdfium2.PdfDocument(io.BytesIO(sheets))
        for number, sheet in enumerate(document, start=1):
            width, height = sheet.get_size()
            for each in sheet.get_objects(max_depth=1):  # a figure that goes on with the next page lies outside of both
                left, bottom, right, top = each.get_bounds()
                assert min(left, bottom, width - right, height - top) > -1, (paper, number)
            text = sheet.get_textpage()
            for left, bottom, right, top in map(text.get_charbox, range(text.count_chars())):
                if right > left:
                    inside = min(left, bottom, width - right, height - top)
                    assert inside > MARGIN_PT, (paper, number, text.get_text_bounded(left, bottom, right, top))
            if re.search(r"(\d\.\d{3}\s+){8}", text.get_text_range()):  # rows of the table of points
                tables += 1
                assert "legere" in text.get_text_range(), (paper, number)
    assert tables > 3, "the table has two pages of one paper at least"
    assert said == []
    page.close()  # it would go on drawing beside the others


def test_a_report_of_a_store_that_a_server_holds_is_whole(
    browser: Browser, tmp_path: Path, laid_out: Callable[[Path], str]
) -> None:
    server = Server(tmp_path, laid_out(tmp_path / "server.db"))
    server.start()
    try:
        server.wait()
        few = [each for each in made_store.points() if each.quality in (None, 5) and each.lmbda != 0.01]
        made_store.log_sweep(MlflowClient(tracking_uri=server.uri), "demo", few, tmp_path / "made", 0, held=True)
        shutil.rmtree(tmp_path / "made")
        assert report.main(["--tracking-uri", server.uri, "--out", str(tmp_path / "report.html")]) == 0
    finally:
        server.kill()
    page, said, asked = open_report(browser, tmp_path / "report.html")
    assert page.locator(".js-plotly-plot .main-svg").count() >= LEAST_FIGURES
    assert set(table(page)) == {each.key for each in few}
    assert page.locator(".pictures figure img").count() > 0
    page.select_option("#gallery-page", "1")
    page.select_option("#gallery-first", "jpeg-q5")
    page.wait_for_function("""() => [...document.querySelectorAll("#gallery-pictures img")].length === 3 &&
      [...document.querySelectorAll("#gallery-pictures img")].every((img) => img.naturalWidth > 0)""")
    assert page.locator("#gallery-pictures strong").all_text_contents()[:2] == ["uncompressed", "JPEG q 5"]
    assert said == []
    assert [url for url in asked[1:] if not url.startswith(("data:", "blob:"))] == []
    page.close()  # as above


def test_it_draws_every_figure_without_an_error_and_asks_for_nothing(opened) -> None:
    page, said, asked = opened
    figures = page.locator(".js-plotly-plot")
    assert figures.count() >= LEAST_FIGURES
    assert page.locator(".js-plotly-plot .main-svg").count() >= LEAST_FIGURES
    assert said == []
    assert [url for url in asked[1:] if not url.startswith(("data:", "blob:"))] == []


def test_figures_show_the_numbers_of_the_table(opened) -> None:
    page, _, _ = opened
    rows, figures = table(page), drawn(page)
    assert set(rows) == set(POINTS)
    for figure, (x, y) in {"figure-accuracy-bpp": ("bpp", "accuracy"), "figure-front-bpp-psnr_db": ("bpp", "PSNR dB"),
                           "figure-front-space": ("bpp", "accuracy")}.items():  # fmt: skip
        assert set(figures[figure]) == set(POINTS) - {"uncompressed"}
        for key, (drawn_x, drawn_y) in figures[figure].items():
            assert math.isclose(drawn_x, rows[key][x], rel_tol=1e-6), (figure, key)
            assert math.isclose(drawn_y, rows[key][y], rel_tol=1e-6), (figure, key)


def test_a_range_of_an_axis_filters_the_table_and_the_marks_of_every_figure_until_it_is_let_go(opened) -> None:
    page, _, _ = opened
    brush(page, "gamma", 0.9, 1.0)
    kept = {key for key, point in POINTS.items() if point.gamma == 1.0}
    assert set(table(page)) == kept
    assert page.locator("#parallel .codec:not(.out)").count() == len(kept)
    assert page.locator("#kept").text_content() == f"{len(kept)} of {len(POINTS)} codecs shown."
    shown = page.evaluate(
        """() => [...document.querySelectorAll(".js-plotly-plot")].map((plot) => plot.data.flatMap((trace) =>
          !Array.isArray(trace.customdata) ? [] : trace.customdata.filter((key, place) => trace.selectedpoints
            ? trace.selectedpoints.includes(place) : trace.type === "scatter3d" && trace.marker.size[place] > 0)))
          .filter((keys) => keys.length)"""
    )
    assert len(shown) >= 6
    assert all(set(keys) == kept for keys in shown)
    page.locator("#clear").click()
    assert set(table(page)) == set(POINTS)
    assert page.locator("#parallel .codec.out").count() == 0


def test_the_gallery_shows_two_codecs_and_the_original_with_the_errors_of_reading(opened) -> None:
    page, _, _ = opened
    page.select_option("#gallery-page", "1")
    page.select_option("#gallery-first", "jpeg-q5")
    second = page.locator("#gallery-second option").evaluate_all("all => all.map((option) => option.value)")
    rates = {key: each["bpp"] for key, each in table(page).items()}
    apart = [abs(math.log(rates[key] / rates["jpeg-q5"])) for key in second]
    assert apart == sorted(apart)
    page.select_option("#gallery-second", second[0])
    titles = page.locator("#gallery-pictures strong").all_text_contents()
    assert len(titles) == 3
    assert titles[:2] == ["uncompressed", "JPEG q 5"]
    assert page.locator("#gallery-pictures img").evaluate_all("all => all.every((img) => img.naturalWidth > 0)")
    assert "~" in "".join(page.locator("#gallery-pictures figure:nth-child(2) mark").all_text_contents())
    readers = page.locator("#gallery-pictures figure:nth-child(2) .reader").all_text_contents()
    assert readers == ["the training reader", "Tesseract"]
    truth = made_store.page_texts()[1].replace("\n", " / ")
    assert page.locator("#gallery-truth").text_content() == f"True text: {truth}"


def test_the_gallery_shows_where_the_bits_went_where_codecs_tell(opened) -> None:
    page, said, _ = opened
    page.select_option("#gallery-page", "1")
    page.select_option("#gallery-first", "finetune-l0.01-g1")
    page.select_option("#gallery-second", "pretrain-l0.01")
    assert page.locator("#gallery-pictures canvas").count() == 0
    page.check("#gallery-bits")
    assert page.locator("#gallery-pictures canvas").count() == 2, "the original has no bits"
    covers = """() => [...document.querySelectorAll("#gallery-pictures .look")].slice(1).every((look) =>
      Math.abs(look.querySelector("canvas").clientWidth - look.querySelector("img").clientWidth) <= 2)"""
    page.wait_for_function(covers)
    alpha = page.evaluate(
        """() => { const canvas = document.querySelector("#gallery-pictures canvas");
          const of = (x, y) => canvas.getContext("2d").getImageData(x, y, 1, 1).data[3];
          return [of(2, 1), of(12, 1)]; }"""
    )
    assert alpha[1] > 0
    assert alpha[0] > 3 * alpha[1], "a block with text has more bits than one without"
    page.select_option("#gallery-first", "jpeg-q5")
    page.select_option("#gallery-second", "webp-q5")
    assert page.locator("#gallery-bits").is_disabled()
    assert page.locator("#gallery-pictures canvas").count() == 0
    page.select_option("#gallery-first", "finetune-l0.01-g1")
    page.uncheck("#gallery-bits")
    assert said == []


def test_on_paper_figures_have_its_width_and_after_it_that_of_the_screen(opened) -> None:
    page, said, _ = opened
    width = "() => document.getElementById('figure-accuracy-bpp')._fullLayout.width"
    before = page.evaluate(width)
    page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(width) == 680
    page.evaluate("() => window.dispatchEvent(new Event('afterprint'))")
    page.wait_for_function(f"() => ({width})() === {before}")
    assert said == []


def test_in_dark_surroundings_figures_are_dark_and_codecs_keep_their_colours(opened) -> None:
    page, said, _ = opened
    look = """() => { const plot = document.getElementById("figure-accuracy-bpp");
      return [plot._fullLayout.paper_bgcolor, plot._fullData.find((trace) => trace.name === "AVIF").marker.color]; }"""
    light = page.evaluate(look)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "() => document.getElementById('figure-accuracy-bpp')._fullLayout.paper_bgcolor !== '#ffffff'"
    )
    assert page.evaluate(look) == ["#16181b", light[1]]
    page.emulate_media(color_scheme="light")
    page.wait_for_function(
        "() => document.getElementById('figure-accuracy-bpp')._fullLayout.paper_bgcolor === '#ffffff'"
    )
    assert said == []


def test_a_phone_scrolls_down_and_not_sideways(opened) -> None:
    page, _, _ = opened
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
