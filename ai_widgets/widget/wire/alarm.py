"""A timer that calls back once, for what must happen although no message comes."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, Timer
from time import monotonic
from weakref import WeakMethod

SLACK_SECONDS = 0.05
"""An alarm may ring this much later than asked, so that asking again and again starts no thread each time."""


class Alarm:
    """Calls a method once after some seconds, on a thread that exists only meanwhile.

    Parameters
    ----------
    ring
        A bound method. It is held weakly: an alarm that is set keeps nothing alive.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = WeakMethod(ring)
        self._lock = Lock()
        self._timer: Timer | None = None
        self._due = 0.0
        self._closed = False

    def set(self, seconds: float) -> None:
        """Ring after `seconds`, unless it will ring by then."""
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
        """Ring no more."""
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
