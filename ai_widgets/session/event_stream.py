"""`EventStream`: the events of one call of a session, as they happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..protocol import Event


class EventStream(Iterator[Event]):
    """Iterator over the events of one call. Iterating it runs the session.

    The session's next call finishes the steps that were not iterated. Their events are then in the record, and further
    iteration returns them.

    Parameters
    ----------
    advance
        Runs the session until the next event of this stream, and returns it; None at the end.
    first
        Index in the record of the stream's first event.

    Attributes
    ----------
    next
        Index in the record of the next event.
    end
        Index behind the last event; None while the call is not complete.
    """

    def __init__(self, advance: Callable[[EventStream], Event | None], first: int) -> None:
        self._advance, self.next = advance, first
        self.end: int | None = None

    def __next__(self) -> Event:
        event = self._advance(self)
        if event is None:
            raise StopIteration
        return event
