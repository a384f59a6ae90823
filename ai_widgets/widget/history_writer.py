"""Schedule the writing of the history: at the end of each recording, and every few seconds while events arrive."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Any

from ..record.record import SessionRecord
from .history import History

INTERVAL = 5.0
"""Least seconds between two writes while events arrive: each write sends the whole history again."""


class HistoryKeeper:
    """The writer of the trait `history`, which follows one record at a time.

    Parameters
    ----------
    write
        Sets the trait; the flag is true if all audio so far is decided. Called on the thread that calls `look` or
        `flush`, never concurrently.
    """

    def __init__(self, write: Callable[[dict[str, Any], bool], None]) -> None:
        self._write = write
        self._lock = Lock()
        self._history: History | None = None
        self._last = float("-inf")
        self._ended = False

    def follow(self, record: SessionRecord, session: int) -> None:
        """Follow the record of a new session."""
        with self._lock:
            self._history = History(record, session)
            self._last, self._ended = float("-inf"), False

    def recording_ended(self) -> None:
        """Note the end of a recording: the history is written as soon as the recording is decided."""
        self._ended = True

    def look(self, idle: bool) -> None:
        """Write the history if a write is due; `idle` is true if all audio so far is decided."""
        due = (self._ended and idle) or monotonic() - self._last >= INTERVAL
        # Both stages call this; while one of them writes, the other need not wait.
        if due and self._lock.acquire(blocking=False):
            try:
                settled = self._ended and idle
                self._ended = self._ended and not idle
                self._update(settled)
            finally:
                self._lock.release()

    def flush(self) -> None:
        """Write the history now if events were recorded since the last write."""
        with self._lock:
            self._update(True)

    def _update(self, settled: bool) -> None:
        if self._history is not None and self._history.behind:
            self._last = monotonic()
            self._write(self._history.to_json(), settled)
