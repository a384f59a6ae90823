"""The work of the decode stage: step the session for each heard chunk, and apply pending changes between chunks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ...protocol import Chunk, Decision, Turn
from ..live_settings import LiveSettings
from .admission import PendingNotice
from .gate import Gate, Phase
from .running_session import RunningSession

if TYPE_CHECKING:
    from ...session.perceive import Heard
    from ...session.session import StreamingSession


class ChunkDecoder:
    """The loop of perceive, decide and respond over heard chunks.

    Parameters
    ----------
    gate
        Blocks before each phase until the phase may begin.
    live
        Returns the live settings.
    current
        Returns whether a session is still the current one, that is, was not reset.
    open_session
        Opens the model's session for a running session.
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
        current: Callable[[RunningSession], bool],
        open_session: Callable[[RunningSession], StreamingSession],
        events_came: Callable[[bool], None],
    ) -> None:
        self._gate, self._live, self._current = gate, live, current
        self._open_session, self._events_came = open_session, events_came
        self.speaking = False

    def do_pending(self, running: RunningSession) -> None:
        """Apply the changes and notices, and run the tasks, that are due before the next chunk.

        Before the first chunk there is no session yet: it opens with the changed settings.
        """
        while running.pending:
            part = running.pending.popleft()
            if isinstance(part, PendingNotice):
                if running.decided or part.kind in ("paused", "resumed"):
                    running.note(part)
            elif not isinstance(part, Mapping):
                part(running.session)
            elif running.session is not None:
                running.session.change(**part)
            self._events_came(False)

    def decode(self, running: RunningSession, heard: Heard) -> None:
        """Step the session by one chunk, or drop the chunk according to the overload policy."""
        session = running.session = running.session or self._open_session(running)
        chunk = session.chunks_done
        while (outcome := self._gate.enter("perceive", chunk)) != "go":
            if outcome == "closed" or not self._current(running):
                return
            self.do_pending(running)
            if self._evicted(running, heard):
                break
        if not self._current(running):
            return
        if self._evicted(running, heard):
            running.evict()
            return
        gap = running.admission.end_eviction()
        if gap is not None:
            running.note(gap)
            heard = replace(heard, flags=(*heard.flags, "dropped"))
        running.decided = chunk + 1
        try:
            self._take_turn(running, session, heard)
        finally:
            self.speaking = False

    def _take_turn(self, running: RunningSession, session: StreamingSession, heard: Heard) -> None:
        """Step the session by one chunk, passing the gate before each phase."""
        for event in session.step(heard):
            if isinstance(event, Turn):
                self.speaking = False
                if running.interrupted and event.ended == "interrupted":
                    running.pending.append(
                        PendingNotice("interrupted", "Audio arrived, so the reply ended.", {"why": "audio"})
                    )
            self._events_came(False)
            if isinstance(event, Chunk):
                if session.ended is None and not self._pass(running, "decide", event.chunk):
                    # The chunk was perceived but will not be decided; closing the session records that.
                    session.close()
                    running.session = None
                    return
            elif isinstance(event, Decision) and event.choice == "TEXT_BEGIN":
                if not self._pass(running, "respond", event.chunk):
                    # The session was reset or closed: interrupt the reply, so that the record holds its end.
                    session.interrupt()
                    continue
                running.interrupted = False
                self.speaking = True

    def _pass(self, running: RunningSession, phase: Phase, chunk: int) -> bool:
        """Wait at the gate. Return False where the session was reset or the pipeline closed in the meantime."""
        while (outcome := self._gate.enter(phase, chunk)) != "go":
            if outcome == "closed" or not self._current(running):
                return False
        return self._current(running)

    def _evicted(self, running: RunningSession, heard: Heard) -> bool:
        return running.admission.evicts(heard.origin, self._live(), running.waiting)
