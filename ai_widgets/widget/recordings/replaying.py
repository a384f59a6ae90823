"""`Replayer`: run what a widget shows again with its model, and tell pages whether it is the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...protocol import Chunk
from ...record.record import SessionRecord
from ..wire import outgoing
from ..wire.failures import describe
from ..wire.kernel_recordings import ReplayState
from .jobs import Job, JobCancelledError, Jobs

if TYPE_CHECKING:
    from ...session.listening import ListeningModel


class Replayer:
    """The replay that is in progress, or the result of the last one.

    Parameters
    ----------
    jobs
        Thread that replays.
    put
        Sends messages to the pages.

    Attributes
    ----------
    told
        The newest `replayed` message.
    """

    def __init__(self, jobs: Jobs, put: Callable[[dict[str, Any]], None]) -> None:
        self._jobs, self._put = jobs, put
        self._job: Job | None = None
        self.told = outgoing.replayed("none")

    def start(self, model: ListeningModel, record: SessionRecord) -> None:
        """Begin a replay. The caller has checked that no job is in progress."""
        self._job = Job(lambda job: self._run(job, model, record))
        self._tell("running", total=record.count(Chunk))
        self._jobs.begin(self._job)

    def refuse(self, sentence: str) -> None:
        """Tell that nothing is replayed, and why. The result of a replay in progress follows all the same."""
        self._tell("failed", message=sentence)

    def cancel(self) -> None:
        """End the replay in progress, if there is one."""
        job = self._job
        if job is not None:
            job.cancel("The replay was cancelled.")

    def forget(self) -> None:
        """Forget the result, since another record is shown, or the record is about to grow.

        A replay that ends later tells nothing.
        """
        self._job = None
        if self.told["state"] != "none":
            self._tell("none")

    def _run(self, job: Job, model: ListeningModel, record: SessionRecord) -> None:
        # With the model came torch, which a widget does not need before.
        from ...session.replay import replay

        total = record.count(Chunk)

        def watch(done: int) -> None:
            job.check()
            if job.due():
                self._tell("running", done, total, of=job)

        try:
            job.check()
            result = replay(model, record, watch=watch)
        except JobCancelledError as error:
            self._tell("cancelled", message=str(error), of=job)
        except Exception as error:  # noqa: BLE001 - whatever a model raises must reach the user
            self._tell("failed", message=describe(error), of=job)
        else:
            same = f"{result.compared:,} decisions, tokens and replies are the same"
            difference = result.first_difference
            if difference is None:
                self._tell("reproduced", total, total, message=same, of=job)
            else:
                self._tell("differs", total, total, difference.chunk, f"{difference.what}; {same} before it", of=job)
        finally:
            if self._job is job:
                self._job = None

    def _tell(
        self,
        state: ReplayState,
        done: int = 0,
        total: int = 0,
        chunk: int = -1,
        message: str = "",
        of: Job | None = None,
    ) -> None:
        if of is not None and state != "running":
            self._jobs.finish(of)
        if of is not None and of is not self._job:
            return
        self.told = outgoing.replayed(state, done, total, chunk, message)
        self._put(self.told)
