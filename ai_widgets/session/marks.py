"""Marks: the state of a session before each of its newest chunks, so that a fork can go back to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..settings import Settings
from .feed import Taken
from .loop_state import State

MOST = 1500
"""Number of marks: ten minutes, as long as a record keeps audio in memory by default. A mark takes about 4 kB."""


@dataclass(frozen=True)
class Mark:
    """State before one chunk.

    Attributes
    ----------
    state
        State of the loop, without pending audio and without events.
    settings
        Settings that apply to the chunk.
    events
        Number of the record's events before the chunk.
    """

    state: State
    settings: Settings
    events: int

    @staticmethod
    def of(state: State, settings: Settings, events: int) -> Mark:
        """Build the mark of a committed state between two chunks."""
        bare = replace(state, taken=Taken(chunks=state.taken.chunks), work=None, events=(), events_at=0)
        return Mark(bare, settings, events)


class Marks:
    """The marks of chunk 0 and of the newest `MOST` chunks."""

    def __init__(self) -> None:
        self._marks: dict[int, Mark] = {}

    def put(self, chunk: int, mark: Mark) -> None:
        """Store the mark of the next chunk, and drop the one that is too old."""
        self._marks[chunk] = mark
        if chunk > MOST:
            self._marks.pop(chunk - MOST, None)

    def get(self, chunk: int) -> Mark | None:
        """Return the mark of a chunk, or None if it is not kept."""
        return self._marks.get(chunk)

    def before(self, chunk: int) -> Marks:
        """Return the marks of the chunks before `chunk`, for a session that shares them."""
        other = Marks()
        other._marks = {at: mark for at, mark in self._marks.items() if at < chunk}
        return other

    @property
    def first(self) -> int:
        """Index of the oldest chunk with a mark other than chunk 0; 0 if there are none."""
        return min((at for at in self._marks if at), default=0)
