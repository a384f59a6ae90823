"""The queue of outgoing messages: answers, events of the record, acknowledgements.

Events are not copied into the queue: the record holds them, and the outbox stores how many were sent. To send events
again to a reloaded page, that number is set back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from threading import RLock
from time import monotonic, perf_counter
from typing import Any

from ...protocol import Chunk
from ...record.record import SessionRecord
from . import outgoing
from .alarm import Alarm
from .problems import Problems

FLUSH_SECONDS = 0.03
"""Least seconds between two batches of events while more follow: short enough for smooth replies, and far below the
1000 messages a second at which a Jupyter server drops messages."""
MAX_BATCH = 500
"""Events in one message, which bounds its size; more events are sent in several messages."""
MAX_REPLAYED = 10_000
"""Events sent again to a reloaded page (about 15 minutes of a session): older events would delay the newest ones."""
MAX_SHOWN = 200_000
"""Events of an opened recording that are sent: all of about five hours, which take some 200 MB in a page."""
BURST = 2_000
"""Events of an opened recording that are sent at once: 1 MB, about three minutes of a session."""
BURST_SECONDS = 0.5
"""Seconds between two bursts: an hour arrives in ten seconds, and a server has time to pass each on."""
MAX_QUEUED = 200
"""Queued answers; the oldest is dropped beyond it. Answers queue up in pull mode only, where a page polls four times a
second."""
NEWEST_ONLY = ("loop", "model", "recording", "replayed", "reset", "welcome")
"""Types of messages that carry a state: a newer message replaces the queued one, and none is dropped."""


class Outbox:
    """The ordered queue of messages to the pages, filled and flushed on any thread.

    Parameters
    ----------
    send
        Sends one message with its buffers.
    record, waiting
        Return the running session's record, and its number of queued chunks.
    lock
        Held while sending.
    clock
        Monotonic time in seconds, for the rate limit of problems.
    pull
        Whether messages are sent only when a page polls.

    Attributes
    ----------
    branches
        Returns the due messages about branches.
    opened
        Returns whether the record is one that was opened: it does not grow, so all of it is sent, from its beginning on
        and in bursts.
    """

    def __init__(
        self,
        send: Callable[[dict[str, Any], Sequence[bytes]], None],
        record: Callable[[], SessionRecord],
        waiting: Callable[[], int],
        lock: RLock,
        clock: Callable[[], float] = monotonic,
        pull: bool = False,
    ) -> None:
        self._send, self._record, self._waiting, self._lock = send, record, waiting, lock
        self._queued: list[tuple[dict[str, Any], Sequence[bytes]]] = []
        self._problems = Problems(clock)
        self._alarm = None if pull else Alarm(self.flush)
        self._sent = 0
        self._waiting_sent = 0
        self._taken: tuple[int, int] | None = None
        self.branches: Callable[[], Iterable[dict[str, Any]]] = tuple
        self.opened: Callable[[], bool] = bool
        self._playing: dict[str, Any] | None = None
        self._last_flush = 0.0
        self.session = 1

    @property
    def due(self) -> bool:
        """Whether enough time has passed since the last flush to send a batch while more is coming."""
        return perf_counter() - self._last_flush >= FLUSH_SECONDS

    def put(self, message: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        """Queue one message. Beyond `MAX_QUEUED` the oldest answers are dropped, but never a state."""
        with self._lock:
            if message["type"] in NEWEST_ONLY:
                about = (message["type"], message.get("page"))
                self._queued = [each for each in self._queued if (each[0]["type"], each[0].get("page")) != about]
            self._queued.append((message, buffers))
            answers = [place for place, (each, _) in enumerate(self._queued) if each["type"] not in NEWEST_ONLY]
            for place in reversed(answers[:-MAX_QUEUED]):
                del self._queued[place]

    def put_problem(self, code: str, message: str, detail: str = "", page: str = "") -> None:
        """Queue a problem. Repeats are coalesced and counted; the newest of each code is always sent."""
        with self._lock:
            self._problems.add(outgoing.problem(code, message, detail, page))

    def acknowledge(self, stream: int, seq: int) -> None:
        """Queue the acknowledgement of a block; it replaces one that is not sent yet."""
        with self._lock:
            self._taken = (stream, seq)

    def put_playing(self, message: dict[str, Any]) -> None:
        """Queue the position of a file; it replaces one that is not sent yet."""
        with self._lock:
            self._playing = message

    def welcome(self, message: dict[str, Any], seen: int) -> None:
        """Queue the answer to a hello; events after the `seen` ones of this page follow.

        Events that were not sent yet are never skipped, since another page may have seen fewer. Where more than
        `MAX_REPLAYED` events (`MAX_SHOWN` of an opened recording) would follow, `first` is the index at which the page
        begins, with a problem as notice.
        """
        with self._lock:
            first = self._first_replayed(seen)
            self.put({**message, "first": first})
            if first == seen:
                self._sent = min(seen, self._sent)
                return
            self._sent = first
            self._tell_left_out(first - seen, message["page"])

    def _tell_left_out(self, events: int, page: str = "") -> None:
        left_out = f"{events:,} older events of this session are not shown; the kernel's record has them all."
        self.put_problem("shortened", left_out, page=page)

    def _first_replayed(self, seen: int) -> int:
        """Return the index of the first event to send to a page that has `seen`: there, or at a newer chunk."""
        record = self._record()
        newest = len(record) - (MAX_SHOWN if self.opened() else MAX_REPLAYED)
        if seen >= newest:
            return seen
        for index, event in enumerate(record.since(newest, MAX_BATCH), newest):
            if isinstance(event, Chunk):
                return index
        return newest

    def begin_session(self, begin: Callable[[], None]) -> None:
        """Run `begin`, which replaces the record, under the lock, so that no event is sent under a wrong session.

        Where the new record has more than `MAX_REPLAYED` or `MAX_SHOWN` events, only the newest of them are sent.
        """
        with self._lock:
            begin()
            self.session += 1
            self._sent = self._first_replayed(0)
            self.put(outgoing.reset(self.session, self._sent))
            if self._sent:
                self._tell_left_out(self._sent)

    def flush(self) -> None:
        """Send all that is due: messages, problems, events, branches, the file's position, the acknowledgement."""
        with self._lock:
            self._last_flush = perf_counter()
            queued, self._queued = self._queued, []
            for message, buffers in queued:
                self._send(message, buffers)
            for message in self._problems.take():
                self._send(message, ())
            if self._alarm is not None and (held := self._problems.wait) is not None:
                self._alarm.set(held)
            self._send_events()
            for message in self.branches():
                self._send(message, ())
            if self._playing is not None:
                playing, self._playing = self._playing, None
                self._send(playing, ())
            if self._taken is not None:
                (stream, seq), self._taken = self._taken, None
                self._send(outgoing.ack(stream, seq), ())

    def _send_events(self) -> None:
        end = self._sent + BURST
        while (batch := self._record().since(self._sent, MAX_BATCH)) or self._waiting() != self._waiting_sent:
            if self._sent >= end and self.opened():
                # In pull mode the page's next poll sends the next burst.
                if self._alarm is not None:
                    self._alarm.set(BURST_SECONDS)
                return
            self._waiting_sent = self._waiting()
            self._send(outgoing.events(self.session, self._sent, batch, self._waiting_sent), ())
            self._sent += len(batch)

    def close(self) -> None:
        """Cancel the timer that flushes."""
        if self._alarm is not None:
            self._alarm.close()
