"""Limits, interruptions and violations end a reply or a session with an event, never with an exception."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from ai_widgets.errors import SessionError, SettingError
from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES, Chunk, Decision, Event, Notice, Token, Turn
from ai_widgets.session.session import StreamingSession
from ai_widgets.settings import Settings
from tests.scripted import scripted, spell
from tests.signals import babble

PREFIX = 12
"""Positions of the toy's prefix: five special tokens and "Listen."."""
BLOCK = 12


def silence(chunks: int) -> np.ndarray[Any, Any]:
    return np.zeros(chunks * CHUNK_SAMPLES, np.float32)


def of(kind: type, events: Iterable[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def notices(events: Iterable[Event]) -> list[tuple[str, int]]:
    return [(notice.kind, notice.chunk) for notice in of(Notice, events)]


class TestContextStop:
    def test_a_full_context_ends_the_session_with_an_event(self, toy: Model) -> None:
        model, decoder = scripted(toy)
        settings = Settings(context="stop", context_limit=PREFIX + BLOCK + 2 * 13 + 12)
        session = StreamingSession(model, settings)
        events = list(session.push(silence(6)))
        assert [decision.chunk for decision in of(Decision, events)] == [0, 1, 2]
        assert notices(events) == [("context_full", 3)]
        assert "50 of 62 positions" in of(Notice, events)[0].message
        assert session.ended == of(Notice, events)[0].message
        assert len(decoder.fed) == 3

    def test_later_audio_is_recorded_and_flagged(self, toy: Model) -> None:
        model, _ = scripted(toy)
        session = StreamingSession(model, Settings(context="stop", context_limit=PREFIX + BLOCK + 13))
        events = [*session.push(silence(4)), *session.push(babble(0.4))]
        flags = [("unheard" in chunk.flags) for chunk in of(Chunk, events)]
        assert flags == [False, False, True, True, True]
        assert notices(events) == [("context_full", 2)]
        assert session.record.seconds == pytest.approx(2.0)

    @pytest.mark.parametrize("room", range(1, 5))
    def test_a_reply_that_fills_the_context_is_cut(self, toy: Model, room: int) -> None:
        model, _ = scripted(toy, "T", [spell("a long reply")])
        session = StreamingSession(model, Settings(context="stop", context_limit=PREFIX + BLOCK + room))
        events = list(session.push(silence(2)))
        turn = of(Turn, events)[0]
        # One position feeds TEXT_BEGIN and gives the first token, each further one feeds a token.
        assert (turn.ended, turn.text) == ("limit", "a long reply"[:room])
        assert notices(events) == [("limit", 0), ("context_full", 1)]
        assert session.position == PREFIX + BLOCK + room

    def test_a_decision_that_exactly_fits(self, toy: Model) -> None:
        model, _ = scripted(toy, ".T", [spell("no room")])
        session = StreamingSession(model, Settings(context="stop", context_limit=PREFIX + BLOCK + 13))
        events = list(session.push(silence(2)))
        assert [(turn.ended, turn.tokens) for turn in of(Turn, events)] == [("limit", ())]
        assert notices(events) == [("limit", 1)]

    def test_the_card_stops_at_4096_tokens(self, toy: Model) -> None:
        session = StreamingSession(toy, Settings(context="stop"))
        assert session._loop.state.progress.terms.max_new_tokens == 4096
        assert StreamingSession(toy, Settings(context="reset"))._loop.state.progress.terms.max_new_tokens is None

    def test_the_limit_is_never_above_the_checkpoints(self, toy: Model) -> None:
        assert StreamingSession(toy, Settings(context_limit=10**6)).context_limit == 2048
        assert StreamingSession(toy, Settings(context="stop")).context_limit == 2048
        # As on the authors' web page, which clears its context there.
        assert StreamingSession(toy, Settings(context="reset")).context_limit == 1500

    def test_a_context_too_short_for_one_chunk(self, toy: Model) -> None:
        with pytest.raises(SettingError, match="need 25; raise context_limit or shorten system_prompt"):
            StreamingSession(toy, Settings(context_limit=PREFIX + BLOCK))
        assert StreamingSession(toy, Settings(context_limit=PREFIX + BLOCK + 1)).context_limit == 25

    def test_the_real_model_never_passes_the_limit(self, toy: Model) -> None:
        session = StreamingSession(toy, Settings(context="stop", context_limit=120, greedy=True))
        events = list(session.push(babble(12)))
        assert session.position <= 120
        assert "context_full" in dict(notices(events))
        assert len(of(Chunk, events)) == 30


class TestContextReset:
    def test_a_full_context_starts_over_with_an_event(self, toy: Model) -> None:
        model, decoder = scripted(toy)
        session = StreamingSession(model, Settings(context="reset", context_limit=PREFIX + BLOCK + 13 + 5))
        events = list(session.push(silence(6)))
        assert len(of(Decision, events)) == 6
        assert notices(events) == [("context_reset", 2), ("context_reset", 4)]
        assert of(Notice, events)[0].data == {"used": 37, "limit": 42, "why": "full"}
        starts = [fed.start for fed in decoder.fed]
        assert starts == [0, 24] * 3
        assert decoder.fed[2].tokens == decoder.fed[0].tokens
        assert session.ended is None

    def test_after_a_reset_the_session_is_like_a_new_one(self, toy: Model) -> None:
        settings = Settings(greedy=True, bias=-1000, context="reset", context_limit=PREFIX + BLOCK + 13)
        session = StreamingSession(toy, settings)
        chunk = babble(0.4, 5)
        logits = [d.logit_keep for d in of(Decision, session.push(np.tile(chunk, 6)))]
        assert logits[2] == pytest.approx(logits[4], abs=1e-3)
        assert logits[3] == pytest.approx(logits[5], abs=1e-3)

    def test_the_authors_page_forgets_after_each_reply(self, toy: Model) -> None:
        model, decoder = scripted(toy, ".T.", [spell("hi")])
        session = StreamingSession(model, Settings(forget_after_reply=True))
        events = list(session.push(silence(3)))
        assert notices(events) == [("context_reset", 1)]
        kinds = [event.type for event in events if event.chunk == 1]
        assert kinds == ["chunk", "decision", "token", "token", "turn", "notice", "timing"]
        assert decoder.fed[-1].start == 0
        assert decoder.fed[-1].tokens == decoder.fed[0].tokens


class TestTokenLimits:
    def test_max_reply_tokens(self, toy: Model) -> None:
        model, decoder = scripted(toy, "T.", [spell("a long reply")])
        session = StreamingSession(model, Settings(max_reply_tokens=6))
        events = list(session.push(silence(2)))
        assert [(turn.ended, turn.text) for turn in of(Turn, events)] == [("limit", "a long")]
        assert "max_reply_tokens" in of(Notice, events)[0].message
        # For the model too the reply has ended, after its last token.
        assert decoder.fed[-1].tokens[:2] == [ord("g"), toy.traits.tokens["TEXT_END"]]

    def test_a_reply_of_exactly_the_limit(self, toy: Model) -> None:
        """What the model would have said next is not known, so it counts as cut."""
        model, _ = scripted(toy, "T", [spell("abc")])
        events = list(StreamingSession(model, Settings(max_reply_tokens=4)).push(silence(1)))
        assert [(turn.ended, turn.text) for turn in of(Turn, events)] == [("TEXT_END", "abc")]

    def test_max_new_tokens_counts_decisions_and_cuts_a_reply(self, toy: Model) -> None:
        model, _ = scripted(toy, ".T", [spell("abcdef")])
        session = StreamingSession(model, Settings(max_new_tokens=5))
        events = list(session.push(silence(4)))
        assert [(turn.ended, turn.text) for turn in of(Turn, events)] == [("limit", "abc")]
        assert notices(events) == [("limit", 1), ("limit", 2)]
        assert ["unheard" in chunk.flags for chunk in of(Chunk, events)] == [False, False, True, True]
        assert session.ended is not None
        assert "5 tokens" in session.ended


class TestInterrupt:
    def test_a_reply_ends_after_the_token_at_work(self, toy: Model) -> None:
        model, decoder = scripted(toy, "T.", [spell("a long reply")])
        session = StreamingSession(model)
        events = []
        for event in session.stream(silence(2)):
            events.append(event)
            if isinstance(event, Token) and event.text == "o":
                session.interrupt()
        assert [(turn.ended, turn.text) for turn in of(Turn, events)] == [("interrupted", "a lo")]
        assert len(of(Decision, events)) == 2
        assert decoder.fed[-1].tokens[:2] == [ord("o"), toy.traits.tokens["TEXT_END"]]

    def test_without_a_reply_nothing_happens(self, toy: Model) -> None:
        model, _ = scripted(toy, ".T", [spell("hi")])
        session = StreamingSession(model)
        session.interrupt()
        list(session.push(silence(1)))
        session.interrupt()
        events = list(session.push(silence(1)))
        assert [(turn.ended, turn.text) for turn in of(Turn, events)] == [("TEXT_END", "hi")]

    def test_before_the_first_token(self, toy: Model) -> None:
        """The context holds an empty reply: TEXT_BEGIN, TEXT_END."""
        model, decoder = scripted(toy, "T.", [spell("hi")])
        session = StreamingSession(model)
        events = []
        for event in session.stream(silence(2)):
            events.append(event)
            if isinstance(event, Decision):
                session.interrupt()
        assert [(turn.ended, turn.tokens) for turn in of(Turn, events)] == [("interrupted", ())]
        tokens = toy.traits.tokens
        assert decoder.fed[-1].tokens[:2] == [tokens["TEXT_BEGIN"], tokens["TEXT_END"]]


class TestMask:
    def test_masked_a_violation_cannot_happen(self, toy: Model) -> None:
        model, _ = scripted(toy, "x", x=65)
        events = list(StreamingSession(model, Settings(greedy=True)).push(silence(1)))
        decision = of(Decision, events)[0]
        assert decision.choice in ("KEEP_SILENCE", "TEXT_BEGIN")
        assert (decision.argmax, decision.p_other) == (65, pytest.approx(1, abs=1e-3))

    def test_unmasked_a_violation_is_an_event(self, toy: Model) -> None:
        model, decoder = scripted(toy, "x.", x=65)
        session = StreamingSession(model, Settings(greedy=True, mask=False))
        events = list(session.push(silence(2)))
        assert [(d.choice, d.token) for d in of(Decision, events)] == [
            ("OTHER", 65),
            ("KEEP_SILENCE", toy.traits.tokens["KEEP_SILENCE"]),
        ]
        assert notices(events) == [("violation", 0)]
        assert of(Notice, events)[0].data == {"token": 65}
        assert "'A'" in of(Notice, events)[0].message
        # As the authors' page: the model reads on from what it said.
        assert decoder.fed[1].tokens[0] == 65

    def test_strict_makes_it_an_error_and_the_decision_is_kept(self, toy: Model) -> None:
        model, _ = scripted(toy, "x.", x=65)
        session = StreamingSession(model, Settings(greedy=True, mask=False, strict=True))
        with pytest.raises(SessionError, match=r"'A' \(65\).*Set mask=True to prevent it, or strict=False"):
            session.push(silence(2))
        assert [decision.choice for decision in session.record.of_type(Decision)] == ["OTHER"]
        session.finish()
        assert [decision.choice for decision in session.record.of_type(Decision)] == ["OTHER", "KEEP_SILENCE"]

    def test_bias_moves_decisions_and_not_the_raw_figures(self, toy: Model) -> None:
        def decision(bias: float) -> Decision:
            settings = Settings(greedy=True, bias=bias, max_reply_tokens=1)
            found: Decision = of(Decision, StreamingSession(toy, settings).push(babble(0.4)))[0]
            return found

        never, always = decision(-500), decision(500)
        assert (never.choice, always.choice) == ("KEEP_SILENCE", "TEXT_BEGIN")
        assert never.p_text == always.p_text
        assert never.logit_text == always.logit_text


def test_a_model_that_raises_ends_its_step_only(toy: Model) -> None:
    model, _ = scripted(toy, ".x.", x=RuntimeError("out of memory"))
    session = StreamingSession(model)
    with pytest.raises(RuntimeError, match="out of memory"):
        session.push(silence(3))
    assert [decision.chunk for decision in session.record.of_type(Decision)] == [0]
    assert session.push([]) == []
    assert [decision.chunk for decision in session.record.of_type(Decision)] == [0, 2]
    (notice,) = session.record.of_type(Notice)
    assert (notice.kind, notice.chunk, notice.data) == ("undecided", 1, {"error": "RuntimeError"})
    assert "out of memory" in notice.message
