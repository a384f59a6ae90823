"""Branch: a record that begins as another one."""

from __future__ import annotations

from .record import SessionRecord


class BranchRecord(SessionRecord):
    """Record in memory that shares the first events and the first audio of another record, without a copy.

    Parameters
    ----------
    record
        Record that it begins as.
    events, chunks
        Number of the events and of the chunks of audio that both share.

    Examples
    --------
    >>> branch = BranchRecord(record, events=10, chunks=3)
    """

    def __init__(self, record: SessionRecord, events: int, chunks: int) -> None:
        super().__init__()
        self._max_chunks = record._max_chunks
        self.settings = record.settings
        self._events = record.since(0, events)
        self._chunks_heard = chunks
        first = 0 if self._max_chunks is None else max(0, chunks - self._max_chunks)
        kept = {chunk: record.chunk_audio(chunk) for chunk in range(first, chunks)}
        self._audio = {chunk: samples for chunk, samples in kept.items() if samples is not None}
