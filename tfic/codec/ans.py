"""Range coding of integers by tables of frequencies, with asymmetric numeral systems; the only user of `constriction`.

A coder is a stack: the value that is pushed last is popped first. Symbols that share a table are coded together, in one
call for each table instead of one step for each symbol: 49,152 symbols take about a millisecond (`make bench`).

Source: Duda, Asymmetric numeral systems (arXiv 1311.2540); Bamler, constriction (arXiv 2201.01741).
"""

import constriction
import numpy as np

LONGEST_ESCAPE = 24
"""Bits of the largest distance from a table that is coded; larger ones are refused."""
_LENGTH = constriction.stream.model.Uniform(LONGEST_ESCAPE)
_DIGITS = constriction.stream.model.Uniform()


class Tables:
    """Frequencies of integers, one table for each index; values that a table does not list are coded with an escape."""

    def __init__(self, frequencies: list[np.ndarray], offsets: np.ndarray) -> None:
        """Take tables.

        Args:
            frequencies: for each index, positive counts of the values offset, offset + 1, ... and, last, of all others.
            offsets: the smallest value listed in each table.
        """
        self._listed = (frequencies, offsets)
        self.models = [constriction.stream.model.Categorical(each / each.sum(), perfect=False) for each in frequencies]
        self.sizes = np.array([len(each) - 1 for each in frequencies], dtype=np.int32)
        self.offsets = offsets.astype(np.int32)

    def __reduce__(self) -> tuple[type["Tables"], tuple[list[np.ndarray], np.ndarray]]:
        return Tables, self._listed  # constriction's models cannot be copied or pickled, a codec that has coded must


class Stack:
    """A stack of coded integers: bytes, in whole words of four."""

    def __init__(self, data: bytes = b"") -> None:
        """Make an empty stack, or the stack that `data` holds.

        Raises:
            ValueError: when no stack ends in these bytes.
        """
        if len(data) % 4:
            raise ValueError(f"a stream of {len(data)} bytes; it must have whole words of 4 bytes")
        words = np.frombuffer(data, dtype="<u4").astype(np.uint32)
        if len(words) and not words[-1]:
            raise ValueError("a stream that ends in a zero word")
        self._coder = constriction.stream.stack.AnsCoder(words)

    def push(self, values: np.ndarray, indexes: np.ndarray, tables: Tables) -> None:
        """Code int32 `values`, each by the table of its index (unsigned integers of 8 or 16 bits).

        Raises:
            ValueError: for a value too far from the table for an escape.
        """
        order, groups = _by_table(indexes, tables)
        symbols = values[order]
        escaped, sizes = [], []
        for table, group in groups:
            part, size = symbols[group], tables.sizes[table]
            part -= tables.offsets[table]
            outside = part.view(np.uint32) >= size  # as an unsigned number a negative one is large
            if outside.any():
                escaped.append(part[outside].astype(np.int64))
                sizes.append(np.full(len(escaped[-1]), size))
                part[outside] = size
        if escaped:
            self._push_escapes(np.concatenate(escaped), np.concatenate(sizes))
        for table, group in reversed(groups):
            self._coder.encode_reverse(symbols[group], tables.models[table])

    def pop(self, indexes: np.ndarray, tables: Tables) -> np.ndarray:
        """The int32 values that were pushed with these indexes and tables."""
        order, groups = _by_table(indexes, tables)
        symbols = np.empty(len(indexes), np.int32)
        escaped, sizes = [], []
        for table, group in groups:
            part, size = symbols[group], tables.sizes[table]
            part[:] = self._coder.decode(tables.models[table], len(part))
            outside = np.flatnonzero(part == size)
            if len(outside):
                escaped.append(group.start + outside)
                sizes.append(np.full(len(outside), size))
        if escaped:
            symbols[np.concatenate(escaped)] = self._pop_escapes(np.concatenate(sizes))
        for table, group in groups:
            symbols[group] += tables.offsets[table]
        values = np.empty(len(indexes), np.int32)
        values[order] = symbols
        return values

    def is_empty(self) -> bool:
        """Return True when everything that was pushed has been popped; after a wrong stream that is very rare."""
        return bool(self._coder.is_empty())

    def tobytes(self) -> bytes:
        """The stack as bytes."""
        return self._coder.get_compressed().astype("<u4").tobytes()

    def _push_escapes(self, symbols: np.ndarray, sizes: np.ndarray) -> None:
        """Code values outside [0, size) as the binary length of their distance, then its digits below the first.

        Even distances are above the table, odd ones below: 2, 4, ... are size, size + 1, ...; 3, 5, ... are -1, -2, ...
        """
        distances = np.where(symbols < 0, 1 - 2 * symbols, 2 * (symbols - sizes) + 2)
        lengths = np.frexp(distances)[1] - 1
        if lengths.max() > LONGEST_ESCAPE:
            raise ValueError(
                f"a latent {int(distances.max()) // 2} quantiser steps from all that is likely cannot be coded; "
                "the codec's weights or the image are far from what it was trained on"
            )
        firsts = 1 << lengths.astype(np.int64)
        self._coder.encode_reverse((distances - firsts).astype(np.int32), _DIGITS, firsts.astype(np.int32))
        self._coder.encode_reverse((lengths - 1).astype(np.int32), _LENGTH)

    def _pop_escapes(self, sizes: np.ndarray) -> np.ndarray:
        firsts = 2 << self._coder.decode(_LENGTH, len(sizes))
        distances = firsts + self._coder.decode(_DIGITS, firsts.astype(np.int32))
        return np.where(distances % 2, (1 - distances) // 2, distances // 2 - 1 + sizes)


def _by_table(indexes: np.ndarray, tables: Tables) -> tuple[np.ndarray, list[tuple[int, slice]]]:
    """The order that groups values by their table, and the slice of each table's group in that order."""
    counts = np.bincount(indexes, minlength=len(tables.models))
    ends = np.cumsum(counts)
    groups = [(int(table), slice(ends[table] - counts[table], ends[table])) for table in np.flatnonzero(counts)]
    return np.argsort(indexes, kind="stable"), groups
