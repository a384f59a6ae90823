"""Read and write the tensors of safetensors files in pieces, so that at most one piece is in memory twice."""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import CheckpointError
from .readahead import ReadAhead

PIECE = 8 * 2**20
"""Size of a piece that is read and converted at once, in bytes."""
WINDOW = 128 * 2**20
"""Number of bytes read after which a file is mapped again: pages read through a map count as the process's memory until
the map is closed."""
FLOATING = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
"""Number formats that weights may have, by their names in safetensors."""
STORED_NAMES = {dtype: name for name, dtype in FLOATING.items()}
"""Names of the number formats in safetensors."""


@dataclass(frozen=True)
class Stored:
    """Tensor in a file that is not read yet.

    Attributes
    ----------
    name
        Name in the model.
    shape
        Shape.
    kind
        Number format by the file's name for it; a key of `FLOATING` for valid weights.
    source
        File, for errors.
    read
        Function that reads rows ``[first, last)``, or all of a tensor without dimensions.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    source: Path
    read: Callable[[int, int], Tensor]

    @property
    def itemsize(self) -> int:
        """Size of an element in the file, in bytes."""
        return FLOATING[self.kind].itemsize if self.kind in FLOATING else 1

    @property
    def size(self) -> int:
        """Size in the file, in bytes."""
        return math.prod(self.shape) * self.itemsize

    def named(self, name: str) -> Stored:
        """Return the tensor under another name."""
        return replace(self, name=name)

    def part(self, name: str, first: int, last: int) -> Stored:
        """Return rows ``[first, last)`` as a separate tensor."""
        read = self.read
        return replace(
            self,
            name=name,
            shape=(last - first, *self.shape[1:]),
            read=lambda start, end: read(first + start, first + end),
        )

    def pieces(self) -> Iterator[tuple[int, int, Tensor]]:
        """Yield first row, last row + 1 and values of each piece, in order."""
        rows = self.shape[0] if self.shape else 1
        step = max(1, PIECE // max(1, self.size // max(1, rows)))
        for first in range(0, rows, step):
            last = min(first + step, rows)
            yield first, last, self.read(first, last)


class Shard:
    """Safetensors file with a checked header, whose tensors are read on demand.

    Raises
    ------
    CheckpointError
        If the file is damaged or not a safetensors file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open()
        try:
            names = list(self._file.offset_keys())
            slices = [self._file.get_slice(name) for name in names]
            facts = [(tuple(one.get_shape()), str(one.get_dtype())) for one in slices]
        except (SafetensorError, ValueError, OverflowError) as error:
            raise CheckpointError(f"{path} is damaged: {error}.") from error
        self.stored = [self._stored(name, *fact) for name, fact in zip(names, facts, strict=True)]
        self._ahead = ReadAhead(path)
        self._done = 0

    def _open(self) -> None:
        self._since = 0
        try:
            self._file: Any = safe_open(str(self.path), framework="pt")
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{self.path} is damaged or not a safetensors file: {error}.") from error

    def _stored(self, name: str, shape: tuple[int, ...], kind: str) -> Stored:
        return Stored(name, shape, kind, self.path, lambda first, last: self._rows(name, bool(shape), first, last))

    def _rows(self, name: str, has_rows: bool, first: int, last: int) -> Tensor:
        if self._since >= WINDOW:
            del self._file
            self._open()
        try:
            rows: Tensor = self._file.get_slice(name)[first:last] if has_rows else self._file.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{self.path} changed while it was read: {error}.") from error
        size = rows.numel() * rows.element_size()
        self._since += size
        self._done += size
        self._ahead.advance(self._done)
        return rows


def fetch(path: Path, start: int, count: int) -> None:
    """Advise the operating system to read a part of a file into its cache; no effect where unsupported."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), start, count, os.POSIX_FADV_WILLNEED)


def write_shard(path: Path, tensors: Iterable[Stored], dtype: torch.dtype) -> Iterator[int]:
    """Write tensors as a safetensors file, piece by piece.

    Parameters
    ----------
    path
        The new file.
    tensors
        Tensors, in the order of the file.
    dtype
        Number format of the file.

    Yields
    ------
    int
        Size of the piece just written, in bytes of the source.

    Raises
    ------
    CheckpointError
        If a value is NaN or cannot be represented in `dtype`.
    """
    listed = list(tensors)
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for one in listed:
        start, end = end, end + math.prod(one.shape) * dtype.itemsize
        header[one.name] = {"dtype": STORED_NAMES[dtype], "shape": list(one.shape), "data_offsets": [start, end]}
    words = json.dumps(header, separators=(",", ":")).encode()
    words += b" " * (-len(words) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(words)) + words)
        for one in listed:
            for _, _, piece in one.pieces():
                check_values(piece, dtype, one)
                file.write(piece.to(dtype).contiguous().view(-1).view(torch.uint8).numpy().data)
                yield piece.numel() * piece.element_size()


def check_values(rows: Tensor, dtype: torch.dtype, one: Stored) -> None:
    """Raise an error for NaN and for values that `dtype` cannot represent, which indicate a damaged file.

    Raises
    ------
    CheckpointError
        If there is such a value.
    """
    if rows.numel() == 0:
        return
    low, high = torch.aminmax(rows)
    largest = max(-float(low), float(high))
    if not largest <= torch.finfo(dtype).max:
        raise CheckpointError(
            f"{one.source} is damaged: {one.name} contains {largest:g}, which {str(dtype)[6:]} cannot represent."
        )
