"""Families are told apart by their colours, whatever cones an eye has, and by their marks."""

import itertools

import made_store
import numpy as np
import pytest

from analysis import figures, reader_figures
from analysis.best import best_pair
from analysis.palette import COLOURS, IN_SPACE, SYMBOLS
from analysis.sweep_data import SweepData

LEAST = 9.0
"""Distance of two colours, CIE76: about four times the least difference that eyes see side by side (2.3)."""
EYES = {
    "all cones": np.eye(3),
    "no red cones": np.array([
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ]),
    "no green cones": np.array([
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881],
    ]),
}  # fmt: skip
"""What eyes make of linear RGB: Machado, Oliveira and Fernandes, IEEE TVCG 15(6), 2009, severity 1."""
TO_XYZ = np.array([
    [0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041],
])  # fmt: skip
"""sRGB, D65."""
SPACE = {"circle", "circle-open", "cross", "diamond", "diamond-open", "square", "square-open", "x"}
"""The marks that Plotly has in three dimensions."""


def lab(colour: str, eye: np.ndarray) -> np.ndarray:
    """CIELAB of a colour as an eye sees it."""
    srgb = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    part = TO_XYZ @ np.clip(eye @ linear, 0, 1) / TO_XYZ.sum(axis=1)
    f = np.where(part > 216 / 24389, np.cbrt(part), (24389 / 27 * part + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def closest(colours: dict[str, str], eye: np.ndarray) -> tuple[float, str, str]:
    """The two families whose colours are closest to an eye, after their distance."""
    seen = {family: lab(colour, eye) for family, colour in colours.items()}
    return min((float(np.linalg.norm(seen[a] - seen[b])), a, b) for a, b in itertools.combinations(seen, 2))


@pytest.mark.parametrize("eye", EYES)
def test_any_two_families_have_colours_that_every_eye_tells_apart(eye: str) -> None:
    distance, *which = closest(COLOURS, EYES[eye])
    assert distance >= LEAST, which


def test_the_measure_finds_the_colours_that_were_too_close() -> None:
    baseline, avif = {"baseline": "#0072b2"}, {"AVIF, speed 0": "#9a5fb0"}
    assert closest(baseline | avif, EYES["no red cones"])[0] == pytest.approx(0.8, abs=0.1)
    webp, jpeg = {"WebP": "#009e73"}, {"JPEG, text alone": "#8a8478"}
    assert closest(webp | jpeg, EYES["no green cones"])[0] == pytest.approx(1.8, abs=0.1)


def test_no_two_families_share_a_mark_and_in_space_none_shares_mark_and_rim() -> None:
    assert set(SYMBOLS) == set(COLOURS) - {"uncompressed"}
    assert len(set(SYMBOLS.values())) == len(SYMBOLS)
    assert {IN_SPACE.get(mark, mark) for mark in SYMBOLS.values()} <= SPACE
    points, _ = made_store.world(made_store.points())
    drawn = [each.marker for each in figures.space_figure(points).data]
    assert len({(each.symbol, each.line.color) for each in drawn}) == len(drawn) > 4


def test_page_by_page_the_comparator_has_the_colour_and_the_mark_of_its_own_family() -> None:
    for made, family in ((made_store.points(), "baseline"), (made_store.transferred(), "control")):
        data = SweepData(*made_store.world(made))
        best = best_pair(data)
        assert best is not None
        assert best.baseline["family"] == family
        rises, falls, before, after = reader_figures.pages_figure(data.rows, best.tuned, best.baseline).data
        assert (before.marker.color, before.marker.symbol) == (COLOURS[family], SYMBOLS[family])
        assert (after.marker.color, after.marker.symbol) == (COLOURS["TFIC"], SYMBOLS["TFIC"])
        assert (rises.line.color, falls.line.color) == (COLOURS["TFIC"], COLOURS[family])


def test_controls_have_their_intervals_as_the_codecs_that_are_compared_with_them_do() -> None:
    figure = figures.rate_figure(*made_store.world(made_store.transferred()), "accuracy")
    bars = {each.name: each.error_y.visible for each in figure.data if each.name in COLOURS}
    assert bars == {"TFIC": True, "control": True, "baseline": True}
