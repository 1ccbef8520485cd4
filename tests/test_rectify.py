"""Crops show what stands inside the quadrilateral, upright, and pass gradients to it alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tfic.ocr.ppocr import Alphabet
from tfic.ocr.rectify import boxes, places, rectify, width_at, with_margin
from tfic.pages.lines import Line, Quad
from tfic.training.reading import KnownFormat, plan_reading

UPRIGHT: Quad = ((20, 30), (60, 30), (60, 40), (20, 40))
TURNED: Quad = ((60, 40), (20, 40), (20, 30), (60, 30))


def test_the_margin_grows_along_the_line_s_own_axes_by_a_share_of_its_height() -> None:
    grown = with_margin(UPRIGHT, 0.2)
    assert np.allclose(grown, [(18, 28), (62, 28), (62, 42), (18, 42)])
    slanted: Quad = ((0, 0), (30, 40), (22, 46), (-8, 6))
    assert np.allclose(np.linalg.norm(with_margin(slanted, 0.1)[0] - with_margin(slanted, 0.1)[3]), 12)


def test_the_width_keeps_the_proportions() -> None:
    height, width = 10 * 1.24, 40 + 2 * 0.12 * 10
    assert width_at(UPRIGHT, 48) == int(np.ceil(48 * width / height))


def test_an_upright_crop_at_its_own_size_is_the_page_s_own_pixels() -> None:
    page = torch.rand(1, 3, 80, 100)
    quad: Quad = ((20, 30), (60, 30), (60, 55), (20, 55))
    margin = with_margin(quad)
    height, width = (round(float(each)) for each in (margin[3, 1] - margin[0, 1], margin[1, 0] - margin[0, 0]))
    assert (height, width) == (31, 46)
    crop = rectify(page, [quad], [0], height, width)
    torch.testing.assert_close(crop[0], page[0, :, 27 : 27 + 31, 17 : 17 + 46], rtol=0, atol=1e-3)


def test_text_that_stands_on_its_head_is_turned_round() -> None:
    page = torch.rand(1, 3, 80, 100)
    upright, turned = (rectify(page, [quad], [0], 48, 180) for quad in (UPRIGHT, TURNED))
    width = width_at(UPRIGHT, 48)
    torch.testing.assert_close(turned[..., :width], upright[..., :width].flip(2, 3), rtol=0, atol=1e-4)


def test_each_line_is_cut_from_its_own_page_and_padded_with_mid_grey() -> None:
    pages = torch.stack([torch.zeros(3, 80, 100), torch.ones(3, 80, 100)])
    crops = rectify(pages, [UPRIGHT, UPRIGHT], [1, 0], 48, 320)
    width = width_at(UPRIGHT, 48)
    torch.testing.assert_close(crops[0, :, :, :width], torch.ones(3, 48, width))
    assert crops[1, :, :, :width].unique().tolist() == [0.0]
    assert crops[:, :, :, width:].unique().tolist() == [0.5]


def test_a_line_longer_than_the_crop_is_squeezed_into_it() -> None:
    page = torch.zeros(1, 3, 80, 100)
    page[..., 55:] = 1
    crop = rectify(page, [UPRIGHT], [0], 48, 60)
    assert crop[0, 0, 24, 0] == 0
    assert crop[0, 0, 24, 59] == 1


def test_gradients_stay_inside_the_line() -> None:
    page = torch.rand(1, 3, 80, 100, requires_grad=True)
    rectify(page, [UPRIGHT], [0], 48, 180).sum().backward()
    assert page.grad is not None
    assert page.grad[0, :, 31:39, 21:59].min() > 0
    assert page.grad[0, :, :26].abs().max() == 0
    assert page.grad[0, :, :, 64:].abs().max() == pytest.approx(0)


def test_boxes_turn_no_line_and_hold_all_of_a_slanted_one() -> None:
    page = torch.rand(1, 3, 80, 100)
    upright, turned = (rectify(page, [quad], [0], 48, 180, transform=boxes) for quad in (UPRIGHT, TURNED))
    assert torch.equal(upright, turned)
    torch.testing.assert_close(upright, rectify(page, [UPRIGHT], [0], 48, 180))
    slanted: Quad = ((20, 20), (60, 40), (56, 48), (16, 28))
    around: Quad = ((16, 20), (60, 20), (60, 48), (16, 48))
    assert torch.equal(rectify(page, [slanted], [0], 48, 180, transform=boxes), rectify(page, [around], [0], 48, 180))
    assert boxes([], 48, 180).to_page.shape == (0, 3, 3)


def test_a_reader_is_trained_against_through_its_own_transformation() -> None:
    own = KnownFormat(48, 8, Alphabet("a"), transform=boxes)
    for reader, quad in ((own, UPRIGHT), (replace(own, transform=places), TURNED)):
        seen = plan_reading(reader, [(0, Line("a", TURNED))], range(1))
        assert seen is not None
        assert np.allclose(seen.where.to_page[0] @ (0, 0, 1), [*with_margin(quad)[0], 1], atol=1e-4)
