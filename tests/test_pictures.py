"""Pictures for comparison: where they are cut, and how errors of reading are marked."""

import io

import numpy as np
import pandas as pd
from PIL import Image

from analysis.pictures import LARGEST_PX, Piece, Shown, busiest, crop, marked
from analysis.report import environment


def png(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_a_small_page_is_shown_whole():
    assert busiest(png(np.zeros((40, 90, 3), np.uint8))) == (0, 0, 90, 40)


def test_a_large_page_is_cut_where_it_changes_most():
    pixels = np.full((700, 900, 3), 200, np.uint8)
    pixels[420:600, 520:760:2] = 0
    left, top, right, bottom = busiest(png(pixels))
    assert (right - left, bottom - top) == (LARGEST_PX, LARGEST_PX)
    assert left <= 520
    assert right >= 760
    assert top <= 420
    assert bottom >= 600


def test_a_crop_keeps_the_pixels():
    pixels = np.random.default_rng(0).integers(0, 255, (30, 30, 3), dtype=np.uint8)
    cut = np.asarray(Image.open(io.BytesIO(crop(png(pixels), (5, 10, 25, 30)))))
    assert (cut == pixels[10:30, 5:25]).all()


def test_what_was_read_right_is_plain_and_what_was_not_is_marked():
    assert marked("same", "same") == [Piece("same", False)]
    assert marked("Tota1", "Total") == [Piece("Tota", False), Piece("1", True)]
    assert marked("ab", "abc") == [Piece("ab", False), Piece("", False), Piece("\u2038", True)]
    assert marked("abcx", "abc") == [Piece("abc", False), Piece("x", True)]


def test_what_is_marked_in_one_place_is_one_piece():
    assert marked("aXYZe", "abe") == [Piece("a", False), Piece("XYZ", True), Piece("e", False)]
    assert marked("", "word") == [Piece("", False), Piece("\u2038", True)]


def test_a_long_text_is_marked_in_time():
    """Of its square, as a text of 60,000 characters had it, `make check` stops a test (`conftest.LIMIT_S`)."""
    rng = np.random.default_rng(0)
    truth = "".join(rng.choice(list("abcdefgh \n"), 60_000))
    read = "".join(letter for letter in truth if rng.random() > 0.1)
    pieces = marked(read, truth)
    assert "".join(piece.text for piece in pieces if piece.text != "\u2038") == read
    assert sum(len(piece.text) for piece in pieces if not piece.wrong) > 0.95 * len(read)
    assert sum(piece.wrong for piece in pieces) > 3000


def figure(read, truth):
    """A picture of the report with its caption, as HTML."""
    row = pd.Series({"psnr_db": np.inf, "bpp": 0.5, "accuracy": 0.0, "text": read, "truth": truth})
    return environment().get_template("macros.html.j2").module.picture(Shown("JPEG q 5", b"", row))


def test_errors_are_marked_in_the_caption_and_html_in_a_text_is_text():
    assert "<pre>&lt;b&gt;Tota<mark>1</mark></pre>" in figure("<b>Tota1", "<b>Total")
    assert "<pre>two\nlines</pre>" in figure("two\nlines", "two\nlines")


def test_a_page_of_which_nothing_was_read_says_so():
    text = figure("", "word")
    assert "<em>nothing</em>" in text
    assert "inf" not in text
    assert "0.500 bpp, reads 0.00" in text
