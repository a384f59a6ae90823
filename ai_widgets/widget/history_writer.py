"""When the history is written: soon after a recording has been answered, else every few seconds while events come."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Any

from ..record.record import SessionRecord
from .history import History

INTERVAL = 5.0
"""Least seconds between two writings while events come: each is the whole history again."""


class HistoryKeeper:
    """Keeps one trait up with one record at a time.

    Parameters
    ----------
    write
        Sets the trait; the flag says that everything so far is answered. Called on the thread that finds the writing
        due, one at a time.
    """

    def __init__(self, write: Callable[[dict[str, Any], bool], None]) -> None:
        self._write = write
        self._lock = Lock()
        self._history: History | None = None
        self._last = float("-inf")
        self._ended = False

    def follow(self, record: SessionRecord, session: int) -> None:
        """Begin with a new session."""
        with self._lock:
            self._history = History(record, session)
            self._last, self._ended = float("-inf"), False

    def recording_ended(self) -> None:
        """What comes now is the end of something: write it as soon as it is answered."""
        self._ended = True

    def look(self, idle: bool) -> None:
        """Write if it is due; `idle` says that everything so far is answered."""
        due = (self._ended and idle) or monotonic() - self._last >= INTERVAL
        # Two stages look; where one writes already, the other has nothing to add.
        if due and self._lock.acquire(blocking=False):
            try:
                settled = self._ended and idle
                self._ended = self._ended and not idle
                self._update(settled)
            finally:
                self._lock.release()

    def flush(self) -> None:
        """Write what is not written yet."""
        with self._lock:
            self._update(True)

    def _update(self, settled: bool) -> None:
        if self._history is not None and self._history.behind:
            self._last = monotonic()
            self._write(self._history.to_json(), settled)
