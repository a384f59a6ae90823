"""A FIFO queue with one thread: the building block of the two-stage pipeline.

The thread exists only while there is work. It ends after a short idle time, and the next item starts another thread; so
an unused widget holds no thread. At most one thread works at a time, so the order of items is kept.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread, current_thread
from time import monotonic
from typing import Generic, TypeVar

from ...process_exit import PipelineThread

logger = logging.getLogger(__name__)

IDLE_SECONDS = 5.0
"""Idle seconds after which the thread ends: longer than the gap between two chunks, so that a live stream keeps it."""
GLANCE_SECONDS = 0.5
"""Seconds between two wake-ups of a waiting thread: on some systems a blocking wait for a lock ignores Ctrl-C."""

CLOSE_SECONDS = 10.0
"""Timeout of `close` in seconds: longer than one chunk takes on any machine that keeps up with audio."""

T = TypeVar("T")


class Stage(Generic[T]):
    """A FIFO queue whose items are passed to `work`, in order, on one thread.

    Parameters
    ----------
    name
        Name of the thread.
    work
        Called with each item. It should not raise; an exception is logged, and the stage continues.
    capacity
        Number of queued items from which on `put` blocks; None for no limit.
    parked
        Called on the thread before it ends after an idle time.
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
        """Return the number of queued items, without the item in progress."""
        return len(self._items)

    @property
    def idle(self) -> bool:
        """Whether no item is queued or in progress."""
        return not self._items and not self._busy

    @property
    def alive(self) -> bool:
        """Whether the stage has a thread now."""
        return self._thread is not None

    def put(self, item: T, *, urgent: bool = False) -> bool:
        """Queue an item; `urgent` ignores the capacity. Return False, without taking the item, where it is closed."""
        with self._changed:
            while not urgent and self._full and not self._closed:
                self._changed.wait(GLANCE_SECONDS)
            if self._closed:
                return False
            self._items.append(item)
            # A KeyboardInterrupt between creation and start of a thread leaves a thread that never runs.
            if self._thread is None or not self._thread.is_alive():
                self._thread = PipelineThread(self._run, self._name)
                self._thread.start()
            self._changed.notify_all()
            return True

    @property
    def _full(self) -> bool:
        return self._capacity is not None and len(self._items) >= self._capacity

    def join(self, timeout: float | None = None, unless: Callable[[], bool] = lambda: False) -> bool:
        """Wait until the stage is idle. Return False after `timeout` seconds, or once `unless` returns true."""
        end = None if timeout is None else monotonic() + timeout
        with self._changed:
            while not (self.idle or self._closed):
                left = GLANCE_SECONDS if end is None else min(GLANCE_SECONDS, end - monotonic())
                if left <= 0 or unless():
                    return False
                self._changed.wait(left)
        return True

    def wake(self) -> None:
        """Wake threads in `join`, so that they check their conditions again."""
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """Discard queued items and refuse new ones; the thread ends after the item in progress. Returns at once."""
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
        """Stop, and wait for the item in progress."""
        self.stop()
        self.end(timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                # After a KeyboardInterrupt within `put` another thread may have replaced this one.
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
