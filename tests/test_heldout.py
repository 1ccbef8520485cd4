"""Which readers a verdict needs, what they say, and what is refused."""

import made_store
import numpy as np
import pandas as pd
import pytest

from analysis import claims, pareto, readers, report, select, verdict
from analysis.best import best_pair
from analysis.judged import Judged, judged
from analysis.judged import verdict as sentence
from analysis.stats import Interval
from analysis.sweep_data import SweepData

WON, LOST, OPEN = Interval(0.1, 0.05, 0.2, 24), Interval(-0.1, -0.2, -0.05, 24), Interval(0.0, -0.1, 0.1, 24)


def data(needed=None, **columns):
    """The made-up sweep in which further readers read TFIC's codecs as given, and all others with 0.5."""

    def change(rows, point):
        own = point.kind == "finetune"
        return rows.assign(**{f"accuracy_{name}": value if own else 0.5 for name, value in columns.items()})

    points, rows = made_store.world(made_store.points(), change)
    means = rows.groupby("trial_key").mean(numeric_only=True)
    for name in columns:
        points[f"accuracy_{name}"] = points["trial_key"].map(means[f"accuracy_{name}"])
    return SweepData(points, rows, needed=needed)


def said(shown):
    return verdict.sentences(shown, best_pair(shown))


def test_a_verdict_is_positive_only_where_no_reader_that_it_needs_reads_significantly_less():
    assert "Verdict: positive: the lead is significant, and Tesseract does not read significantly less." in said(data())
    both = data(easyocr=0.9, gocr=0.1)
    no = [each for each in said(both) if each.startswith("Verdict: not positive, for GOCR (−0.40 [−0.40, −0.40])")]
    assert len(no) == 1
    assert any("EasyOCR sees a gain too" in each and "GOCR reads less, so" in each for each in said(both))
    named = data({"easyocr": "accuracy_easyocr"}, easyocr=0.9, gocr=0.1)
    assert "Verdict: positive: the lead is significant, and EasyOCR does not read significantly less." in said(named)
    nobody = data({})
    assert "Verdict: open, for no held-out reader took part." in said(nobody)


def test_a_verdict_is_open_where_a_reader_that_it_needs_did_not_measure_both_codecs():
    both = data(easyocr=0.9, gocr=0.1)
    lacks = both.rows["trial_key"].str.startswith("pretrain")
    for name in ("easyocr", "gocr"):
        both.rows.loc[lacks, f"accuracy_{name}"] = np.nan
    (told,) = [each for each in said(both) if each.startswith("Verdict")]
    assert told.startswith("Verdict: open, for EasyOCR and GOCR did not measure both codecs; `python -m sweep.run`")
    lacking = data(easyocr=0.9)
    lacking.rows.loc[lacks, "accuracy_easyocr"] = np.nan
    trained = SweepData(lacking.points.assign(trained_against="ppocrv6-small+easyocr"), lacking.rows)
    assert any(each.startswith("Verdict: positive") for each in said(trained)), "it does not judge its own codec"


@pytest.mark.parametrize(
    ("gain", "differences", "begins"),
    [
        (WON, [WON, OPEN], "Verdict: positive: the lead is significant, and none of a and b reads"),
        (WON, [LOST, OPEN], "Verdict: not positive, for a (−0.10 [−0.20, −0.05]) reads significantly less."),
        (WON, [LOST, LOST], "Verdict: not positive, for a (−0.10 [−0.20, −0.05]) and b (−0.10 [−0.20, −0.05]) read "),
        (OPEN, [WON, WON], "Verdict: not positive, for no lead of the training reader is significant."),
        (None, [WON, WON], "Verdict: not positive, for no lead"),
    ],
)
def test_each_reader_s_consent_counts(gain, differences, begins):
    each = [Judged(name, difference) for name, difference in zip("ab", differences, strict=True)]
    assert sentence(gain, each).startswith(begins)


def test_a_reader_that_a_codec_was_trained_against_does_not_judge_it():
    names = {"tesseract": "accuracy_heldout", "easyocr": "accuracy_easyocr"}
    tuned = pd.Series({"trained_against": "ppocrv6-small+0.5*easyocr"})
    assert readers.judges(names, tuned) == {"tesseract": "accuracy_heldout"}
    assert readers.judges(names, pd.Series({"trained_against": "ppocrv6-small"})) == names


def test_claim_3_needs_every_reader_that_the_verdict_needs():
    def third(**columns):
        points = made_store.points(gain=8.0, heldout_gain=8.0)

        def change(rows, point):
            own = {name: value if point.kind == "finetune" else 0.5 for name, value in columns.items()}
            return rows.assign(**{f"accuracy_{name}": value for name, value in own.items()})

        made, rows = made_store.world(points, change)
        return claims.judge(SweepData(made.assign(accuracy_gocr=0.5), rows))[2]

    assert third(gocr=0.9).status == "confirmed"
    assert third(gocr=0.1).status == "refuted"
    assert "GOCR sees −0.40" in third(gocr=0.1).reason


def test_what_the_runs_record_is_needed_and_asking_goes_before_it():
    columns = ("accuracy", "accuracy_heldout", "accuracy_gocr", "accuracy_legere")
    points = pd.DataFrame({name: [0.5] for name in columns})
    every = ["tesseract", "legere", "gocr"]
    recorded = pd.DataFrame({"eval.heldout": ["True", "False"], "eval.readers": ["gocr", None]})
    assert list(readers.heldout(points, pd.DataFrame())) == every
    assert list(readers.heldout(points, recorded)) == ["tesseract", "gocr"]
    assert list(readers.heldout(points, recorded.assign(**{"eval.heldout": "False"}))) == ["gocr"]
    assert readers.heldout(points, recorded, "legere, tesseract") == {
        "legere": "accuracy_legere",
        "tesseract": "accuracy_heldout",
    }


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ("nobody", "there is no reader 'nobody' to judge by; there are: tesseract, easyocr, ppocrv4"),
        ("gocr", "gocr measured nothing in this sweep, those that did: tesseract; `python -m sweep.run --heldout tes"),
        (" ,", "--heldout names no reader; give some of tesseract"),
    ],
)
def test_an_unknown_or_unmeasured_reader_is_one_line_with_exit_code_2_and_nothing_is_written(
    tracking_uri, tmp_path, capsys, names, why
):
    out = tmp_path / "report.html"
    common = ["--name", "demo", "--tracking-uri", tracking_uri, "--heldout", names]
    for command, more in ((report.main, ["--out", str(out)]), (pareto.main, []), (select.main, ["--max-bpp", "1"])):
        assert command([*common, *more]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.count("\n") == 1
        assert why in told.err
    assert not out.exists()


def test_select_says_what_held_out_readers_lose_by_the_choice(tracking_uri, capsys):
    common = ["--name", "demo", "--tracking-uri", tracking_uri]
    assert select.main([*common, "--min-accuracy", "0.55", "--max-bpp", "0.28"]) == 0
    told = capsys.readouterr().out
    assert "finetune-l0.001-g0.3): bpp 0.121" in told
    assert "Against its baseline at equal rate (0.121 bpp): Tesseract does not read significantly less" in told


def test_a_difference_of_readers_pairs_images_and_leaves_out_who_read_none():
    _, rows = made_store.world(made_store.points(), lambda rows, _: rows.assign(accuracy_gocr=np.nan))
    names = {"tesseract": "accuracy_heldout", "gocr": "accuracy_gocr"}
    (one,) = judged(rows, names, {"avif-q35": 1.0, "avif-q5": -0.5, "avif-q15": -0.5})
    table = rows.pivot(index="image", columns="trial_key", values="accuracy_heldout")
    assert one.reader == "Tesseract"
    others = table[["avif-q5", "avif-q15"]].mean(axis=1)
    assert one.difference.value == pytest.approx((table["avif-q35"] - others).mean())


def test_the_points_show_the_readers_that_are_named(tracking_uri, capsys):
    assert pareto.main(["--tracking-uri", tracking_uri, "--name", "demo", "--heldout", "tesseract"]) == 0
    assert "accuracy, held-out" in capsys.readouterr().out
