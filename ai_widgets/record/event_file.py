"""`EventFile`: append-only file of events, one line each, that is read by index."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from ..protocol import Event
from .event_json import event_line, event_of

PAGE = 64
"""Events whose place in the file is known by one number: 8 bytes of memory for 64 events."""
CACHED = 16
"""Pages of parsed events that stay in memory, about one minute of a session each."""

BLOCK_BYTES = 1 << 20
"""Size of the blocks in which a file is copied, in bytes."""


class EventFile:
    """Append-only file of events.

    Each event is written immediately with one call: a process that is killed loses at most the event at work.

    Parameters
    ----------
    path
        File. It is created with the first event.

    Attributes
    ----------
    path
        Path of the file.
    """

    # Of the class, so that `close` finds it after an interrupted `__init__`.
    _file: int | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        # Number of events, and offset behind the last one; one tuple, so that an interrupt cannot separate the two.
        self._state = 0, 0
        self._pages: list[int] = []
        self._cache: OrderedDict[int, tuple[Event, ...]] = OrderedDict()
        self._lock = Lock()

    @property
    def count(self) -> int:
        """Number of events in the file."""
        return self._state[0]

    @property
    def end(self) -> int:
        """Offset behind the last event, in bytes."""
        return self._state[1]

    def write(self, event: Event) -> None:
        """Append one event. An interrupted call may be repeated.

        Raises
        ------
        OSError
            If the disk is full or the file cannot be written. The file then ends with a complete event.
        """
        if self._file is None:
            # O_APPEND is not set: an interrupted call may have written its line, and the next one replaces it.
            flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)
            self._file = os.open(self.path, flags, 0o600)
        end = self.end
        if os.lseek(self._file, 0, os.SEEK_END) != end:
            os.ftruncate(self._file, end)
            os.lseek(self._file, end, os.SEEK_SET)
        line = event_line(event)
        if os.write(self._file, line) != len(line):
            os.ftruncate(self._file, end)
            raise OSError("the disk stored only a part of the event")
        self.adopt(end, end + len(line))

    def adopt(self, start: int, end: int) -> None:
        """Count the line from offset `start` to `end` as the next event; the file has it already."""
        count = self._state[0]
        if count % PAGE == 0:
            self._pages[count // PAGE :] = [start]
        self._state = count + 1, end

    def pass_over(self, end: int) -> None:
        """Extend the file's end to offset `end`: the lines before it are of types unknown to this version."""
        self._state = self._state[0], end

    def copy(self, write: Callable[[bytes], object]) -> int:
        """Pass the bytes of all lines to `write`, in blocks, and return the number of events among them.

        Raises
        ------
        OSError
            If the file cannot be read any more.
        """
        count, end = self._state
        if end:
            with self.path.open("rb") as file:
                while end and (block := file.read(min(end, BLOCK_BYTES))):
                    write(block)
                    end -= len(block)
        if end:
            raise OSError(f"{self.path} was changed by another program")
        return count

    def read(self, first: int, last: int) -> list[Event]:
        """Return the events from index `first` to `last` (exclusive), as far as the file has them.

        Raises
        ------
        OSError
            If the file cannot be read any more.
        """
        events: list[Event] = []
        last = min(last, self.count)
        while first < last:
            page, place = divmod(first, PAGE)
            taken = self._page(page)[place : place + last - first]
            if not taken:
                raise OSError(f"{self.path} was changed by another program")
            events += taken
            first += len(taken)
        return events

    def close(self) -> None:
        """Close the file for writing; `read` still works."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _page(self, number: int) -> tuple[Event, ...]:
        with self._lock:
            found = self._cache.get(number)
            if found is not None:
                self._cache.move_to_end(number)
                return found
        count, end = self._state
        complete = (number + 1) * PAGE <= count
        start = self._pages[number]
        stop = self._pages[number + 1] if (number + 1) * PAGE < count else end
        with self.path.open("rb") as file:
            file.seek(start)
            lines = file.read(stop - start).split(b"\n")
        events = tuple(event for event in map(_known, lines) if event is not None)
        if complete:
            with self._lock:
                self._cache[number] = events
                while len(self._cache) > CACHED:
                    self._cache.popitem(last=False)
        return events

    def __del__(self) -> None:
        self.close()


def _known(line: bytes) -> Event | None:
    """Return the event of a line, or None if its type is unknown to this version, or the line is empty."""
    try:
        return event_of(line)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
