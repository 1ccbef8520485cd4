"""The look of a scan: seeded, and its truth moves along."""

import numpy as np
import pytest

from tfic.importing.scan_look import SCAN, ScanLook, look_of
from tfic.pages.lines import Line, Page


def marked() -> Page:
    """A white page with one black bar, which is its line, and a grey one, which is not to be read."""
    image = np.full((200, 300, 3), 255, np.uint8)
    image[40:60, 30:250] = 0
    image[140:150, 100:280] = 128
    bar = ((30.0, 40.0), (250.0, 40.0), (250.0, 60.0), (30.0, 60.0))
    grey = ((100.0, 140.0), (280.0, 140.0), (280.0, 150.0), (100.0, 150.0))
    return Page("a.png", image, (Line("bar", bar),), ignored=(grey,))


@pytest.mark.parametrize("seed", range(3))
def test_truth_lies_where_the_page_has_it_after_the_warp(seed: int) -> None:
    scanned = ScanLook(skew_deg=8, seed=seed).of(marked())
    corners = np.array(scanned.lines[0].quad)
    down = corners[1] - corners[0]
    assert abs(down[1]) > 1, "askew"
    height, width = scanned.size_px
    assert (corners >= 0).all()
    assert (corners <= [width, height]).all()
    for quad, most in ((scanned.lines[0].quad, 30), (scanned.ignored[0], 150)):
        x, y = np.array(quad).mean(axis=0)
        assert scanned.image[int(y), int(x)].max() < most
    dark_y, dark_x = np.nonzero(scanned.image[..., 0] < 60)
    assert np.allclose([dark_x.mean() + 0.5, dark_y.mean() + 0.5], corners.mean(axis=0), atol=1)
    assert np.allclose([dark_x.min(), dark_x.max() + 1], [corners[:, 0].min(), corners[:, 0].max()], atol=1.5)


def test_angle_and_grain_depend_on_seed_and_name_alone() -> None:
    look, page = ScanLook(2, 0.5, 8, 50, seed=3), marked()
    assert np.array_equal(look.of(page).image, look.of(page).image)
    assert not np.array_equal(
        look.of(page).image[:200, :300], ScanLook(2, 0.5, 8, 50, seed=4).of(page).image[:200, :300]
    )
    other = Page("b.png", page.image, page.lines)
    assert look.of(other).lines != look.of(page).lines


@pytest.mark.parametrize(
    ("look", "changed"),
    [
        (ScanLook(blur_px=1.0), True),
        (ScanLook(noise=5.0), True),
        (ScanLook(jpeg_quality=20), True),
        (ScanLook(), False),
    ],
)
def test_each_part_changes_the_pixels_and_not_the_truth(look: ScanLook, changed: bool) -> None:
    page, seen = marked(), look.of(marked())
    assert np.array_equal(seen.image, page.image) is not changed
    assert (seen.lines, seen.ignored) == (page.lines, page.ignored)


def test_a_command_line_changes_single_values_of_the_usual_look() -> None:
    assert look_of(True, None, None, None, None, 0) == SCAN
    assert look_of(True, None, None, 9.0, 0, 7) == ScanLook(SCAN.skew_deg, SCAN.blur_px, 9.0, 0, 7)
    assert look_of(False, None, None, None, 30, 0) == ScanLook(jpeg_quality=30)
    with pytest.raises(ValueError, match="skew is 45; it must be between 0"):
        look_of(False, 45, None, None, None, 0)
