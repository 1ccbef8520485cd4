"""The report is one file that needs nothing else and shows everything."""

import dataclasses
import html
import re
from html.parser import HTMLParser

import made_store
import pytest
from refusals import refused

from analysis import __main__ as commands
from analysis import claims, palette, pareto, report, runs
from analysis.sweep_data import SweepData


@pytest.fixture(scope="module")
def page(tracking_uri):
    return report.page(runs.load(tracking_uri, "demo"))


@pytest.fixture(scope="module")
def body(page):
    """The report without its scripts, which hold the whole of plotly.js."""
    return re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


@pytest.fixture(scope="module")
def text(body):
    """The report as its reader sees it: no tags, no entities."""
    return html.unescape(re.sub(r"<[^>]*>", "", body))


class Loads(HTMLParser):
    """Collects what a browser would fetch for a page."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("src", "srcset", "poster", "data") or (tag == "link" and name == "href"):
                self.found.append(value)


def test_the_report_loads_nothing_from_outside(page):
    loads = Loads()
    loads.feed(page)
    assert loads.found, "the pictures are there"
    assert all(each.startswith("data:image/png;base64,") for each in loads.found)
    style = re.search(r"<style>(.*?)</style>", page, flags=re.DOTALL).group(1)
    assert "url(" not in style
    assert "@import" not in style


def test_plotly_is_in_the_file_once(page):
    assert page.count(report.figures.plotly_js()[-400:]) == 1
    assert len(page.encode()) < 8_000_000


def test_every_id_is_given_once_and_every_link_leads_to_one(body):
    ids = re.findall(r'\bid="([^"]+)"', body)
    assert len(ids) == len(set(ids)) > 15
    assert set(re.findall(r'href="#([^"]+)"', body)) <= set(ids)


def test_every_claim_is_there_with_its_decision_and_numbers(tracking_uri, body, text):
    sweep = runs.load(tracking_uri, "demo")
    judged = claims.judge(SweepData(sweep.points, runs.rows(sweep)))
    assert len(judged) == 6
    for claim in judged:
        assert claim.text in text
        assert claim.reason in text
        assert f">{claim.status}</td>" in body


def test_every_point_is_in_the_table(body):
    for point in made_store.points():
        assert body.count(f'<tr data-key="{point.key}"') == 1


def test_the_verdict_comes_first_and_names_both_codecs(body):
    said = re.search(r'<div class="verdict"><p>(.*?)</p>', body).group(1)
    assert "TFIC (λ 0.003, γ 1) reads" in said
    assert "for the baseline at" in said
    assert body.index('class="verdict"') < body.index("<section")


def test_pictures_stand_beside_each_other_with_what_was_read(body, text):
    rows = re.findall(r'<div class="pictures">(.*?)</div>', body, flags=re.DOTALL)
    assert len(rows) == 3
    truths = [" / ".join(text.splitlines()) for text in made_store.page_texts()[: made_store.PICTURES]]
    assert sum(f"True text: {truth}\n" in text for truth in truths) == 3
    for row in rows:
        assert row.count("<figure>") == 4
        assert "<mark>" in row
        assert re.search(r"\d\.\d{3} bpp, [\d.]+ dB, reads \d\.\d\d", row)


def test_what_made_it_is_told(body):
    for wanted in (
        "0123abc",
        "torch 2.15.0, compressai 1.2.8",
        "demo (asked for by name)",
        f"<dd>{made_store.IMAGES}; {made_store.IMAGES} drawn images, measured by version 1</dd>",
    ):
        assert wanted in body


def test_the_bound_of_sending_the_text_is_stated(text):
    assert "Upper bound: OCR on the device, which sends the text instead of an image, would take 0.0071 bpp" in text
    assert "The star is\nthe upper bound" in text


def test_every_mark_of_a_family_is_drawn_in_the_key():
    source, _, _ = report.environment().loader.get_source(report.environment(), "fronts.html.j2")
    assert set(palette.SYMBOLS.values()) <= set(re.findall(r'^  "([\w-]+)": ', source, flags=re.MULTILINE))


def test_a_sweep_of_baselines_alone_makes_a_report_too(tracking_uri):
    page = report.page(runs.load(tracking_uri, "older"))
    assert "nothing to decide" in page
    assert "not testable here" in page


def test_the_command_writes_the_file_and_says_which_sweep(tracking_uri, tmp_path, capsys):
    out = tmp_path / "front.html"
    assert report.main(["--tracking-uri", tracking_uri, "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert capsys.readouterr().out.strip() == f"{out}: 19 points of sweep demo (the most recent of demo, older)"


def test_a_folder_that_is_not_there_is_one_line_and_nothing_is_read(tmp_path, capsys):
    assert (
        report.main(["--tracking-uri", "sqlite:////nowhere/mlflow.db", "--out", str(tmp_path / "no" / "r.html")]) == 2
    )
    assert capsys.readouterr().err == f"error: there is no folder {tmp_path / 'no'} to write r.html in; make it first\n"


def test_a_file_that_cannot_be_written_is_one_line(tracking_uri, tmp_path, capsys):
    out = tmp_path / "adir.html"
    out.mkdir()
    words = f"error: {out} cannot be written (Is a directory); make room there or name another place\n"
    refused(report.main, ["--tracking-uri", tracking_uri, "--out", out], words, capsys)
    words = f"{'x' * 300}: File name too long; name another place\n"
    refused(report.main, ["--tracking-uri", tracking_uri, "--out", tmp_path / ("x" * 300) / "r.html"], words, capsys)


def test_an_unknown_sweep_is_one_line_with_exit_code_2(tracking_uri, capsys):
    for command in (report.main, pareto.main):
        assert command(["--tracking-uri", tracking_uri, "--name", "dmo"]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "did you mean 'demo'?" in error


def test_the_front_door_knows_its_commands(capsys):
    assert commands.main(["--help"]) == 0
    assert "report" in capsys.readouterr().out
    assert commands.main(["reprot"]) == 2
    assert "usage" in capsys.readouterr().err


def test_a_name_with_html_in_it_is_shown_and_not_obeyed(tracking_uri):
    sweep = dataclasses.replace(runs.load(tracking_uri, "older"), name="<script>alert('a & b')</script>")
    page = report.page(sweep)
    assert "<title>&lt;script&gt;alert(&#39;a &amp; b&#39;)&lt;/script&gt;" in page
    assert "<script>alert" not in page
