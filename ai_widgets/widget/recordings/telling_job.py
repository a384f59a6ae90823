"""`TellingJob`: one kind of job on a record, of which pages are told the progress and the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from ..wire.failures import describe
from .jobs import Job, JobCancelledError, Jobs

Ended: TypeAlias = Callable[[Literal["cancelled", "failed"], str, Job], None]
"""Takes how a job ended without a result, the reason, and the job."""


class TellingJob:
    """The job of one kind that is in progress, if any.

    Parameters
    ----------
    jobs
        Thread on which it runs.
    put
        Sends messages to the pages.
    cancelled
        Sentence told when a person cancels it.
    """

    def __init__(self, jobs: Jobs, put: Callable[[dict[str, Any]], None], cancelled: str) -> None:
        self._jobs, self._put, self._cancelled = jobs, put, cancelled
        self._job: Job | None = None

    def cancel(self) -> None:
        """End the job in progress, if there is one."""
        job = self._job
        if job is not None:
            job.cancel(self._cancelled)

    def _prepare(self, work: Callable[[Job], None], ended: Ended) -> Job:
        """Return a job, now the one in progress; `Jobs.begin` starts it.

        `work` runs it and tells its result; `ended` tells that it ended without a result, and why.
        """

        def run(job: Job) -> None:
            try:
                job.check()
                work(job)
            except JobCancelledError as error:
                ended("cancelled", str(error), job)
            except Exception as error:  # noqa: BLE001 - any error of a model must reach the user
                ended("failed", describe(error), job)
            finally:
                if self._job is job:
                    self._job = None

        self._job = Job(run)
        return self._job

    def _tells(self, job: Job | None, *, ends: bool) -> bool:
        """Return whether what a job tells is of the record that is shown; a job that `ends` lets the next one begin.

        None stands for what is told without a job.
        """
        if job is not None and ends:
            self._jobs.finish(job)
        return job is None or job is self._job
