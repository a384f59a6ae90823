"""Branch: a record that begins as another one."""

from __future__ import annotations

from .audio_store import AudioStore
from .event_store import EventStore
from .header import Header
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
        self._max_chunks, self._max_events = record._max_chunks, record._max_events
        store = EventStore(self._max_events)
        for event in record.since(0, events):
            store.append(event)
        first = 0 if self._max_chunks is None else max(0, chunks - self._max_chunks)
        while first < chunks and not record.keeps(first):
            first += 1
        audio = AudioStore(self._max_chunks, first)
        for chunk in range(first, chunks):
            samples = record.chunk_audio(chunk)
            if samples is not None:
                audio.hold(samples)
        # Without a chunk nothing is shared: the branch begins a session of its own.
        self._begin_with(record.header if chunks else Header(), store, audio)
