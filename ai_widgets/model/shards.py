"""Tensors of safetensors files, read and written in pieces, so that no more than a piece is ever held twice."""

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
"""Bytes that are read, converted and placed at a time."""
WINDOW = 128 * 2**20
"""Bytes after which a file's map is made anew: what was read through a map counts as the process's memory until the
map is closed."""
FLOATING = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
"""The formats that weights may have, as safetensors calls them."""
STORED_NAMES = {dtype: name for name, dtype in FLOATING.items()}


@dataclass(frozen=True)
class Stored:
    """A tensor in a file, not read yet.

    Attributes
    ----------
    name
        Its name in the model.
    kind
        Its number format as the file calls it; a key of `FLOATING` where it is fit for weights.
    source
        The file, for errors.
    read
        Gives rows ``[first, last)``; the whole of a tensor without dimensions.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    source: Path
    read: Callable[[int, int], Tensor]

    @property
    def itemsize(self) -> int:
        return FLOATING[self.kind].itemsize if self.kind in FLOATING else 1

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return math.prod(self.shape) * self.itemsize

    def named(self, name: str) -> Stored:
        """The same tensor under another name."""
        return replace(self, name=name)

    def part(self, name: str, first: int, last: int) -> Stored:
        """Some of the rows, as a tensor of its own."""
        read = self.read
        return replace(
            self,
            name=name,
            shape=(last - first, *self.shape[1:]),
            read=lambda start, end: read(first + start, first + end),
        )

    def pieces(self) -> Iterator[tuple[int, int, Tensor]]:
        """First row, last row + 1, values; in order."""
        rows = self.shape[0] if self.shape else 1
        step = max(1, PIECE // max(1, self.size // max(1, rows)))
        for first in range(0, rows, step):
            last = min(first + step, rows)
            yield first, last, self.read(first, last)


class Shard:
    """One safetensors file. Its header is checked when it is made; its tensors are read when they are asked for."""

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
    """Ask the system to bring a part of a file into memory; a hint, which not every system knows."""
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
        In the order in which they are to stand.
    dtype
        What they are converted to.

    Yields
    ------
    int
        Bytes of the source that were written just now.
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
    """Refuse what is not a number, or none that `dtype` can hold: a damaged file looks like that."""
    if rows.numel() == 0:
        return
    low, high = torch.aminmax(rows)
    largest = max(-float(low), float(high))
    if not largest <= torch.finfo(dtype).max:
        raise CheckpointError(
            f"{one.source} is damaged: {one.name} contains {largest:g}, which {str(dtype)[6:]} cannot represent."
        )
