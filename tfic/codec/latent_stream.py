"""The stream of a file: symbols of z and y, with y below z. Written and read without PyTorch."""

import zlib

import numpy as np

from tfic.codec.ans import Stack, Tables
from tfic.codec.bitstream import NOT_AT_ITS_END, OTHER_SCALES, BitstreamError, Coded


def write_latents(
    z_symbols: np.ndarray, y_symbols: np.ndarray, indexes: np.ndarray, z_tables: Tables, y_tables: Tables
) -> Coded:
    """Code the latents of one image.

    Args:
        z_symbols: (1, N, h, w) int32; each channel has a table.
        y_symbols: (1, M, h, w) int32.
        indexes: (1, M, h, w) uint8, the table of each element of y.
        z_tables: N tables.
        y_tables: the tables that `indexes` count.

    Raises:
        ValueError: when a symbol is too large to be coded.
    """
    return write_latents_in_parts(z_symbols, [(y_symbols.ravel(), indexes.ravel())], z_tables, y_tables)


def write_latents_in_parts(
    z_symbols: np.ndarray, parts: list[tuple[np.ndarray, np.ndarray]], z_tables: Tables, y_tables: Tables
) -> Coded:
    """Code the latents of one image, y in parts, which are read in their order; the rest as for `write_latents`.

    Args:
        z_symbols: (1, N, h, w) int32; each channel has a table.
        parts: flat symbols and flat indexes of each part.
        z_tables: N tables.
        y_tables: the tables that indexes count.

    Raises:
        ValueError: when a symbol is too large to be coded.
    """
    stack = Stack()
    for symbols, indexes in reversed(parts):
        stack.push(symbols, indexes, y_tables)
    stack.push(z_symbols.ravel(), _channels(z_symbols.shape), z_tables)
    check = 0
    for _, indexes in parts:
        check = zlib.crc32(indexes.tobytes(), check)
    return Coded(stack.tobytes(), check & 0xFFFF)


class LatentReader:
    """Reads z, then y, from the stream of one image."""

    def __init__(self, coded: Coded) -> None:
        """Open a stream.

        Raises:
            BitstreamError: when it is none.
        """
        self._check, self._crc = coded.check, 0
        try:
            self._stack = Stack(coded.stream)
        except ValueError as error:
            raise BitstreamError(f"the file holds {error}") from error

    def read_z(self, shape: tuple[int, int, int, int], tables: Tables) -> np.ndarray:
        """z's symbols, of `shape`; to be read first."""
        return self._stack.pop(_channels(shape), tables).reshape(shape)

    def fits(self, indexes: np.ndarray) -> bool:
        """Return True when the check of the file is that of these `indexes`."""
        return _check(indexes) == self._check

    def read_y(self, indexes: np.ndarray, tables: Tables) -> np.ndarray:
        """y's symbols, of the shape of their `indexes`.

        Raises:
            BitstreamError: when the encoder had other indexes, or the stream does not end where the symbols do.
        """
        if not self.fits(indexes):
            raise BitstreamError(OTHER_SCALES)
        symbols = self._stack.pop(indexes.ravel(), tables)
        self._check_end()
        return symbols.reshape(indexes.shape)

    def read_part(self, indexes: np.ndarray, tables: Tables, last: bool) -> np.ndarray:
        """The symbols of y's next part, flat as their indexes.

        Later parts depend on what is read of earlier ones, so the check can be made at the `last` one only.

        Raises:
            BitstreamError: at the last part, as for `read_y`.
        """
        self._crc = zlib.crc32(indexes.tobytes(), self._crc)
        if last and self._crc & 0xFFFF != self._check:
            raise BitstreamError(OTHER_SCALES)
        symbols = self._stack.pop(indexes, tables)
        if last:
            self._check_end()
        return symbols

    def _check_end(self) -> None:
        if not self._stack.is_empty():
            raise BitstreamError(NOT_AT_ITS_END)


def _channels(shape: tuple[int, ...]) -> np.ndarray:
    """The channel of each element of an (1, N, h, w) tensor, flat."""
    return np.repeat(np.arange(shape[1], dtype=np.uint16), shape[2] * shape[3])


def _check(indexes: np.ndarray) -> int:
    return zlib.crc32(indexes.tobytes()) & 0xFFFF
