"""The protocol as a state machine: whatever is done in whatever order, the session does what a small reference says.

The model is scripted, so a decision is what the test says it is. The reference (`Reference`) knows nothing of caches,
features or events: it keeps a list of chunks with their positions, and the rules of docs/protocol.md §3 and of
`Settings`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ai_widgets.audio.intake import ChunkAudio
from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES, Chunk, Decision, Event, Notice, Token, Turn
from ai_widgets.session.perceive import Heard, Listener
from ai_widgets.session.session import StreamingSession
from ai_widgets.settings import Settings
from tests.events import said
from tests.scripted import ScriptedDecoder, scripted
from tests.signals import babble

PREFIX, BLOCK, SPARE = 12, 12, 16


@dataclass
class Reference:
    """What a session should do, in as few words as possible.

    `held` are the chunks in the context with the positions they take, `pending` is how many tokens are still to be fed,
    with which they will belong to the newest of them: the token drawn last, and TEXT_END where a reply was cut.
    """

    context: str
    limit: int
    seconds: float | None
    max_reply: int | None
    max_new: int | None
    held: list[list[int]] = field(default_factory=list)
    bare: bool = True
    pending: int = 0
    drawn: int = 0
    ended: bool = False

    @property
    def used(self) -> int:
        return 0 if self.bare else PREFIX + sum(positions for _, positions in self.held)

    @property
    def most(self) -> float:
        return float("inf") if self.seconds is None else int(self.seconds / 0.4 + 1e-6)

    def allowed(self) -> int | None:
        return 4096 if self.max_new is None and self.context == "stop" else self.max_new

    def decide(
        self, chunk: int, reply: int | None, interrupt_after: int | None = None
    ) -> tuple[list[str], int | None, str | None]:
        """Hear a chunk; `reply` is how many tokens the model would say, None for silence.

        An interruption comes after so many of its tokens.

        Returns the kinds of notices, how many tokens are said (None: not even a decision was made, or silence), and why
        the reply ended.
        """
        if self.ended:
            return [], None, None
        allowed = self.allowed()
        if allowed is not None and self.drawn >= allowed:
            self.ended = True
            return ["limit"], None, None
        notices = self._room()
        if self.ended:
            return notices, None, None
        self._open(chunk)
        self.drawn += 1
        if reply is None:
            return notices, None, None
        spoken, why = 0, None
        while why is None:
            if interrupt_after is not None and spoken >= interrupt_after:
                why = "interrupted"
                self.pending = 2
                continue
            if self.limit - self.used < 1 and self.context == "slide" and self._leave(1, 0, 1):
                notices.append("context_slide")
            if self.limit - self.used < 1 or spoken == self.max_reply or self.drawn == self.allowed():
                why = "limit"
                self.pending = 2
                notices.append("limit")
            else:
                self.held[-1][1] += 1
                self.drawn += 1
                if spoken == reply:
                    why = "TEXT_END"
                else:
                    spoken += 1
        return notices, spoken, why

    def _open(self, chunk: int) -> None:
        if self.bare:
            self.bare = False
        elif self.pending:
            self.held[-1][1] += self.pending
        self.held.append([chunk, BLOCK])
        self.pending = 1

    def _room(self) -> list[str]:
        opening = PREFIX if self.bare else self.pending
        positions, chunks = opening + BLOCK - (self.limit - self.used), len(self.held) + 1 - self.most
        if positions <= 0 and chunks <= 0:
            return []
        if self.context == "stop":
            self.ended = True
            return ["context_full"]
        if self.context == "reset":
            self.held, self.bare, self.pending = [], True, 0
            return ["context_reset"]
        return ["context_slide"] if self._leave(positions, chunks, 0) else []

    def _leave(self, positions: int, chunks: float, keep: int) -> bool:
        spare_positions = self.limit // SPARE if positions > 0 else 0
        spare_chunks = int(self.most) // SPARE if chunks > 0 else 0
        gone = freed = 0
        while self.held:
            needed = freed < positions or gone < chunks
            wished = (positions > 0 and freed < positions + spare_positions) or (
                chunks > 0 and gone < chunks + spare_chunks
            )
            stay = keep if needed else max(keep, 1)
            if not (needed or wished) or len(self.held) <= stay:
                break
            freed += self.held.pop(0)[1]
            gone += 1
        if not self.held:
            self.pending = 0
        return gone > 0


class ProtocolMachine(RuleBasedStateMachine):
    """Hear silence or a question, interrupt, change settings, end a recording: session and reference stay together."""

    model: ClassVar[Model]
    heard: ClassVar[Heard]

    @initialize(
        context=st.sampled_from(["slide", "reset", "stop"]),
        limit=st.integers(PREFIX + BLOCK + 1, 200),
        seconds=st.none() | st.sampled_from([0.4, 1.0, 2.0, 14.0]),
        max_reply=st.none() | st.integers(1, 30),
        max_new=st.none() | st.integers(1, 120),
    )
    def open(self, **given: Any) -> None:
        model, decoder = scripted(self.model)
        self.decoder: ScriptedDecoder = decoder
        names = {"context": "context", "limit": "context_limit", "seconds": "context_seconds"}
        names |= {"max_reply": "max_reply_tokens", "max_new": "max_new_tokens"}
        self.names = names
        self.session = StreamingSession(
            model, Settings(greedy=True, alternatives=0, **{names[name]: value for name, value in given.items()})
        )
        self.reference = Reference(**given)
        self.before: tuple[Any, ...] | None = None
        self.chunk = self.turn = 0

    @rule(reply=st.none() | st.integers(0, 40))
    def hear(self, reply: int | None) -> None:
        self._hear(reply, None)

    @rule(reply=st.integers(1, 20), after=st.integers(0, 19))
    def interrupt_a_reply(self, reply: int, after: int) -> None:
        """After so many of its tokens, or after the decision."""
        self._hear(reply, after)

    @rule()
    def interrupt_nothing(self) -> None:
        self.session.interrupt()

    @rule(
        name=st.sampled_from(["limit", "seconds", "max_reply", "context"]),
        limit=st.integers(PREFIX + BLOCK + 1, 200),
        seconds=st.none() | st.sampled_from([0.4, 1.2, 10.0]),
        max_reply=st.none() | st.integers(1, 30),
        context=st.sampled_from(["slide", "reset", "stop"]),
    )
    def change(self, name: str, **values: Any) -> None:
        self.before = self.before or self._settings()
        setattr(self.reference, name, values[name])
        self.session.change(**{self.names[name]: values[name]})

    def _settings(self) -> tuple[Any, ...]:
        reference = self.reference
        return reference.context, reference.limit, reference.seconds, reference.max_reply

    def _hear(self, reply: int | None, interrupt_after: int | None) -> None:
        tokens = self.model.traits.tokens
        self.decoder._decisions = iter([tokens["KEEP_SILENCE" if reply is None else "TEXT_BEGIN"]])
        self.decoder._replies = iter([[ord("x")] * (reply or 0)])
        self.decoder._reply = []
        expected_settings = self.before not in (None, self._settings())
        self.before = None
        was = self.reference.ended
        events: list[Event] = []
        spoken = 0
        for event in self.session.step(self.heard):
            events.append(event)
            spoken += isinstance(event, Token)
            if interrupt_after is not None and isinstance(event, (Decision, Token)) and spoken >= interrupt_after:
                self.session.interrupt()
        self._compare(events, reply, interrupt_after, expected_settings, was)
        self.chunk += 1

    def _compare(
        self,
        events: list[Event],
        reply: int | None,
        interrupt_after: int | None,
        settings_changed: bool,
        was_ended: bool,
    ) -> None:
        reference = self.reference
        notices, spoken, why = reference.decide(self.chunk, reply, interrupt_after)
        if settings_changed:
            notices = ["settings", *notices]
        assert [event.kind for event in events if isinstance(event, Notice)] == notices
        (chunk,) = (event for event in events if isinstance(event, Chunk))
        assert (chunk.chunk, "unheard" in chunk.flags) == (self.chunk, reference.ended)
        decisions = [event for event in events if isinstance(event, Decision)]
        assert len(decisions) == (not reference.ended)
        assert (self.session.ended is not None) == reference.ended
        assert was_ended <= reference.ended
        turns = [event for event in events if isinstance(event, Turn)]
        assert [(len(turn.tokens), turn.ended) for turn in turns] == ([] if why is None else [(spoken, why)])
        assert [turn.turn for turn in turns] == list(range(self.turn, self.turn + len(turns)))
        self.turn += len(turns)
        if decisions:
            assert decisions[0].used <= decisions[0].limit == reference.limit
            if not turns:
                assert (decisions[0].oldest, decisions[0].used) == (reference.held[0][0], reference.used)

    @precondition(lambda self: hasattr(self, "session"))
    @invariant()
    def positions_agree(self) -> None:
        if hasattr(self, "session"):
            assert self.session.position == self.reference.used
            assert self.session.chunks_done == self.chunk


@pytest.mark.parametrize("examples", [60])
def test_session_and_reference_stay_together(toy: Model, examples: int) -> None:
    ProtocolMachine.model = toy
    # Not silence, of which the session would tell after a while.
    sound = np.random.default_rng(0).normal(0, 0.05, CHUNK_SAMPLES).astype(np.float32)
    ProtocolMachine.heard = Listener(toy).hear(ChunkAudio(sound))
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        ProtocolMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@settings(max_examples=8)
@given(st.integers(0, 99), st.floats(1.0, 4.0), st.booleans())
def test_streamed_is_offline_while_nothing_slid(toy: Model, seed: int, seconds: float, greedy: bool) -> None:
    """A sliding context that has not slid yet is the growing one of the authors' offline runner."""
    audio = babble(seconds, seed)
    rules: dict[str, Any] = {"seed": seed, "greedy": greedy, "max_reply_tokens": 8}
    offline = said(toy.session(**rules, context="stop", context_limit=1_900).push(audio))
    streaming = toy.session(**rules, context="slide", context_limit=1_900)
    streamed = [
        event for start in range(0, len(audio), 1_700) for event in streaming.push(audio[start : start + 1_700])
    ]
    assert said(streamed) == offline
    assert not [event for event in offline if isinstance(event, Notice) and event.kind == "context_slide"]
