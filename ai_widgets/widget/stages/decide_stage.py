"""The decode stage's work: each heard chunk passes the gate and becomes events; what is pending is done in between."""

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
    """Perceive, decide, respond, for one chunk after the other.

    Parameters
    ----------
    gate
        Lets each phase begin.
    live
        Gives the live settings.
    current
        Says whether a run is still the running one.
    open_session
        Makes a session for a run.
    events_came
        Called after events were recorded.

    Attributes
    ----------
    speaking
        Whether a reply is being spoken.
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
        """Changes and notices that are due before the next chunk. Before the first, a session begins with them."""
        while run.pending:
            part = run.pending.popleft()
            if isinstance(part, Remark):
                if run.decided or part.kind in ("paused", "resumed"):
                    run.note(part)
            elif run.session is not None:
                run.session.change(**part)
            self._events_came(False)

    def answer(self, run: Run, heard: Heard) -> None:
        """Take one chunk through the loop, or leave it out where the overload policy says so."""
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
        """One step of the session, with a gate before each phase."""
        for event in session.step(heard):
            if isinstance(event, Turn):
                self.speaking = False
                if run.interrupted and event.ended == "interrupted":
                    run.pending.append(Remark("interrupted", "Audio arrived, so the reply ended.", {"why": "audio"}))
            self._events_came(False)
            if isinstance(event, Chunk):
                if session.ended is None and not self._pass(run, "decide", event.chunk):
                    # This chunk is not decided any more, which the session's record is to say.
                    session.close()
                    run.session = None
                    return
            elif isinstance(event, Decision) and event.choice == "TEXT_BEGIN":
                if not self._pass(run, "respond", event.chunk):
                    # Nobody waits for the reply any more; its end still belongs into the record.
                    session.interrupt()
                    continue
                run.interrupted = False
                self.speaking = True

    def _pass(self, run: Run, phase: Phase, chunk: int) -> bool:
        """Go through the gate. False where the session or the worker ended meanwhile."""
        while (outcome := self._gate.enter(phase, chunk)) != "go":
            if outcome == "closed" or not self._current(run):
                return False
        return self._current(run)

    def _overfull(self, run: Run, heard: Heard) -> bool:
        """Whether the policy leaves this chunk out. A file comes as fast as it is taken, so it is no overload."""
        live = self._live()
        return heard.live and live.overload == "drop_oldest" and run.waiting > live.overload_chunks
