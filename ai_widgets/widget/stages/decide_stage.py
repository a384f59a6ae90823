"""The work of the decode stage: step the session for each heard chunk, and apply pending changes between chunks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ...protocol import Chunk, Decision, Turn
from ..live_settings import LiveSettings
from .admission import Remark
from .gate import Gate, Phase
from .live_session import Run

if TYPE_CHECKING:
    from ...session.perceive import Heard
    from ...session.session import StreamingSession


class Answering:
    """The loop of perceive, decide and respond over heard chunks.

    Parameters
    ----------
    gate
        Blocks before each phase until the phase may begin.
    live
        Returns the live settings.
    current
        Returns whether a run is still the current run, that is, was not reset.
    open_session
        Opens the session of a run.
    events_came
        Called after events were recorded.

    Attributes
    ----------
    speaking
        Whether a reply is being generated.
    """

    def __init__(
        self,
        gate: Gate,
        live: Callable[[], LiveSettings],
        current: Callable[[Run], bool],
        open_session: Callable[[Run], StreamingSession],
        events_came: Callable[[bool], None],
    ) -> None:
        self._gate, self._live, self._current = gate, live, current
        self._open_session, self._events_came = open_session, events_came
        self.speaking = False

    def do_pending(self, run: Run) -> None:
        """Apply the changes and notices that are due before the next chunk.

        Before the first chunk there is no session yet: it opens with the changed settings.
        """
        while run.pending:
            part = run.pending.popleft()
            if isinstance(part, Remark):
                if run.decided or part.kind in ("paused", "resumed"):
                    run.note(part)
            elif run.session is not None:
                run.session.change(**part)
            self._events_came(False)

    def answer(self, run: Run, heard: Heard) -> None:
        """Step the session by one chunk, or drop the chunk where the overload policy says so."""
        session = run.session = run.session or self._open_session(run)
        chunk = session.chunks_done
        while (outcome := self._gate.enter("perceive", chunk)) != "go":
            if outcome == "closed" or not self._current(run):
                return
            self.do_pending(run)
            if self._overfull(run, heard):
                break
        if not self._current(run):
            return
        if self._overfull(run, heard):
            run.skip()
            return
        gap = run.end_skipping()
        if gap is not None:
            run.note(gap)
            heard = replace(heard, flags=(*heard.flags, "dropped"))
        run.decided = chunk + 1
        try:
            self._take_turn(run, session, heard)
        finally:
            self.speaking = False

    def _take_turn(self, run: Run, session: StreamingSession, heard: Heard) -> None:
        """Step the session by one chunk, passing the gate before each phase."""
        for event in session.step(heard):
            if isinstance(event, Turn):
                self.speaking = False
                if run.interrupted and event.ended == "interrupted":
                    run.pending.append(Remark("interrupted", "Audio arrived, so the reply ended.", {"why": "audio"}))
            self._events_came(False)
            if isinstance(event, Chunk):
                if session.ended is None and not self._pass(run, "decide", event.chunk):
                    # The chunk was perceived but will not be decided; closing the session records that.
                    session.close()
                    run.session = None
                    return
            elif isinstance(event, Decision) and event.choice == "TEXT_BEGIN":
                if not self._pass(run, "respond", event.chunk):
                    # The run was reset or closed: interrupt the reply, so that the record holds its end.
                    session.interrupt()
                    continue
                run.interrupted = False
                self.speaking = True

    def _pass(self, run: Run, phase: Phase, chunk: int) -> bool:
        """Wait at the gate. Return False where the run was reset or the worker closed in the meantime."""
        while (outcome := self._gate.enter(phase, chunk)) != "go":
            if outcome == "closed" or not self._current(run):
                return False
        return self._current(run)

    def _overfull(self, run: Run, heard: Heard) -> bool:
        """Return whether the overload policy drops this chunk. Chunks of files are never dropped: reading waits."""
        live = self._live()
        return heard.origin.microphone and live.overload == "drop_oldest" and run.waiting > live.overload_chunks
