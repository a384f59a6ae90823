"""What waits to be sent to the browser: replies to messages, events of the record, acknowledgements.

Events are not copied here: the record holds them, and the outbox remembers how many the browser has. So a page that was
reloaded is served by setting that number back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import RLock
from time import monotonic, perf_counter
from typing import Any

from ...protocol import Chunk
from ...record.record import SessionRecord
from . import outgoing
from .alarm import Alarm
from .problems import Problems

FLUSH_SECONDS = 0.03
"""Least time between two batches of events while more is coming: a reply is smooth, and far below the 1000 messages a
second at which a Jupyter server drops them."""
MAX_BATCH = 500
"""Events in one message; a long session that is shown anew comes in several."""
MAX_REPLAYED = 10_000
"""Events that a page is told anew, about a quarter of an hour; of a longer session it is shown the newest part."""
MAX_QUEUED = 200
"""Messages that may wait to be sent. Only in pull mode do any wait, and there a page asks four times a second."""
NEWEST_ONLY = ("loop", "model", "reset", "welcome")
"""Messages that tell a state: a newer one replaces the older, so that none is crowded out by answers."""


class Outbox:
    """Collects on any thread, sends on whichever thread flushes, in order.

    Parameters
    ----------
    send
        Sends one message with its buffers.
    record, waiting
        Give the running session's record, and its chunks that are not decided yet.
    lock
        Held while sending.
    clock
        Limits the rate of problems.
    pull
        Whether pages ask for what is queued, so that nothing is sent without their asking.
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
        self._playing: dict[str, Any] | None = None
        self._last_flush = 0.0
        self.session = 1

    @property
    def due(self) -> bool:
        """Whether enough time has passed since the last flush to send a batch while more is coming."""
        return perf_counter() - self._last_flush >= FLUSH_SECONDS

    def put(self, message: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        """Queue one message. Where no page asks for them, the oldest answers are dropped; a state never is."""
        with self._lock:
            if message["type"] in NEWEST_ONLY:
                about = (message["type"], message.get("page"))
                self._queued = [each for each in self._queued if (each[0]["type"], each[0].get("page")) != about]
            self._queued.append((message, buffers))
            answers = [place for place, (each, _) in enumerate(self._queued) if each["type"] not in NEWEST_ONLY]
            for place in reversed(answers[:-MAX_QUEUED]):
                del self._queued[place]

    def put_problem(self, code: str, message: str, detail: str = "", page: str = "") -> None:
        """Queue a problem. Repeats are coalesced and counted; the newest of each code is always told."""
        with self._lock:
            self._problems.add(outgoing.problem(code, message, detail, page))

    def acknowledge(self, stream: int, seq: int) -> None:
        """The newest block that was taken up."""
        with self._lock:
            self._taken = (stream, seq)

    def put_playing(self, message: dict[str, Any]) -> None:
        """How far a file has come: the newest replaces what is not sent yet."""
        with self._lock:
            self._playing = message

    def welcome(self, message: dict[str, Any], seen: int) -> None:
        """Queue the answer to a hello; events follow from the page's own count on.

        Another page may know less than this one, so what was not sent yet is never passed over. Where more than
        `MAX_REPLAYED` events would follow, `first` tells at which of them the page begins, and a problem says so.
        """
        with self._lock:
            first = self._first_replayed(seen)
            self.put({**message, "first": first})
            if first == seen:
                self._sent = min(seen, self._sent)
                return
            self._sent = first
            left_out = f"{first - seen:,} older events of this session are not shown; the kernel's record has them all."
            self.put_problem("shortened", left_out, page=message["page"])

    def _first_replayed(self, seen: int) -> int:
        """Where a page that has `seen` events goes on: there, or at one of the newest chunks."""
        record = self._record()
        newest = len(record) - MAX_REPLAYED
        if seen >= newest:
            return seen
        for index, event in enumerate(record.since(newest, MAX_BATCH), newest):
            if isinstance(event, Chunk):
                return index
        return newest

    def begin_session(self, begin: Callable[[], None]) -> None:
        """Run `begin`, which replaces the record, so that no event of the old one is sent as one of the new."""
        with self._lock:
            begin()
            self.session += 1
            self._sent = 0
            self.put(outgoing.reset(self.session))

    def flush(self) -> None:
        """Send what is due: queued messages, problems, then new events, then the acknowledgement."""
        with self._lock:
            self._last_flush = perf_counter()
            queued, self._queued = self._queued, []
            for message, buffers in queued:
                self._send(message, buffers)
            for message in self._problems.take():
                self._send(message, ())
            if self._alarm is not None and (held := self._problems.wait) is not None:
                self._alarm.set(held)
            while (batch := self._record().since(self._sent, MAX_BATCH)) or self._waiting() != self._waiting_sent:
                self._waiting_sent = self._waiting()
                self._send(outgoing.events(self.session, self._sent, batch, self._waiting_sent), ())
                self._sent += len(batch)
            if self._playing is not None:
                playing, self._playing = self._playing, None
                self._send(playing, ())
            if self._taken is not None:
                (stream, seq), self._taken = self._taken, None
                self._send(outgoing.ack(stream, seq), ())

    def close(self) -> None:
        """Send nothing more by itself."""
        if self._alarm is not None:
            self._alarm.close()
