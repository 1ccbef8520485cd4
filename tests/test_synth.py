"""Drawn images: the same everywhere, with exact truth."""

import hashlib
import subprocess
import sys
from datetime import datetime, tzinfo

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfic.pages.lines import Page, normalise, reading_order
from tfic.synth import DRAWING_VERSION, backgrounds, draw, layouts, texts, typefaces, warp
from tfic.synth.typefaces import SPLITS


@pytest.fixture(scope="module")
def pages() -> list[Page]:
    return [draw(0, split, index) for split in ("train", "test") for index in range(60)]


def digest(pages: list[Page]) -> str:
    return hashlib.sha256(b"".join(page.image.tobytes() + repr(page.lines).encode() for page in pages)).hexdigest()


def inside(quad: object, shape: tuple[int, ...]) -> np.ndarray:
    """The pixels in a quadrilateral, (H, W) bool."""
    mask = np.zeros(shape[:2], dtype=np.uint8)
    cv2.fillConvexPoly(mask, np.rint(np.array(quad) - 0.5).astype(np.int32), (1,))
    return mask > 0


# Pixels


def test_a_version_of_drawing_draws_the_same_pages_for_ever() -> None:
    """Golden: whoever changes them on purpose raises DRAWING_VERSION, and all trials get new keys."""
    found = {split: [draw(0, split, i) for i in range(12)] for split in SPLITS}
    seen = {split: [(page.lines, page.image.mean().round()) for page in pages] for split, pages in found.items()}
    assert DRAWING_VERSION == 4
    assert {
        split: hashlib.sha256("".join(map(repr, each)).encode()).hexdigest()[:16] for split, each in seen.items()
    } == {
        "train": "8e67bccded6eab12",
        "test": "02a82d46881de876",
    }


def test_the_day_on_which_a_page_is_drawn_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """faker's dates end today unless told otherwise, and all of them move with that end."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Later":
            return cls(2044, 2, 29, 12, 0, 0, tzinfo=tz)

    def drawn() -> str:
        return digest([draw(0, "test", index, document_share=0.5) for index in range(40)])

    today = drawn()
    monkeypatch.setattr("faker.providers.date_time.datetime", Later)
    assert drawn() == today


def test_another_process_draws_the_same_pixels_whatever_it_drew_before() -> None:
    code = (
        "import hashlib; from tfic.synth import draw; draw(9, 'test', 5);"
        "pages = [draw(3, 'train', i) for i in (7, 2, 4)];"
        "print(hashlib.sha256(b''.join(p.image.tobytes() + repr(p.lines).encode() for p in pages)).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert other == digest([draw(3, "train", index) for index in (7, 2, 4)])


def test_seed_split_and_index_each_change_the_image() -> None:
    base = draw(0, "train", 0)
    for other in (draw(1, "train", 0), draw(0, "test", 0), draw(0, "train", 1)):
        assert digest([other]) != digest([base])


def test_drawing_does_not_load_torch() -> None:
    code = "import sys, tfic.synth.worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("height_px", "width_px"), [(32, 32), (32, 300), (300, 32), (61, 97), (512, 384)])
def test_any_size_holds_a_line_and_is_of_that_size(height_px: int, width_px: int) -> None:
    for index in range(6):
        page = draw(0, "train", index, height_px, width_px)
        assert page.image.shape == (height_px, width_px, 3)
        assert page.image.dtype == np.uint8
        assert 1 <= len(page.lines) <= layouts.MAX_LINES


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, "valid", 0), "split is 'valid'; it must be one of train, test"),
        ((-1, "train", 0), "seed is -1"),
        ((0, "train", -2), "index is -2"),
        ((0, "train", 0, 31, 64), "64x31 is too small; both sides must be at least 32"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments: tuple[int, str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        draw(*arguments)


# Truth


def test_every_line_lies_inside_the_image_and_clockwise(pages: list[Page]) -> None:
    for page in pages:
        for line in page.lines:
            x, y = np.array(line.quad).T
            assert x.min() >= 0
            assert y.min() >= 0
            assert x.max() <= page.image.shape[1]
            assert y.max() <= page.image.shape[0]
            assert (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() > 0


def test_lines_never_overlap(pages: list[Page]) -> None:
    for page in pages:
        for number, line in enumerate(page.lines):
            for other in page.lines[:number]:
                area, _ = cv2.intersectConvexConvex(np.float32(line.quad), np.float32(other.quad))
                assert area == 0, page.name


def test_one_to_eight_lines_and_each_number_occurs(pages: list[Page]) -> None:
    assert {len(page.lines) for page in pages} == set(range(1, 9))


def test_text_is_printable_ascii_without_stray_blanks(pages: list[Page]) -> None:
    for page in pages:
        for line in page.lines:
            assert line.text
            assert line.text.isascii()
            assert line.text.isprintable()
            assert line.text == normalise(line.text)


def test_reading_order_does_not_hang_on_a_pixel(pages: list[Page]) -> None:
    rng = np.random.default_rng(0)
    for page in pages:
        boxes = [
            type(line)(line.text, tuple(map(tuple, np.array(line.quad) + rng.uniform(-1, 1, size=(4, 2)))))
            for line in page.lines
        ]
        assert [line.text for line in reading_order(boxes)] == [line.text for line in reading_order(page.lines)]


def test_the_ink_fills_its_quad_and_nothing_else() -> None:
    """Black text is all there is on a white page: its outermost pixels are the quad's, to a pixel."""
    faces = typefaces.shipped("train")
    for index in range(12):
        rng = np.random.default_rng(index)
        tan_half = float(rng.uniform(-warp.MAX_TAN_HALF, warp.MAX_TAN_HALF))
        laid = warp.skewed(256, 256, 3, tan_half, rng.uniform(0, warp.MAX_PULL, size=(4, 2)))
        ink = typefaces.typeset(typefaces.pick(rng, faces), 24, "Hx0 g|")
        flat = np.zeros((laid.height_px, laid.width_px), dtype=np.uint8)
        flat[60 : 60 + ink.height, 50 : 50 + ink.width] = ink.coverage
        seen = laid.lay(flat, 0, 0, 256, 256) > 40
        quad = np.array(laid.quad(50, 60, 50 + ink.width, 60 + ink.height))
        rows, columns = np.nonzero(seen)
        assert not (seen & ~inside(laid.quad(49, 59, 51 + ink.width, 61 + ink.height), seen.shape)).any()
        assert columns.min() + 0.5 == pytest.approx(quad[:, 0].min(), abs=4.0)
        assert columns.max() + 0.5 == pytest.approx(quad[:, 0].max(), abs=4.0)
        assert rows.size > 0.1 * ink.width * ink.height


def test_without_a_turn_the_warp_is_a_shift() -> None:
    flat = np.random.default_rng(0).integers(0, 256, size=(40, 50), dtype=np.uint8)
    seen = warp.straight(46, 56, 3).lay(flat, 0, 0, 56, 46)
    assert (seen[3:43, 3:53] == flat).all()
    assert seen.sum() == flat.sum()


@settings(max_examples=50, deadline=None)
@given(
    st.integers(32, 600), st.integers(32, 600), st.floats(-warp.MAX_TAN_HALF, warp.MAX_TAN_HALF),
    st.lists(st.floats(0, warp.MAX_PULL), min_size=8, max_size=8),
)  # fmt: skip
def test_a_skewed_page_never_leaves_its_margin(
    height_px: int, width_px: int, tan_half: float, pulls: list[float]
) -> None:
    laid = warp.skewed(height_px, width_px, 3, tan_half, np.array(pulls).reshape(4, 2))
    x, y = np.array(laid.quad(0, 0, laid.width_px, laid.height_px)).T
    assert x.min() >= 3 - 1e-6
    assert x.max() <= width_px - 3 + 1e-6
    assert y.min() >= 3 - 1e-6
    assert y.max() <= height_px - 3 + 1e-6


def test_skew_reaches_ten_degrees_and_not_much_more() -> None:
    angles = []
    for index in range(150):
        for line in draw(5, "train", index).lines:
            (ax, ay), (bx, by), _, _ = line.quad
            angles.append(abs(np.degrees(np.arctan2(by - ay, bx - ax))))
    assert 8 < max(angles) < 10 + 3.5  # perspective adds a little
    assert np.mean(np.array(angles) < 0.5) > 0.2


# Looks


def test_text_stands_out_from_what_is_around_it(pages: list[Page]) -> None:
    """Between the darkest and the brightest hundredth inside a line, even after blur, shade and grain."""
    spreads = []
    for page in pages:
        luma = cv2.cvtColor(page.image, cv2.COLOR_RGB2GRAY)
        for line in page.lines:
            low, high = np.percentile(luma[inside(line.quad, luma.shape)], [1, 99])
            spreads.append(high - low)
    assert min(spreads) > 20
    assert np.median(spreads) > 70


def test_text_is_dark_on_light_and_light_on_dark(pages: list[Page]) -> None:
    darker = []
    for page in pages:
        luma = cv2.cvtColor(page.image, cv2.COLOR_RGB2GRAY)
        for line in page.lines:
            values = luma[inside(line.quad, luma.shape)].astype(float)
            # Ink covers less than half of its box, so the rarer side is the ink.
            darker.append(np.median(values) > (values.min() + values.max()) / 2)
    assert 0.2 < np.mean(darker) < 0.8


def test_every_layout_fits_its_page_and_keeps_lines_apart() -> None:
    faces = typefaces.shipped("train")
    for name, layout in layouts.LAYOUTS.items():
        made = 0
        for seed in range(20):
            rng, fake = np.random.default_rng(seed), texts.seeded_faker(seed)
            placed = [line for block in layout(rng, fake, faces, 240, 240) for line in block.lines]
            made += bool(placed)
            assert len(placed) <= layouts.MAX_LINES
            for line in placed:
                assert 0 <= line.left < line.right <= 240, name
                assert 0 <= line.top < line.bottom <= 240, name
        assert made >= 15, f"{name} is mostly empty"


def test_a_form_has_label_and_value_on_one_row() -> None:
    rows = 0
    for seed in range(10):
        rng, fake = np.random.default_rng(seed), texts.seeded_faker(seed)
        for block in layouts.form(rng, fake, typefaces.shipped("train"), 240, 240):
            baselines = [line.top + line.ink.rise for line in block.lines]
            rows += sum(baselines.count(each) == 2 for each in set(baselines))
    assert rows >= 15


@pytest.mark.parametrize("name", backgrounds.BACKGROUNDS)
def test_every_background_fills_the_image_and_varies_with_chance(name: str) -> None:
    paint = backgrounds.BACKGROUNDS[name]
    first, again, other = (paint(np.random.default_rng(seed), 37, 53) for seed in (1, 1, 2))
    assert first.shape == (37, 53, 3)
    assert first.dtype == np.uint8
    assert (first == again).all()
    assert (first != other).any()
