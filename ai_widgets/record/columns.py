"""`Columns`: rows of numbers in blocks; a block that is full is compressed.

A session of many hours keeps one row of each event in memory. Rows are addressed by their number, so that an
interrupted `put` may be repeated, and a reader on another thread never gets a partly written row below its count.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

ROWS = 1024
"""Rows of one block: about seven minutes of chunks. A larger block costs more to read a single old row."""
LEVEL = 1
"""Level of zlib: a block is compressed in a few milliseconds, between two chunks of a live session."""

Rows = npt.NDArray[np.void]


class Columns:
    """Growing table of rows with a fixed structure.

    Parameters
    ----------
    dtype
        Structured numpy dtype of one row.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self._blocks: list[Rows | bytes] = []
        self._opened: tuple[int, Rows] | None = None

    def put(self, row: int, values: tuple[Any, ...]) -> None:
        """Store the values of one row: the next one, or the last one again.

        Raises
        ------
        OverflowError, TypeError, ValueError
            If a value does not fit its column; the row is then undefined and may be stored again.
        """
        number, place = divmod(row, ROWS)
        if number == len(self._blocks):
            if number and isinstance(full := self._blocks[-1], np.ndarray):
                self._blocks[-1] = self._packed(full)
            self._blocks.append(np.zeros(ROWS, self.dtype))
        block = self._blocks[number]
        if isinstance(block, bytes):
            raise ValueError(f"Row {row} is in a block that is complete.")
        block[place] = values

    def get(self, row: int) -> tuple[Any, ...]:
        """Return the values of one row as Python numbers."""
        number, place = divmod(row, ROWS)
        values: tuple[Any, ...] = self._block(number)[place].item()
        return values

    def rows(self, count: int) -> Rows:
        """Return the first `count` rows, [count]."""
        blocks = [self._block(number) for number in range(-(-count // ROWS))]
        return np.concatenate(blocks)[:count] if blocks else np.zeros(0, self.dtype)

    @property
    def nbytes(self) -> int:
        """Memory of all blocks, in bytes."""
        return sum(len(block) if isinstance(block, bytes) else block.nbytes for block in self._blocks)

    def _packed(self, block: Rows) -> bytes:
        # Column by column, because the numbers of one column resemble each other.
        return zlib.compress(b"".join(np.ascontiguousarray(block[name]).tobytes() for name in self._names), LEVEL)

    def _block(self, number: int) -> Rows:
        block = self._blocks[number]
        if isinstance(block, np.ndarray):
            return block
        # One old block stays open: rows are mostly read in order.
        opened = self._opened
        if opened is None or opened[0] != number:
            opened = self._opened = number, self._unpacked(block)
        return opened[1]

    def _unpacked(self, packed: bytes) -> Rows:
        data, at = zlib.decompress(packed), 0
        block = np.zeros(ROWS, self.dtype)
        for name in self._names:
            column = self.dtype[name]
            block[name] = np.frombuffer(data, column, ROWS, at)
            at += column.itemsize * ROWS
        return block

    @property
    def _names(self) -> tuple[str, ...]:
        return self.dtype.names or ()
