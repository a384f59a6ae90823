"""`Analyser`: run analyses of what a widget shows with its model, and tell pages progress and result."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...errors import SessionError
from ...protocol import CHUNK_SECONDS
from ...record.record import SessionRecord
from ..wire import outgoing
from ..wire.limits import MAX_ANALYSED_CHUNKS, AnalysisKind, AnalysisState
from ..wire.recording_messages import Analyse
from .jobs import Job, Jobs
from .telling_job import TellingJob

if TYPE_CHECKING:
    from ...analysis import Onset, Seeds
    from ...session.listening import ListeningModel

KINDS: tuple[AnalysisKind, ...] = ("onset", "seeds")


class Analyser(TellingJob):
    """The analysis that is in progress, and the newest result of each kind for the record that is shown.

    Parameters
    ----------
    jobs
        Thread that analyses.
    put
        Sends messages to the pages.

    Attributes
    ----------
    told
        The newest `analysed` message of each kind.
    results
        The newest result of each kind.
    """

    def __init__(self, jobs: Jobs, put: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(jobs, put, "The analysis was cancelled.")
        self.told = {what: outgoing.analysed(what, "none") for what in KINDS}
        self.results: dict[AnalysisKind, Onset | Seeds] = {}

    def start(self, model: ListeningModel, record: SessionRecord, asked: Analyse) -> None:
        """Begin an analysis. The caller has checked that no job is in progress.

        Raises
        ------
        SessionError
            If the record is too long, or of a policy.
        SettingError
            If a setting is not one whose effect is analysed.
        """
        from ...analysis import what_if

        if model.language is None:
            raise SessionError("A policy has neither probabilities nor seeds, so there is nothing to analyse.")
        total = record.chunks_heard
        if total > MAX_ANALYSED_CHUNKS:
            minutes = MAX_ANALYSED_CHUNKS * CHUNK_SECONDS / 60
            raise SessionError(
                f"This record has {total:,} chunks; a page has records of at most {MAX_ANALYSED_CHUNKS:,} "
                f"({minutes:.0f} minutes) analysed. In Python, analysis.{asked.what} takes longer ones."
            )
        what_if([], **asked.settings)
        job = self._prepare(
            lambda job: self._run(job, model, record, asked),
            lambda state, message, job: self._tell(asked.what, state, message=message, of=job),
        )
        runs = asked.count if asked.what == "seeds" else 1
        self.results.pop(asked.what, None)
        self._tell(asked.what, "running", total=total * runs)
        self._jobs.begin(job)

    def refuse(self, asked: Analyse, sentence: str) -> None:
        """Tell that nothing is analysed, and why."""
        self._tell(asked.what, "failed", message=sentence)

    def forget(self) -> None:
        """Forget the results, since another record is shown, or the record is about to grow.

        An analysis that ends later tells nothing.
        """
        self._job = None
        self.results.clear()
        for what in KINDS:
            if self.told[what]["state"] != "none":
                self._tell(what, "none")

    def _run(self, job: Job, model: ListeningModel, record: SessionRecord, asked: Analyse) -> None:
        from ...analysis import onset, seeds

        def watch(done: int, total: int) -> None:
            job.check()
            if job.due():
                self._tell(asked.what, "running", done, total, of=job)

        result: Onset | Seeds
        if asked.what == "onset":
            result = onset(record, model, watch=watch, **asked.settings)
        else:
            result = seeds(model, record, asked.count, watch=watch, **asked.settings)
        if self._job is job:
            self.results[asked.what] = result
        self._tell(asked.what, "done", result=result.to_json(), of=job)

    def _tell(
        self,
        what: AnalysisKind,
        state: AnalysisState,
        done: int = 0,
        total: int = 0,
        message: str = "",
        result: dict[str, Any] | None = None,
        of: Job | None = None,
    ) -> None:
        if self._tells(of, ends=state != "running"):
            self.told[what] = outgoing.analysed(what, state, done, total, message, result)
            self._put(self.told[what])
