"""The command that names the codec to take: what fits, how sure it is, the nearest miss, and what it refuses."""

import made_store
import pytest

from analysis import __main__ as commands
from analysis import runs, select
from analysis.choice import Wanted, choose, nearest_miss
from analysis.readers import measured, metrics


def answer(capsys, tracking_uri, *arguments):
    """Exit code, lines on stdout and stderr."""
    code = select.main([*arguments, "--name", "demo", "--tracking-uri", tracking_uri])
    said = capsys.readouterr()
    return code, said.out.splitlines(), said.err


def test_the_cheapest_codec_that_reads_so_well_is_named_with_its_interval_and_the_line_that_loads_it(
    tracking_uri, capsys
):
    points = runs.load(tracking_uri, "demo").points
    fit = points[(points["kind"] != "uncompressed") & (points["accuracy"] >= 0.7) & (points["bpp"] <= 0.5)]
    best = fit.sort_values("bpp").iloc[0]
    assert commands.main(
        ["select", "--max-bpp", "0.5", "--min-accuracy", "0.7", "--name", "demo", "--tracking-uri", tracking_uri]
    ) == 0  # fmt: skip
    out = capsys.readouterr().out
    assert f"({best['codec']}, {best['trial_key']}): bpp {best['bpp']:.3f}" in out
    assert f"{len(fit)} of {len(points)} points fit bpp at most 0.5, accuracy at least 0.7" in out
    assert f"interval over {made_store.IMAGES} pages, widened for the choice among {len(fit)}." in out
    assert f'Load it: tfic.load("runs:/{best["run_id"]}", tracking_uri="{tracking_uri}")' in out


def test_a_classical_codec_is_loaded_by_its_quality(tracking_uri, capsys):
    code, lines, _ = answer(capsys, tracking_uri, "--max-encode-ms", "10", "--max-bpp", "0.3")
    assert code == 0
    assert lines[-1] == 'Load it: tfic.measuring.classical.classical("avif", 5)'


def test_where_none_fits_the_nearest_miss_is_named_with_exit_code_1(tracking_uri, capsys):
    code, lines, _ = answer(capsys, tracking_uri, "--max-bpp", "0.1", "--min-accuracy", "0.2")
    assert code == 1
    assert lines[1] == "No codec of 19 points fits bpp at most 0.1, accuracy at least 0.2."
    assert lines[2] == "Nearest miss: baseline λ 0.001 (pretrain-l0.001): bpp 0.108 for a limit of 0.1."


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), "no limit is given; give --max-bpp, --min-accuracy or --max-encode-ms"),
        (("--max-bpp", "-1"), "--max-bpp is -1; it must be a positive number"),
        (("--min-accuracy", "95"), "--min-accuracy is 95; it must lie between 0 and 1, such as 0.95"),
        (
            ("--max-bpp", "1", "--reader", "nobody"),
            "no reader 'nobody' read in this sweep; there are: training, tesseract",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_with_exit_code_2(tracking_uri, capsys, arguments, error):
    code, lines, said = answer(capsys, tracking_uri, *arguments)
    assert (code, lines, said) == (2, [], f"error: {error}\n")


def test_a_store_at_a_place_that_cannot_be_looked_at_is_one_line(tmp_path, capsys):
    code, lines, said = answer(capsys, f"sqlite:///{tmp_path}/{'x' * 300}.db", "--max-bpp", "1")
    assert (code, lines) == (2, [])
    assert said == f"error: {tmp_path}/{'x' * 300}.db: File name too long; name another place\n"


def test_limits_are_held_by_each_codec_and_by_the_reader_that_is_asked_for():
    points, _ = made_store.world(made_store.points())
    points["accuracy_words"] = points["accuracy_from_20px"] = 0.5  # measures of the training reader, no readers
    assert measured(points) == {"training": "accuracy", "tesseract": "accuracy_heldout"}
    limits = Wanted(max_bpp=0.6, min_accuracy=0.5)
    by_heldout = choose(points, limits, "accuracy_heldout")
    assert (by_heldout["accuracy_heldout"] >= 0.5).all()
    assert len(by_heldout) < len(choose(points, limits, "accuracy"))
    assert by_heldout["bpp"].is_monotonic_increasing
    assert choose(points, Wanted(max_bpp=0.3), "accuracy")["accuracy"].is_monotonic_decreasing
    miss = nearest_miss(points, Wanted(min_accuracy=1.0), "accuracy")
    assert miss.point["accuracy"] == points[points["kind"] != "uncompressed"]["accuracy"].max()


def test_a_codec_whose_whole_interval_fits_is_looked_for_among_all_that_fit(tracking_uri, capsys, monkeypatch):
    monkeypatch.setattr("analysis.choice.AT_A_TIME", 2)
    code, lines, _ = answer(capsys, tracking_uri, "--min-accuracy", "0.5")
    assert code == 0
    (sure,) = [line for line in lines if line.startswith("The interval reaches below")]
    assert sure.endswith("is the cheapest whose whole interval is.")
    code, lines, _ = answer(capsys, tracking_uri, "--max-bpp", "0.5")
    assert code == 0
    assert not [line for line in lines if "whole interval" in line], "nobody asked for a least accuracy"


def test_detection_is_a_name_to_choose_by_where_it_was_measured(tracking_uri):
    points = runs.load(tracking_uri, "demo").points
    assert "detection" not in metrics(points)
    found = points.assign(detection_f1=points["accuracy"].where(points["codec"] == "avif") / 2)
    metric = metrics(found)["detection"]
    fitting = choose(found, Wanted(min_accuracy=0.2), metric)
    assert metric == "detection_f1"
    assert set(fitting["codec"]) == {"avif"}
    assert Wanted(min_accuracy=0.2).text(metric) == "detection F1 at least 0.2"
