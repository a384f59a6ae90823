"""`PastChunks`: the events of a session's chunks up to now, read from its record when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from ..protocol import Chunk
from ..record.record import SessionRecord


class PastChunks(Sequence[Chunk]):
    """The first chunk events of a record that may grow meanwhile: its past never changes, so nothing is copied.

    Parameters
    ----------
    record
        Record of one session.
    count
        Number of chunks.
    """

    def __init__(self, record: SessionRecord, count: int) -> None:
        self._record, self._count = record, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Chunk: ...

    @overload
    def __getitem__(self, place: slice) -> list[Chunk]: ...

    def __getitem__(self, place: int | slice) -> Chunk | list[Chunk]:
        found = range(self._count)[place]
        if isinstance(found, range):
            return [self._record.chunk_event(chunk) for chunk in found]
        return self._record.chunk_event(found)
