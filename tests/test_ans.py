"""What is pushed is popped, whatever it is; what was never pushed is noticed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfic.codec.ans import LONGEST_ESCAPE, Stack, Tables

TABLES = Tables([np.array([1, 2, 1]), np.array([3, 2, 1]), np.array([1, 9, 30, 9, 1, 1])], np.array([0, -3, -2]))
LIMIT = 1 << LONGEST_ESCAPE - 1


@given(st.lists(st.tuples(st.integers(4 - LIMIT, LIMIT - 4), st.integers(0, 2))))
def test_any_values_come_back_from_the_bytes(pairs: list[tuple[int, int]]) -> None:
    values = np.array([value for value, _ in pairs], np.int32)
    indexes = np.array([index for _, index in pairs], np.uint8)
    stack = Stack()
    stack.push(values, indexes, TABLES)
    again = Stack(stack.tobytes())
    assert np.array_equal(again.pop(indexes, TABLES), values)
    assert again.is_empty()


def test_the_last_pushed_is_the_first_popped() -> None:
    stack = Stack()
    indexes = np.zeros(3, np.uint16)
    for value in (0, 1):
        stack.push(np.full(3, value, np.int32), indexes, TABLES)
    assert [list(stack.pop(indexes, TABLES)) for _ in range(2)] == [[1, 1, 1], [0, 0, 0]]


def test_likely_values_cost_what_their_frequency_says() -> None:
    rng = np.random.default_rng(0)
    indexes = rng.integers(0, 2, 100_000).astype(np.uint8)
    values = np.where(indexes == 0, rng.integers(0, 2, 100_000), -2).astype(np.int32)
    listed = np.where(indexes == 0, np.where(values == 0, 1 / 4, 2 / 4), 1 / 3)
    stack = Stack()
    stack.push(values, indexes, TABLES)
    assert 8 * len(stack.tobytes()) == pytest.approx(-np.log2(listed).sum(), rel=1e-3)


def test_a_value_beyond_the_escape_is_refused() -> None:
    with pytest.raises(ValueError, match="quantiser steps from all that is likely cannot"):
        Stack().push(np.array([4 * LIMIT], np.int32), np.zeros(1, np.uint8), TABLES)


@pytest.mark.parametrize(("data", "words"), [(b"12345", "whole words"), (b"1234\0\0\0\0", "zero word")])
def test_bytes_that_are_no_stack_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Stack(data)


def test_symbols_that_were_never_pushed_leave_no_empty_stack() -> None:
    indexes = np.zeros(10, np.uint8)
    stack = Stack()
    stack.push(np.ones(10, np.int32), indexes, TABLES)
    again = Stack(stack.tobytes())
    again.pop(indexes[:7], TABLES)
    assert not again.is_empty()
