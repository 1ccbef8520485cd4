"""Plans are made beforehand, and nothing depends on when."""

import threading

import numpy as np
import pytest
import torch

from tfic.ocr.rectify import cut_out, places
from tfic.pages.lines import Quad
from tfic.training.ahead import AHEAD, Ahead

QUADS: list[Quad] = [((20, 30), (60, 31), (60, 44), (20, 40)), ((5, 5), (90, 25), (86, 45), (2, 21))]


def test_steps_to_come_are_planned_by_another_thread_while_the_present_one_is_computed() -> None:
    planned: dict[int, int] = {}
    last = threading.Event()

    def make(step: int) -> int:
        planned[step] = threading.get_ident()
        if step == AHEAD:
            last.set()
        return 10 * step

    plans = Ahead(make, steps=9)
    assert plans(0) == 0
    assert last.wait(30)
    assert list(planned) == list(range(AHEAD + 1))
    assert threading.get_ident() not in planned.values()


def test_any_step_can_be_asked_for_and_asked_for_again() -> None:
    plans = Ahead(lambda step: 10 * step, steps=5)
    assert [plans(step) for step in (3, 4, 0, 0, 1, 4)] == [30, 40, 0, 0, 10, 40]


def test_nothing_is_planned_beyond_the_last_step_and_a_failure_is_raised_at_its_own_step() -> None:
    asked: list[int] = []

    def make(step: int) -> int:
        asked.append(step)
        if step == 2:
            raise ValueError("image changed")
        return step

    plans = Ahead(make, steps=3)
    assert [plans(0), plans(1)] == [0, 1]
    with pytest.raises(ValueError, match="image changed"):
        plans(2)
    assert asked == [0, 1, 2]


def test_grids_of_a_device_are_those_of_the_host_within_rounding() -> None:
    where = places(QUADS, 48, 320, 0.7)
    on_device = where.grid_on(torch.device("cpu"), 80, 100)
    assert on_device.dtype == torch.float64
    assert np.abs(on_device.numpy() - where.grid(80, 100)).max() < 1e-12
    pages = torch.rand(1, 3, 80, 100)
    image_of = torch.zeros(2, dtype=torch.int64)
    torch.testing.assert_close(cut_out(pages, image_of, where, on_device), cut_out(pages, image_of, where))
