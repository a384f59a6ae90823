"""`Jobs`: the thread on which recordings are written, read and replayed, one job at a time.

Such work takes seconds to minutes, and must not block the thread that receives messages.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from ...errors import SessionError
from ..stages.worker import Worker

TELL_SECONDS = 0.25
"""Least seconds between two messages on progress: four updates a second look continuous."""


class JobCancelledError(Exception):
    """Error that ends a cancelled job, with the reason; without one a person cancelled it."""


class Job:
    """Work of the thread.

    Parameters
    ----------
    run
        Called with the job on the thread.
    cancel
        Called when the job is cancelled, with the error that is to end it, on the thread that cancels.
    """

    def __init__(self, run: Callable[[Job], None], cancel: Callable[[JobCancelledError], object] | None = None) -> None:
        self.run, self._cancel = run, cancel
        self._cancelled: JobCancelledError | None = None
        self._told = float("-inf")

    def cancel(self, reason: str = "") -> None:
        """Request the job to end. A first reason is kept."""
        if self._cancelled is None:
            self._cancelled = JobCancelledError(reason)
            if self._cancel is not None:
                self._cancel(self._cancelled)

    def check(self) -> None:
        """Raise `JobCancelledError` if the job was cancelled."""
        if self._cancelled is not None:
            raise self._cancelled

    def due(self) -> bool:
        """Return whether enough time has passed to tell the progress again."""
        now = monotonic()
        if now - self._told < TELL_SECONDS:
            return False
        self._told = now
        return True


class Jobs(Worker[Job]):
    """The thread, which exists only while there is work."""

    def __init__(self) -> None:
        self._current: Job | None = None
        super().__init__("ai_widgets recordings")

    def check_free(self) -> None:
        """Raise `SessionError` while a job is in progress."""
        if self._current is not None:
            raise SessionError(
                "This widget is already saving, opening, replaying or analysing; wait for its end, or cancel it."
            )

    def begin(self, job: Job) -> None:
        """Start a job; `check_free` was called before."""
        self._current = job
        if not self._stage.put(job):
            self._current = None

    def finish(self, job: Job) -> None:
        """Let the next job begin: a job calls this before it tells its result, since a page may answer at once."""
        if self._current is job:
            self._current = None

    def cancel(self, reason: str = "") -> None:
        """Cancel the job in progress, if there is one."""
        job = self._current
        if job is not None:
            job.cancel(reason)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until no job is in progress. Return False after `timeout` seconds."""
        return self._stage.join(timeout)

    def _end_work(self) -> None:
        self.cancel("The widget was closed.")

    def _work(self, job: Job) -> None:
        try:
            job.run(job)
        finally:
            self.finish(job)
