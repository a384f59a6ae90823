"""`RemoteTurns`: decide and respond at a class server: a chunk's samples out, its decision and reply in.

One chunk is one exchange: `block` out; events up to the chunk's `Timing` in. Events are those of the server but for the
numbers of chunks and replies, which are counted here: the server may have begun another session in the meantime.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace as changed_event

from ...errors import ServerError, SessionError, SettingError
from ...model.passes import Steps
from ...protocol import CHUNK_SECONDS, SAMPLE_RATE, Decision, Ending, Event, Notice, Timing, Token, Turn
from ...session.framing import Framing
from ...settings import Settings
from .held_past import HeldPast, Sent

if TYPE_CHECKING:
    from .remote_model import RemoteModel

RENEWED = "The connection to the class server was lost, and its session with it: the context starts over here."
"""Message of the notice `context_reset` where no server can go on with the session."""
IN_REPLY = "The class server, or the replica that this session was on, was lost in mid-reply, so the reply ends here."
"""Message of the notice `server_changed`."""
GOES_ON = "Another class server or replica goes on with this session: the context was rebuilt from the {} that it held"
"""Beginning of the message of the notice `context_rebuilt`."""
EXACT = "; probabilities differ by rounding only."
NOT_EXACT = ", without those evicted before, so that probabilities may differ slightly."
"""Its end."""
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
    """State of a session at a class server between two steps; see `session.listening.TurnProgress`.

    Attributes
    ----------
    past
        What the context at the server holds.
    """

    settings: Settings
    prefix: tuple[int, ...] = ()
    positions: int = 0
    limit: int = 0
    turns: int = 0
    reply: RemoteReply | None = None
    ended: str | None = None
    past: HeldPast = field(default_factory=HeldPast)

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
        # Chunk here by chunk at the server, of which the first `_given` are those of a past that it was given; and the
        # chunk that the exchange in progress or the last one is about.
        self._chunks: list[int] = []
        self._given = 0
        self._stream_open = False
        self._chunk = -1
        self._open = False
        self._decision: Decision | None = None
        self._notices: list[Notice] = []
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
        past = state.past if settings.seed == state.settings.seed else state.past.reseeded()
        return replace(state, settings=settings, prefix=framing.prefix, limit=framing.limit, past=past)

    def make_room(self, state: RemoteProgress, chunk: int, frames: Sent) -> tuple[RemoteProgress, list[Event]]:
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
                self._send(state, frames)
        self._away_s = perf_counter() - started
        past = state.past
        for notice in self._notices:
            past = past.noticed(notice)
        return replace(state, past=past), list(self._notices)

    def decide(
        self,
        state: RemoteProgress,
        chunk: int,
        clip: int,
        frames: Sent,
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
        past = state.past.decided(decision, chunk, frames, state.settings)
        after = replace(state, positions=decision.used, limit=decision.limit, past=past)
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
            past = state.past.spoken(token)
            return replace(state, reply=spoken, positions=token.position + 1, past=past), [token]
        if isinstance(event, Turn):
            start = reply.chunk * CHUNK_SECONDS
            turn = changed_event(event, chunk=reply.chunk, turn=reply.turn, clip=reply.clip, start_s=start)
            return replace(state, reply=None, past=state.past.ended(turn)), [turn]
        if isinstance(event, Notice):
            return replace(state, past=state.past.noticed(event)), [self._told(event)]
        self._open = False
        if event is None:
            # The session at the server is lost; the next chunk has it go on.
            after, events = self.cut(state, "interrupted")
            return after, [*events, Notice(reply.chunk, "server_changed", IN_REPLY, {"turn": reply.turn})]
        # The server ended the chunk without the end of the reply.
        if isinstance(event, Timing):
            self._timing = event
        return self.cut(state, "error")

    def cut(self, state: RemoteProgress, ended: Ending) -> tuple[RemoteProgress, list[Event]]:
        """End the reply in progress early, here and at the server; without a reply return the state unchanged."""
        reply = state.reply
        if reply is None:
            return state, []
        if not self._model.connection.renewed:
            self.interrupt()
        text = "".join(token.text for token in reply.tokens)
        tokens = tuple(token.token for token in reply.tokens)
        emotion = self._model.emotion(tokens[0]) if tokens else None
        turn = Turn(reply.chunk, reply.turn, reply.clip, reply.chunk * CHUNK_SECONDS, emotion, text, tokens, ended)
        return replace(state, reply=None, past=state.past.ended(turn)), [turn]

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

    def _send(self, state: RemoteProgress, sent: Sent) -> None:
        """Send the chunk, after the opening of the stream where it is the first of a session.

        Where the connection is lost meanwhile, the exchange is not open afterwards, and the next call sends.
        """
        connection = self._model.connection
        if connection.renewed:
            self._go_on(state, sent)
        if not self._stream_open:
            opening = {"source": "mic", "name": "kernel", "rate": SAMPLE_RATE, "tail_s": 0.0}
            if not connection.send({"type": "open", "stream": STREAM, **opening}):
                return
            self._stream_open = True
        if not self._chunks or self._chunks[-1] != self._chunk:
            self._chunks.append(self._chunk)
        place = len(self._chunks) - 1 - self._given
        block: dict[str, Any] = {"type": "block", "stream": STREAM, "seq": place, "rate": SAMPLE_RATE}
        block |= {"format": "float32", "time_s": place * CHUNK_SECONDS}
        self._open = connection.send(block, [np.ascontiguousarray(sent.samples, "<f4").tobytes()])

    def _go_on(self, state: RemoteProgress, sent: Sent) -> None:
        """Have a server that is new to this session go on with it, or start over, with the notice of either."""
        past = state.past
        # Of several attempts at this chunk the last one counts.
        self._notices, self._stream_open = [], False
        given = self._model.resume(past, sent.before, state.settings)
        self._chunks = list(past.numbers) if given else []
        self._given = len(self._chunks)
        if past.settings is None:
            return
        if not given:
            self._notices.append(Notice(self._chunk, "context_reset", RENEWED, {"why": "server"}))
            return
        words = f"{len(past.chunks)} chunk{'' if len(past.chunks) == 1 else 's'}"
        message = GOES_ON.format(words) + (EXACT if past.exact else NOT_EXACT)
        data = {"used": state.positions, "chunks": len(past.chunks), "exact": past.exact, "why": "server"}
        self._notices.append(Notice(self._chunk, "context_rebuilt", message, data))

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
        elif isinstance(event, Notice) and event.kind != "settings":
            # The kernel's own notice tells of the change.
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
        data = dict(notice.data)
        if notice.kind == "context_slide":
            data["chunks"] = [self._here(int(chunk)) for chunk in data["chunks"]]
        return changed_event(notice, chunk=self._here(notice.chunk), data=data)

    def _here(self, chunk: int) -> int:
        """Return the chunk of this session that has a number at the server."""
        return self._chunks[chunk] if 0 <= chunk < len(self._chunks) else self._chunk
