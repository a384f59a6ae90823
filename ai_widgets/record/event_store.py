"""`EventStore`: all events of a session in bounded memory.

The newest events are in memory. Older ones are read from the event file if there is one; otherwise they are rebuilt
from their rows without details (`event_rows`). Nothing here is locked: one thread appends, any thread reads.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np

from ..protocol import Chunk, Event
from .columns import Columns
from .event_file import EventFile
from .event_json import event_line
from .event_rows import EventRows

MAX_EVENTS = 50_000
"""Complete events kept in memory without a file: more than an hour of chunks, about 60 MB."""
FILED_EVENTS = 4_096
"""Complete events kept in memory beside a file that has all of them: pages request the newest ones again."""
BATCH = 500
"""Events that are read at once while the whole store is copied."""

E = TypeVar("E", bound=Event)


class EventStore:
    """Append-only store of events.

    Parameters
    ----------
    limit
        Number of complete events in memory without a file.
    """

    def __init__(self, limit: int = MAX_EVENTS) -> None:
        self._limit = limit
        self._recent: dict[int, Event] = {}
        self._oldest = 0
        self._kinds: list[EventRows] = []
        self._codes: dict[type[Event], int] = {}
        # Index of the event of each chunk: 8 bytes a chunk.
        self._chunks = array("q")
        self._index = Columns(np.dtype([("kind", "<u1"), ("row", "<u4")]))
        # Number of events, and of those of each kind; one tuple, so that an interrupt cannot separate the two.
        self._state: tuple[int, tuple[int, ...]] = 0, ()
        self._file: EventFile | None = None
        self._filing = False

    def __len__(self) -> int:
        return self._state[0]

    @property
    def reduced(self) -> range:
        """Indices of the events whose details are gone."""
        first = self._file.count if self._file is not None else 0
        return range(first, max(first, self._oldest))

    @property
    def discards(self) -> bool:
        """Whether the next events evict details that are in no file."""
        return not self._filing and len(self) - max(self._oldest, self.reduced.start) >= self._limit

    @property
    def filing(self) -> bool:
        """Whether new events are written to a file."""
        return self._filing

    def file_into(self, file: EventFile, *, writing: bool) -> None:
        """Use a file that has the first events of the store, and write new events to it if asked for."""
        self._file, self._filing = file, writing

    def stop_filing(self) -> None:
        """Write no more events to the file; those that it has are still read."""
        self._filing = False
        if self._file is not None:
            self._file.close()

    def append(self, event: Event) -> None:
        """Append one event. An interrupted call may be repeated.

        Raises
        ------
        OSError
            If the event file cannot be written. The event is not appended then.
        OverflowError, TypeError, ValueError
            If a field has a value of the wrong type or size. The event is not appended then.
        """
        self._rows(event)
        if self._filing and self._file is not None and self._file.count <= len(self):
            self._file.write(event)
        self._commit(event)

    def adopt(self, event: Event, start: int, end: int) -> None:
        """Append an event that is in the file already, from offset `start` to `end`.

        Raises
        ------
        OverflowError, TypeError, ValueError
            If a field has a value of the wrong type or size. The event is not appended then.
        """
        self._rows(event)
        if self._file is not None:
            self._file.adopt(start, end)
        self._commit(event)

    def get(self, first: int, last: int) -> list[Event]:
        """Return the events from index `first` to `last` (exclusive)."""
        first, last = max(0, first), min(last, len(self))
        events: list[Event] = []
        while first < last:
            event = self._recent.get(first)
            if event is not None:
                events.append(event)
                first += 1
                continue
            count = self._file.count if self._file is not None else 0
            if self._file is not None and first < count:
                # Up to the events in memory, or the end of the file.
                found = self._file.read(first, max(first + 1, min(last, count, self._oldest)))
                events += found
                first += len(found)
            else:
                events.append(self._rebuilt(first))
                first += 1
        return events

    def copy(self, write: Callable[[bytes], object]) -> None:
        """Pass the lines of all events to `write`; those of unknown types in the file are included.

        Raises
        ------
        OSError
            If the event file cannot be read.
        """
        last = len(self)
        done = self._file.copy(write) if self._file is not None else 0
        while done < last:
            events = self.get(done, min(last, done + BATCH))
            write(b"".join(map(event_line, events)))
            done += len(events)

    def chunk_index(self, number: int) -> int:
        """Return the index of the event of type `Chunk` with this number among them."""
        return self._chunks[number]

    def each(self, kind: type[E]) -> Iterator[E]:
        """Yield all events of one class, in order."""
        count, rows = self._state
        wanted = [code for code, each in enumerate(self._kinds) if issubclass(each.kind, kind) and code < len(rows)]
        if len(wanted) == 1 and self._kinds[wanted[0]].whole:
            for row in range(rows[wanted[0]]):
                yield self._kinds[wanted[0]].get(row)  # type: ignore[misc]
            return
        codes = self._index.rows(count)["kind"]
        for index in np.flatnonzero(np.isin(codes, wanted)).tolist():
            yield from self.get(index, index + 1)  # type: ignore[misc]

    def count(self, kind: type[Event]) -> int:
        """Return the number of events of one class."""
        rows = self._state[1]
        return sum(count for code, count in enumerate(rows) if issubclass(self._kinds[code].kind, kind))

    def columns(self, kind: type[Event], names: Iterable[str]) -> dict[str, list[Any]] | None:
        """Return fields of all events of a class, or None if the rows do not hold one of them.

        All columns have the same length: they end at the events that are stored when the call begins, also if another
        thread appends meanwhile.
        """
        code = self._codes.get(kind)
        rows = self._state[1]
        if code is None or code >= len(rows):
            return None
        found: dict[str, list[Any]] = {}
        for name in names:
            values = self._kinds[code].column(name, rows[code])
            if values is None:
                return None
            found[name] = values
        return found

    @property
    def nbytes(self) -> int:
        """Memory of the rows of all events, in bytes."""
        return self._index.nbytes + sum(each.nbytes for each in self._kinds)

    def _rows(self, event: Event) -> None:
        kind, (count, rows) = type(event), self._state
        code = self._codes.get(kind)
        if code is None:
            code = len(self._kinds)
            self._kinds[code:] = [EventRows(kind)]
            self._codes[kind] = code
        row = rows[code] if code < len(rows) else 0
        self._kinds[code].put(row, event)
        self._index.put(count, (code, row))
        if kind is Chunk:
            self._chunks[row:] = array("q", (count,))

    def _commit(self, event: Event) -> None:
        count, rows = self._state
        code = self._codes[type(event)]
        padded = rows + (0,) * (code + 1 - len(rows))
        self._recent[count] = event
        self._state = count + 1, (*padded[:code], padded[code] + 1, *padded[code + 1 :])
        kept = FILED_EVENTS if self._file is not None and self._file.count > self._oldest else self._limit
        while self._oldest < count + 1 - kept:
            self._recent.pop(self._oldest, None)
            self._oldest += 1

    def _rebuilt(self, index: int) -> Event:
        code, row = self._index.get(index)
        event: Event = self._kinds[code].get(row)
        return event
