"""Ctrl-C and errors of the model at every possible point: context and record agree, nothing is lost, and it goes on."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ai_widgets.audio.intake import ChunkAudio
from ai_widgets.errors import AudioError
from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES, Chunk, Decision, Event, Token, Turn
from ai_widgets.session.perceive import Heard, Listener
from ai_widgets.session.session import StreamingSession
from ai_widgets.settings import Settings
from tests.events import said
from tests.interrupting import Bomb, check
from tests.scripted import scripted, spell
from tests.signals import Array, babble

STRIDE = int(os.environ.get("AI_WIDGETS_INTERRUPT_STRIDE", "97"))
"""Every n-th line is tried; 1 tries all, which takes some minutes. A prime, so that loops do not hide lines."""

AUDIO = babble(2.4)
PREFIX, BLOCK = 12, 12
SLIDING = Settings(seed=3, context_limit=PREFIX + 3 * (BLOCK + 1) + 4, max_reply_tokens=5)

Scenario = Callable[[StreamingSession], object]

SCENARIOS: dict[str, tuple[Scenario, Settings]] = {
    "push": (lambda s: [s.push(AUDIO[:9_000]), s.push(AUDIO[9_000:])], SLIDING),
    "push at another rate": (lambda s: s.push(AUDIO[: 2 * CHUNK_SAMPLES], 22_050), Settings(max_reply_tokens=3)),
    "stream": (lambda s: list(s.stream(AUDIO)), Settings(seed=3, context="reset", context_limit=70)),
    "clip": (lambda s: s.push_clip(AUDIO[:12_800], tail_silence=0.4), Settings(forget_after_reply=True)),
    "finish": (lambda s: [s.push(AUDIO[:9_000]), s.finish(0.4)], SLIDING),
    "change": (
        lambda s: [s.push(AUDIO[:6_400]), s.change(system_prompt="Other!", seed=5), s.push(AUDIO[6_400:19_200])],
        SLIDING,
    ),
    "step": (lambda s: [list(s.step(heard)) for heard in _heard(s.model)], SLIDING),
    "close": (lambda s: [next(s.stream(AUDIO[:12_800])), s.close()], SLIDING),
}


def _heard(model: Model) -> list[Heard]:
    listener = Listener(model)
    return [listener.hear(ChunkAudio(samples)) for samples in AUDIO[: 4 * CHUNK_SAMPLES].reshape(-1, CHUNK_SAMPLES)]


def points(run: Callable[[int], bool], first: int) -> int:
    """Call `run` with every line number from `first` on until nothing is hit any more; returns how many were hit."""
    at = first
    while run(at):
        at += STRIDE
    return (at - first) // STRIDE


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("name", SCENARIOS)
def test_at_every_line_context_and_record_agree(toy: Model, name: str, error: type[BaseException]) -> None:
    scenario, settings = SCENARIOS[name]

    def run(at: int) -> bool:
        model, _ = scripted(toy, ".T.T..T", [spell("abcdef"), spell("hi"), spell("xyz")])
        session = StreamingSession(model, settings)
        try:
            with Bomb(at, error) as bomb:
                scenario(session)
        except (error, AudioError):
            # A RuntimeError of numpy's conversion to an array becomes an AudioError.
            pass
        if bomb.where is None:
            return False
        try:
            check(session, complete=False)
            if not session.closed:
                # The next call goes on, with all that is pending.
                session.push(AUDIO[:CHUNK_SAMPLES])
                session.finish()
            check(session, complete=not session.closed)
        except Exception as wrong:
            raise AssertionError(f"after {error.__name__} at line {at}, {bomb.where}") from wrong
        return True

    assert points(run, 1 + (len(name) % STRIDE)) > 2


def test_what_ctrl_c_cut_is_decided_by_the_next_call_as_if_nothing_had_been(toy: Model) -> None:
    """With the real decoder: keys, values, draws and the listener are those of the uninterrupted session."""
    settings: dict[str, Any] = {"seed": 7, "bias": -1000.0, "context_limit": 70}
    expected = said(toy.session(**settings).push(AUDIO))
    assert len([event for event in expected if isinstance(event, Decision)]) == 6

    def run(at: int) -> bool:
        session = toy.session(**settings)
        given = False
        try:
            with Bomb(at, KeyboardInterrupt) as bomb:
                session.push(AUDIO)
        except KeyboardInterrupt:
            given = session._loop.busy_before(10**9) and bool(session._loop._feed._items or session.chunks_done)
        if bomb.where is None:
            return False
        session.push([])
        if given or len(session.record):
            told = [event for event in said(session.record.events) if not _lost_context(event)]
            if len(told) == len(said(session.record.events)):
                assert told == expected, f"line {at}, {bomb.where}"
        return True

    assert points(run, 5) > 1_500 // STRIDE


def _lost_context(event: Event) -> bool:
    return event.type == "notice" and "interrupted in the middle of a move" in getattr(event, "message", "")


@pytest.mark.parametrize("rate", [16_000, 24_000])
def test_no_sample_is_lost_or_heard_twice(toy: Model, rate: int) -> None:
    """What was given before stays; the block at work is heard whole or, where the call had not begun, not at all."""
    blocks = [babble(0.9, 1), babble(1.3, 2)]

    def heard(parts: list[Array]) -> Array:
        session = StreamingSession(scripted(toy)[0])
        for part in parts:
            session.push(part, rate)
        session.finish()
        return session.record.audio

    whole, without = heard(blocks), heard(blocks[:1])

    def run(at: int) -> bool:
        session = StreamingSession(scripted(toy)[0])
        session.push(blocks[0], rate)
        try:
            with Bomb(at, KeyboardInterrupt) as bomb:
                session.push(blocks[1], rate)
        except KeyboardInterrupt:
            pass
        if bomb.where is None:
            return False
        session.finish()
        audio = session.record.audio
        kinds = [event.kind for event in session.record.events if event.type == "notice"]  # type: ignore[attr-defined]
        if kinds:
            assert kinds == ["input_interrupted"], bomb.where
            assert rate != 16_000
        else:
            assert any(np.array_equal(audio, one) for one in (whole, without)), f"line {at}, {bomb.where}"
        return True

    assert points(run, 2) > 500 // STRIDE


def until_a_token(session: StreamingSession, chunks: int) -> None:
    """Ctrl-C while the caller handles a reply's first token."""
    for event in session.stream(np.zeros(chunks * CHUNK_SAMPLES, np.float32)):
        if isinstance(event, Token):
            raise KeyboardInterrupt


class TestCutReply:
    @pytest.mark.parametrize(("error", "ended"), [(KeyboardInterrupt, "interrupted"), (RuntimeError, "error")])
    @pytest.mark.parametrize("spoken", range(4))
    def test_it_ends_with_text_end_in_the_context_and_a_turn(
        self, toy: Model, error: type[BaseException], ended: str, spoken: int
    ) -> None:
        def raising(fed: Any) -> None:
            if fed.frames is None and len(decoder.fed) == spoken + 2:
                raise error("stop")

        model, decoder = scripted(toy, "T.", [spell("abcdef")], during=raising)
        session = StreamingSession(model)
        with pytest.raises(error):
            session.push(np.zeros(2 * CHUNK_SAMPLES, np.float32))
        (turn,) = session.record.of_type(Turn)
        assert (turn.text, turn.ended) == ("abcdef"[:spoken], ended)
        check(session, complete=False)
        tokens = toy.traits.tokens
        last = ord("abcdef"[spoken - 1]) if spoken else tokens["TEXT_BEGIN"]
        session.push([])
        assert decoder.fed[-1].tokens[:2] == [last, tokens["TEXT_END"]]
        assert [d.chunk for d in session.record.of_type(Decision)] == [0, 1]
        check(session, complete=True)

    def test_ctrl_c_in_the_loop_body_cuts_nothing(self, toy: Model) -> None:
        """The session was not at work then; the next call finishes the reply."""
        model, _ = scripted(toy, "T", [spell("hello")])
        session = StreamingSession(model)
        with pytest.raises(KeyboardInterrupt):
            until_a_token(session, 1)
        session.push([])
        assert [(turn.text, turn.ended) for turn in session.record.of_type(Turn)] == [("hello", "TEXT_END")]

    def test_a_with_block_that_is_interrupted_closes_and_tells_what_is_lost(self, toy: Model) -> None:
        model, _ = scripted(toy, "T", [spell("hello")])
        with pytest.raises(KeyboardInterrupt), StreamingSession(model) as session:
            until_a_token(session, 3)
        assert session.closed
        assert [(turn.text, turn.ended) for turn in session.record.of_type(Turn)] == [("h", "interrupted")]
        assert session.record.events[-1].data["seconds"] == pytest.approx(0.8)  # type: ignore[attr-defined]


class TestModelThatRaises:
    @pytest.mark.parametrize(
        "call", [StreamingSession.push, lambda session, samples: session.push_clip(samples, tail_silence=0)]
    )
    def test_a_chunk_that_cannot_be_perceived_is_recorded_and_told(
        self, toy: Model, monkeypatch: pytest.MonkeyPatch, call: Any
    ) -> None:
        session = toy.session(seed=1, max_reply_tokens=2)
        session.push(AUDIO[:CHUNK_SAMPLES])

        def fail(*_: Any) -> None:
            raise RuntimeError("no memory")

        with monkeypatch.context() as patch:
            patch.setattr(type(toy.encoder), "encode", fail)
            with pytest.raises(RuntimeError, match="no memory"):
                call(session, AUDIO[CHUNK_SAMPLES : 2 * CHUNK_SAMPLES])
        session.push(AUDIO[2 * CHUNK_SAMPLES : 3 * CHUNK_SAMPLES])
        chunks = session.record.of_type(Chunk)
        assert ["unheard" in chunk.flags for chunk in chunks] == [False, True, False]
        np.testing.assert_array_equal(session.record.audio, AUDIO[: 3 * CHUNK_SAMPLES])
        assert [decision.chunk for decision in session.record.of_type(Decision)] == [0, 2]
        check(session, complete=True)

    def test_audio_given_while_pending_audio_fails_is_pending_too(self, toy: Model) -> None:
        model, _ = scripted(toy, "x..", x=RuntimeError("once"))
        session = StreamingSession(model)
        session.stream(np.zeros(CHUNK_SAMPLES, np.float32))
        with pytest.raises(RuntimeError, match="once"):
            session.push(np.zeros(CHUNK_SAMPLES, np.float32))
        session.push([])
        assert [decision.chunk for decision in session.record.of_type(Decision)] == [1]
        check(session, complete=True)
