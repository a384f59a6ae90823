"""A FIFO queue with one thread that works it off: the building block of the two-stage pipeline.

The thread exists only while there is work. After a short idle time it ends, and the next item starts another; so a
widget that nobody uses holds no thread, and order never depends on which thread runs.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread, current_thread
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

IDLE_SECONDS = 5.0

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
    """

    def __init__(self, name: str, work: Callable[[T], None], capacity: int | None = None) -> None:
        self._name, self._work, self._capacity = name, work, capacity
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

    def put(self, item: T) -> bool:
        """Queue an item. False where the stage is closed: the item was not taken."""
        with self._changed:
            while self._capacity is not None and len(self._items) >= self._capacity and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self._items.append(item)
            if self._thread is None:
                self._thread = Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return True

    def join(self, timeout: float | None = None) -> bool:
        """Wait until nothing waits or is at work. False when `timeout` seconds passed first."""
        with self._changed:
            return self._changed.wait_for(lambda: self.idle or self._closed, timeout)

    def close(self, timeout: float = 10.0) -> None:
        """Drop what waits, take nothing more, and wait for the item at work to end."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not current_thread():
            thread.join(timeout)
            if thread.is_alive():
                logger.warning("The thread %s is still at work %.0f s after it was closed.", self._name, timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._changed.wait_for(lambda: self._items or self._closed, IDLE_SECONDS) or self._closed:
                    self._thread = None
                    self._changed.notify_all()
                    return
                item = self._items.popleft()
                self._busy = True
                self._changed.notify_all()
            try:
                self._work(item)
            except Exception:
                logger.exception("The stage %s failed at an item and goes on with the next.", self._name)
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
