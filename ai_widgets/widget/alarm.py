"""A one-shot timer, for work that is due although no message arrives."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, Timer
from time import monotonic
from weakref import WeakMethod

SLACK_SECONDS = 0.05
"""Seconds by which a call may be late: a new deadline within this time of the old one starts no new thread."""


class Alarm:
    """A one-shot timer whose thread exists only while the timer is set.

    Parameters
    ----------
    ring
        Bound method to call. The reference is weak: a timer that is set keeps no object alive.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = WeakMethod(ring)
        self._lock = Lock()
        self._timer: Timer | None = None
        self._due = 0.0
        self._closed = False

    def set(self, seconds: float) -> None:
        """Call the method after `seconds`, unless an earlier call is set already."""
        due = monotonic() + seconds
        with self._lock:
            if self._closed or (self._timer is not None and self._due <= due + SLACK_SECONDS):
                return
            if self._timer is not None:
                self._timer.cancel()
            self._due = due
            self._timer = Timer(seconds, self._go_off)
            self._timer.daemon = True
            self._timer.start()

    def close(self) -> None:
        """Cancel the timer; later calls of `set` do nothing."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _go_off(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._timer = None
        ring = self._ring()
        if ring is not None:
            ring()
