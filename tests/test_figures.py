"""What plotly is given to draw."""

import made_store
import numpy as np
import pytest

from analysis import figures, reader_figures
from analysis.best import best_pair
from analysis.front import OBJECTIVES, front_of
from analysis.sweep_data import SweepData, lossy


@pytest.fixture(scope="module")
def world():
    return made_store.world(made_store.points())


def drawn(figure):
    """The traces of a figure as plain values."""
    return [trace.to_plotly_json() for trace in figure.data]


def test_the_reference_is_a_line_and_the_text_itself_a_star(world):
    points, rows = world
    figure = figures.rate_figure(points, rows, "accuracy", text_bpp=0.004)
    reference = points[points["kind"] == "uncompressed"].iloc[0]["accuracy"]
    assert any(shape.y0 == shape.y1 == reference for shape in figure.layout.shapes)
    star = next(trace for trace in drawn(figure) if trace.get("name", "").startswith("upper bound"))
    assert (list(star["x"]), list(star["y"])) == ([0.004], [reference])
    assert figure.layout.xaxis.range[0] < np.log10(0.004)


def test_there_is_no_reference_line_for_psnr(world):
    assert not figures.rate_figure(*world, "psnr_db").layout.shapes


def test_a_line_leads_from_each_baseline_to_what_was_tuned_from_it(world):
    points, rows = world
    trace = next(
        each for each in drawn(figures.rate_figure(points, rows, "accuracy")) if each.get("name") == "fine-tuned from"
    )
    known = points.set_index("trial_key")
    starts = {known.at[key, "bpp"] for key in ("pretrain-l0.001", "pretrain-l0.003", "pretrain-l0.01")}
    assert set(trace["x"][0::3]) == starts
    assert len(trace["x"]) == 3 * 6


@pytest.mark.parametrize(
    ("x", "y", "third"),
    [("bpp", "accuracy", "psnr_db"), ("bpp", "psnr_db", "accuracy"), ("psnr_db", "accuracy", "bpp")],
)
def test_a_front_figure_shows_every_codec_with_the_third_objective_as_colour(world, x, y, third):
    points, _ = world
    marks = [trace for trace in drawn(figures.front_figure(points, x, y, third)) if trace["mode"] == "markers"]
    assert sum(len(trace["text"]) for trace in marks) == len(lossy(points))
    assert all(trace["marker"]["coloraxis"] == "coloraxis" for trace in marks)


def test_the_3d_figure_enlarges_exactly_the_front(world):
    points, _ = world
    codecs = lossy(points)
    mask = front_of([codecs[name] for name in OBJECTIVES], list(OBJECTIVES.values()))
    sizes = [size for trace in drawn(figures.space_figure(points)) for size in trace["marker"]["size"]]
    assert sizes.count(max(sizes)) == mask.sum()
    assert len(sizes) == len(codecs)


def test_pages_go_from_the_greatest_loss_to_the_greatest_gain(world):
    best = best_pair(SweepData(*world))
    before, after = drawn(reader_figures.pages_figure(world[1], best.tuned, best.baseline))[-2:]
    gains = np.array(after["y"]) - np.array(before["y"])
    assert (np.diff(gains) >= 0).all()
    assert len(gains) == made_store.IMAGES


def test_an_empty_sweep_of_the_reference_alone_still_draws():
    points, rows = made_store.world(made_store.points()[:1])
    figures.rate_figure(points, rows, "accuracy", 0.01).to_json()
    figures.front_figure(points, "bpp", "accuracy", "psnr_db").to_json()
    figures.space_figure(points).to_json()
