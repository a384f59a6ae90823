"""`Replayer`: run what a widget shows again with its model, and tell pages whether it is the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...protocol import Chunk
from ...record.record import SessionRecord
from ..wire import outgoing
from ..wire.kernel_recordings import ReplayState
from .jobs import Job, Jobs
from .telling_job import TellingJob

if TYPE_CHECKING:
    from ...session.listening import ListeningModel


class Replayer(TellingJob):
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
        super().__init__(jobs, put, "The replay was cancelled.")
        self.told = outgoing.replayed("none")

    def start(self, model: ListeningModel, record: SessionRecord) -> None:
        """Begin a replay. The caller has checked that no job is in progress."""
        job = self._prepare(
            lambda job: self._run(job, model, record),
            lambda state, message, job: self._tell(state, message=message, of=job),
        )
        self._tell("running", total=record.count(Chunk))
        self._jobs.begin(job)

    def refuse(self, sentence: str) -> None:
        """Tell that nothing is replayed, and why. The result of a replay in progress follows all the same."""
        self._tell("failed", message=sentence)

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

        result = replay(model, record, watch=watch)
        same = f"{result.compared:,} decisions, tokens and replies are the same"
        difference = result.first_difference
        if difference is None:
            self._tell("reproduced", total, total, message=same, of=job)
        else:
            self._tell("differs", total, total, difference.chunk, f"{difference.what}; {same} before it", of=job)

    def _tell(
        self,
        state: ReplayState,
        done: int = 0,
        total: int = 0,
        chunk: int = -1,
        message: str = "",
        of: Job | None = None,
    ) -> None:
        if self._tells(of, ends=state != "running"):
            self.told = outgoing.replayed(state, done, total, chunk, message)
            self._put(self.told)
