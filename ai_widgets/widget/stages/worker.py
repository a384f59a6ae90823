"""`Worker`: base class of what works on one thread of its own beside the pipeline: files, recordings, branches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic

from ...process_exit import stop_at_exit
from .stage import CLOSE_SECONDS, Stage, T


class Worker(ABC, Generic[T]):
    """A stage with an end: what is in progress is told to end, and process exit waits for the thread.

    Parameters
    ----------
    name
        Name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._stage: Stage[T] = Stage(name, self._work)
        stop_at_exit(self)

    @abstractmethod
    def _work(self, item: T) -> None:
        """Do the work of one item, on the thread."""

    @abstractmethod
    def _end_work(self) -> None:
        """Tell the item in progress, and those that are queued, to end. Returns at once."""

    def stop(self) -> None:
        """End the work in progress and refuse more. Returns at once; the thread ends after its current step."""
        self._end_work()
        self._stage.stop()

    def join(self, timeout: float) -> None:
        """Wait at most `timeout` seconds for the thread of a stopped worker to end."""
        self._stage.end(timeout)

    def close(self) -> None:
        """Stop, and wait for the thread to end."""
        self.stop()
        self.join(CLOSE_SECONDS)
