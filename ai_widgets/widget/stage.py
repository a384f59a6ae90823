"""A FIFO queue with one thread that works it off: the building block of the two-stage pipeline.

The thread exists only while there is work. After a short idle time it ends, and the next item starts another; so a
widget that nobody uses holds no thread, and order never depends on which thread runs.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread, current_thread
from time import monotonic
from typing import Generic, TypeVar

from ..process_exit import PipelineThread

logger = logging.getLogger(__name__)

IDLE_SECONDS = 5.0
"""A thread without work ends after so long."""
GLANCE_SECONDS = 0.5
"""A waiting thread looks up so often: on some systems a lock that is waited for cannot be interrupted."""

CLOSE_SECONDS = 10.0
"""How long `close` waits for the item at work: longer than a chunk takes on any machine that keeps up with audio."""

T = TypeVar("T")


class Stage(Generic[T]):
    """Items in, `work(item)` in order on one thread.

    Parameters
    ----------
    name
        Name of the thread.
    work
        Called with each item. It should not raise; if it does, the log says so and the stage goes on.
    capacity
        `put` waits while so many items are queued; None never waits.
    parked
        Called on the thread when it ends for want of work.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[T], None],
        capacity: int | None = None,
        parked: Callable[[], None] | None = None,
    ) -> None:
        self._name, self._work, self._capacity, self._parked = name, work, capacity, parked
        self._items: deque[T] = deque()
        self._changed = Condition()
        self._thread: Thread | None = None
        self._busy = False
        self._closed = False

    def __len__(self) -> int:
        """Items that wait, the one at work not counted."""
        return len(self._items)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is at work."""
        return not self._items and not self._busy

    @property
    def alive(self) -> bool:
        """Whether the stage has a thread at the moment."""
        return self._thread is not None

    def put(self, item: T, *, urgent: bool = False) -> bool:
        """Queue an item; `urgent` does not wait for room. False where the stage is closed: the item was not taken."""
        with self._changed:
            while not urgent and self._full and not self._closed:
                self._changed.wait(GLANCE_SECONDS)
            if self._closed:
                return False
            self._items.append(item)
            # An interrupt may have hit between a thread's making and its start; such a thread never lives.
            if self._thread is None or not self._thread.is_alive():
                self._thread = PipelineThread(self._run, self._name)
                self._thread.start()
            self._changed.notify_all()
            return True

    @property
    def _full(self) -> bool:
        return self._capacity is not None and len(self._items) >= self._capacity

    def join(self, timeout: float | None = None, unless: Callable[[], bool] = lambda: False) -> bool:
        """Wait until nothing waits or is at work. False when `timeout` seconds passed, or `unless` came true, first."""
        end = None if timeout is None else monotonic() + timeout
        with self._changed:
            while not (self.idle or self._closed):
                left = GLANCE_SECONDS if end is None else min(GLANCE_SECONDS, end - monotonic())
                if left <= 0 or unless():
                    return False
                self._changed.wait(left)
        return True

    def wake(self) -> None:
        """Make whoever waits in `join` look up."""
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """Drop the queued items and take nothing more; the thread ends after the item at work. Returns at once."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def end(self, timeout: float) -> None:
        """Wait for the thread of a stopped stage to end."""
        with self._changed:
            thread = self._thread
        if thread is not None and thread is not current_thread() and thread.ident is not None:
            thread.join(timeout)
            if thread.is_alive():
                logger.warning("The thread %s is still running %.0f s after it was stopped.", self._name, timeout)

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Stop, and wait for the item at work to end."""
        self.stop()
        self.end(timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                # After an interrupt in the middle of `put` another thread may have taken over.
                if self._thread is not current_thread():
                    return
                if not self._changed.wait_for(lambda: self._items or self._closed, IDLE_SECONDS) or self._closed:
                    self._thread = None
                    self._changed.notify_all()
                    closed = self._closed
                    break
                item = self._items.popleft()
                self._busy = True
                self._changed.notify_all()
            try:
                self._work(item)
            except Exception:
                logger.exception("The stage %s failed on an item and continues with the next item.", self._name)
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
        if self._parked is not None and not closed:
            self._parked()
