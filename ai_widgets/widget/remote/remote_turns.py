"""`RemoteTurns`: decide and respond at a class server: a chunk's samples out, its decision and reply in.

One chunk is one exchange: `block` out; events up to the chunk's `Timing` in. Events are those of the server but for the
numbers of chunks and replies, which are counted here: the server may have begun another session in the meantime.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace as changed_event

from ...audio.features import Array
from ...errors import ServerError, SessionError, SettingError
from ...model.passes import Steps
from ...protocol import CHUNK_SECONDS, SAMPLE_RATE, Decision, Ending, Event, Notice, Timing, Token, Turn
from ...session.framing import Framing
from ...settings import Settings

if TYPE_CHECKING:
    from .remote_model import RemoteModel

RENEWED = "The connection to the class server was lost, and its session with it: the context starts over here."
"""Message of the notice `context_reset` after a reconnection that came too late."""
STREAM = 1
"""Number of the stream at the server: one for a session, since the kernel cuts the recordings."""


@dataclass(frozen=True)
class RemoteReply:
    """Reply in progress: its index, the chunk and clip that it answers, and its tokens so far."""

    turn: int
    chunk: int
    clip: int
    tokens: tuple[Token, ...] = ()


@dataclass(frozen=True)
class RemoteProgress:
    """State of a session at a class server between two steps; see `session.listening.TurnProgress`."""

    settings: Settings
    prefix: tuple[int, ...] = ()
    positions: int = 0
    limit: int = 0
    turns: int = 0
    reply: RemoteReply | None = None
    ended: str | None = None

    def forgotten(self) -> RemoteProgress:
        """Return the state with an empty context."""
        return replace(self, positions=0)


class RemoteTurns:
    """The steps decide and respond of one session at a class server; see `session.listening.TurnTaker`.

    Attributes
    ----------
    start
        State before the first chunk.
    """

    def __init__(self, model: RemoteModel, settings: Settings, framing: Framing) -> None:
        self._model = model
        self.start = RemoteProgress(settings, framing.prefix, 0, framing.limit)
        # Chunk here by chunk at the server, and the chunk that the exchange in progress or the last one is about.
        self._chunks: list[int] = []
        self._chunk = -1
        self._open = False
        self._decision: Decision | None = None
        self._notices: list[Event] = []
        self._timing: Timing | None = None
        self._away_s = 0.0

    def interrupt(self) -> None:
        """Ask the server to end the reply in progress. Thread-safe."""
        self._model.connection.interrupt()

    def release(self) -> None:
        """Do nothing: the context is freed with the connection, or by the next session on it."""

    def settle(self, state: RemoteProgress) -> bool:  # noqa: ARG002 - the whole state is in the immutable value
        """Return True: nothing mutable is to be restored."""
        return True

    def changed(self, state: RemoteProgress, settings: Settings) -> RemoteProgress:
        """Return the state with other settings, which the server uses from the next chunk on."""
        self._finish_exchange()
        framing = self._model.agree(settings)
        return replace(state, settings=settings, prefix=framing.prefix, limit=framing.limit)

    def make_room(self, state: RemoteProgress, chunk: int, frames: Array) -> tuple[RemoteProgress, list[Event]]:
        """Have the server decide after a chunk, and return the notices of its context.

        Raises
        ------
        ServerError
            If the server cannot be reached any more, or did not decide.
        SessionError
            If another session began on the connection.
        """
        if self._model.turns is not self:
            raise SessionError("Another session began on this connection to the class server, which ended this one.")
        if chunk != self._chunk:
            self._finish_exchange()
            self._chunk, self._decision, self._timing, self._notices = chunk, None, None, []
        started = perf_counter()
        while self._decision is None:
            if self._open:
                self._receive()
            else:
                self._send(state.settings, frames)
        self._away_s = perf_counter() - started
        return state, self._notices

    def decide(
        self,
        state: RemoteProgress,
        chunk: int,
        clip: int,
        frames: Array,  # noqa: ARG002 - the server has them
        forced: str | None = None,
    ) -> Steps[tuple[RemoteProgress, Decision]]:
        """Return the server's decision after a chunk. Asks for no pass."""
        yield from ()
        if forced is not None:
            raise SettingError("A class server takes no forced decisions.", ("force",))
        if self._decision is None:
            raise ServerError(f"The class server has not decided after chunk {chunk}.")
        decision = changed_event(
            self._decision,
            chunk=chunk,
            clip=clip,
            start_s=chunk * CHUNK_SECONDS,
            oldest=self._here(self._decision.oldest),
        )
        after = replace(state, positions=decision.used, limit=decision.limit)
        if decision.choice != "TEXT_BEGIN":
            return after, decision
        return replace(after, reply=RemoteReply(state.turns, chunk, clip), turns=state.turns + 1), decision

    def speak(self, state: RemoteProgress) -> Steps[tuple[RemoteProgress, list[Event]]]:
        """Return the next token of the reply in progress, or its end. Asks for no pass."""
        yield from ()
        reply = state.reply
        if reply is None:
            return state, []
        event = self._model.connection.next_event()
        if event is None and not self._model.connection.renewed:
            return state, []
        if isinstance(event, Token):
            token = changed_event(event, chunk=reply.chunk, turn=reply.turn)
            spoken = replace(reply, tokens=(*reply.tokens, token))
            return replace(state, reply=spoken, positions=token.position + 1), [token]
        if isinstance(event, Turn):
            start = reply.chunk * CHUNK_SECONDS
            turn = changed_event(event, chunk=reply.chunk, turn=reply.turn, clip=reply.clip, start_s=start)
            return replace(state, reply=None), [turn]
        if isinstance(event, Notice):
            return state, [self._told(event)]
        # The session at the server is lost, or it ended the chunk without the end of the reply.
        if isinstance(event, Timing):
            self._timing = event
        self._open = False
        return self.cut(state, "error")

    def cut(self, state: RemoteProgress, ended: Ending) -> tuple[RemoteProgress, list[Event]]:
        """End the reply in progress early, here and at the server; without a reply return the state unchanged."""
        reply = state.reply
        if reply is None:
            return state, []
        self.interrupt()
        text = "".join(token.text for token in reply.tokens)
        tokens = tuple(token.token for token in reply.tokens)
        turn = Turn(reply.chunk, reply.turn, reply.clip, reply.chunk * CHUNK_SECONDS, None, text, tokens, ended)
        return replace(state, reply=None), [turn]

    def timed(self, timing: Timing) -> Timing:
        """Return the timing with the server's parts: what is left of the decision is network and queue."""
        with suppress(ServerError):
            # The next chunk reports a lost connection, and does not lose what this one has.
            self._finish_exchange()
        served = self._timing
        if served is None or timing.chunk != self._chunk:
            return timing
        computed = served.features_ms + served.tower_ms + served.decide_ms
        return changed_event(
            timing,
            features_ms=served.features_ms,
            tower_ms=served.tower_ms,
            decide_ms=served.decide_ms,
            network_ms=max(0.0, timing.decide_ms - computed),
        )

    def violation(self, decision: Decision, state: RemoteProgress) -> Notice:  # noqa: ARG002
        """Build the notice of a drawn token that is not a decision."""
        return Notice(decision.chunk, "violation", f"The model drew token {decision.token} in place of a decision.")

    # The exchange ----------------------------------------------------------------------------------------------------

    def _send(self, settings: Settings, frames: Array) -> None:
        """Send the chunk, after the opening of the stream where it is the first of a session.

        Where the connection is lost meanwhile, the exchange is not open afterwards, and the next call sends.
        """
        connection = self._model.connection
        if connection.renewed:
            self._model.begin(settings)
            self._notices.append(Notice(self._chunk, "context_reset", RENEWED, {"why": "server"}))
            self._chunks.clear()
        if not self._chunks:
            opening = {"source": "mic", "name": "kernel", "rate": SAMPLE_RATE, "tail_s": 0.0}
            if not connection.send({"type": "open", "stream": STREAM, **opening}):
                return
        if not self._chunks or self._chunks[-1] != self._chunk:
            self._chunks.append(self._chunk)
        place = len(self._chunks) - 1
        block: dict[str, Any] = {"type": "block", "stream": STREAM, "seq": place, "rate": SAMPLE_RATE}
        block |= {"format": "float32", "time_s": place * CHUNK_SECONDS}
        self._open = connection.send(block, [np.ascontiguousarray(frames, "<f4").tobytes()])

    def _receive(self) -> None:
        """Take the next event of the chunk before its decision."""
        event = self._model.connection.next_event()
        if event is None:
            # What was sent may be lost: the server takes the block once, also where it arrives twice.
            self._open = False
        elif isinstance(event, Decision):
            self._decision = event
        elif isinstance(event, Notice) and event.kind == "undecided":
            self._open = False
            raise ServerError(f"The class server could not decide: {event.message}")
        elif isinstance(event, Notice):
            self._notices.append(self._told(event))
        elif isinstance(event, Timing):
            self._open = False
            raise ServerError("The class server did not decide after this chunk.")

    def _finish_exchange(self) -> None:
        """Take the events of the last exchange up to its end."""
        connection = self._model.connection
        while self._open and not connection.renewed:
            event = connection.next_event()
            if isinstance(event, Timing):
                self._timing = event
                break
        self._open = False

    def _told(self, notice: Notice) -> Notice:
        return changed_event(notice, chunk=self._here(notice.chunk))

    def _here(self, chunk: int) -> int:
        """Return the chunk of this session that has a number at the server."""
        return self._chunks[chunk] if 0 <= chunk < len(self._chunks) else self._chunk
