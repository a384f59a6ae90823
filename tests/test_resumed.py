"""A session that goes on from its past alone: the same context, token by token, and the same random numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ai_widgets.errors import SessionError
from ai_widgets.inference import Model
from ai_widgets.model.passes import TokenPass
from ai_widgets.policies.constant import AlwaysReply
from ai_widgets.protocol import CHUNK_SAMPLES, Decision, Event, Notice, Token, Turn
from ai_widgets.session.ensemble import Ensemble
from ai_widgets.session.features_state import FRESH
from ai_widgets.session.pasts import CUT, END, Kept
from ai_widgets.session.resumed import Past, resumed
from ai_widgets.session.session import StreamingSession
from ai_widgets.settings import Settings
from tests.learners import facts
from tests.signals import babble

SOUND = babble(6.0, 2)
CHUNKS = 15
RULES = {"bias": 1.0, "max_reply_tokens": 4, "temperature": 1.0, "seed": 3}


def past_of(session: StreamingSession) -> Past:
    """What the context of a session held, read off its events, as a client of a server keeps it."""
    kept: list[Kept] = []
    draws, begun = 0, False
    for event in session.record.since(0):
        if isinstance(event, Decision):
            samples = session.record.chunk_audio(event.chunk)
            assert samples is not None
            mark = session._loop.marks.get(event.chunk)
            assert mark is not None
            kept.append(Kept(samples, event.token, before=mark.state.features))
            draws, begun, greedy = draws + (event.draw is not None), True, event.rule["greedy"]
        elif isinstance(event, Token):
            kept[-1] = replace(kept[-1], reply=(*kept[-1].reply, event.token))
            draws += event.draw is not None
        elif isinstance(event, Turn):
            kept[-1] = replace(kept[-1], ended=END if event.ended == "TEXT_END" else CUT)
            draws += event.ended == "TEXT_END" and not greedy
        elif isinstance(event, Notice) and event.kind == "context_slide":
            first, last = event.data["chunks"]
            del kept[: last - first + 1]
        elif isinstance(event, Notice) and event.kind == "context_reset":
            kept, begun = [], False
    features = session._loop.state.features if not kept or kept[0].before is None else kept[0].before
    return Past(tuple(kept), draws, features, begun and not kept)


def renumbered(events: list[Event], chunks: int, turns: int) -> list[tuple[object, ...]]:
    """Facts with the numbers of the session that goes on, whose first chunk follows those of its past."""
    told = facts([event for event in events if not isinstance(event, Notice)])
    moved = {"decision": 1, "token": 2, "turn": 2, "chunk": 1}
    return [
        (kind, *(value - by for value, by in zip(rest, (chunks, turns)[: moved[kind]], strict=False)),
         *rest[moved[kind] :])
        for kind, *rest in told
    ]  # fmt: skip


def go_on(session: StreamingSession, sound: np.ndarray) -> list[Event]:
    return [*session.push(sound), *session.finish(0.4)]


def both(model: Model, chunks: int, **settings: object) -> tuple[StreamingSession, list[Event], Past, list[Event]]:
    """A session, its events after a chunk, its past there, and the events of one that goes on from that."""
    rules = {**RULES, **settings}
    original = model.session(**rules)
    original.push(SOUND[: chunks * CHUNK_SAMPLES])
    past = past_of(original)
    other = resumed(model, Settings.of(rules), past)
    turns = original.record.count(Turn)
    left = go_on(original, SOUND[chunks * CHUNK_SAMPLES :])
    told = go_on(other, SOUND[chunks * CHUNK_SAMPLES :])
    before = sum(bool(chunk.ended) for chunk in past.chunks)
    assert renumbered(told, len(past.chunks), before) == renumbered(left, chunks, turns)
    return original, left, past, told


class TestExact:
    @examples(max_examples=20)
    @given(
        chunks=st.integers(0, CHUNKS - 1),
        seed=st.integers(0, 20),
        bias=st.sampled_from([-1.0, 1.0, 4.0]),
        greedy=st.booleans(),
        tokens=st.sampled_from([1, 4, None]),
    )
    def test_it_decides_and_replies_as_the_session_that_went_on(
        self, toy: Model, chunks: int, seed: int, bias: float, greedy: bool, tokens: int | None
    ) -> None:
        rules = {"seed": seed, "bias": bias, "greedy": greedy, "max_reply_tokens": tokens, "context_limit": 700}
        _, left, _, told = both(toy, chunks, **rules)
        was, now = ([e for e in events if isinstance(e, (Decision, Token))] for events in (left, told))
        assert [event.position for event in now] == [event.position for event in was]
        assert [e.before for e in now if isinstance(e, Decision)] == [e.before for e in was if isinstance(e, Decision)]
        numbers = [[e.logit_text for e in events if isinstance(e, Decision)] for events in (now, was)]
        assert numbers[0] == pytest.approx(numbers[1], abs=1e-4)

    def test_an_interrupted_reply_is_closed_in_the_context(self, toy: Model) -> None:
        original = toy.session(**{**RULES, "bias": 9.0, "max_reply_tokens": None})
        for event in original.stream(SOUND[:CHUNK_SAMPLES]):
            if isinstance(event, Token):
                original.interrupt()
        past = past_of(original)
        assert [chunk.ended for chunk in past.chunks] == [CUT]
        other = resumed(toy, original.settings, past)
        (left, told) = (each.push(SOUND[CHUNK_SAMPLES : 2 * CHUNK_SAMPLES])[0:2] for each in (original, other))
        assert facts(told) == facts(left)
        assert told[1].before == left[1].before  # type: ignore[attr-defined]

    def test_a_context_that_forgot_everything_goes_on_empty(self, toy: Model) -> None:
        *_, past, _ = both(toy, 6, bias=9.0, forget_after_reply=True)
        assert not past.chunks

    def test_a_context_that_slid_holds_the_same_chunks_at_the_same_positions(self, toy: Model) -> None:
        framing = toy.framing(Settings())
        limit = len(framing.prefix) + 6 * (len(framing.block) + 1)
        original = toy.session(**{**RULES, "bias": -20.0, "context_limit": limit})
        original.push(SOUND[: 10 * CHUNK_SAMPLES])
        past = past_of(original)
        other = resumed(toy, original.settings, past)
        pairs = zip(*(
            [e for e in go_on(each, SOUND[10 * CHUNK_SAMPLES :]) if isinstance(e, Decision)]
            for each in (original, other)
        ), strict=True)  # fmt: skip
        assert 0 < len(past.chunks) < 10
        assert all((was.position, was.used, was.draw) == (now.position, now.used, now.draw) for was, now in pairs)

    def test_a_decoder_that_tells_no_embeddings_is_fed_chunk_by_chunk(
        self, toy: Model, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from ai_widgets.session import resumed as module

        monkeypatch.setattr(module, "EmbeddingDecoder", int)
        both(toy, 9, bias=2.0)

    def test_several_pasts_are_fed_in_one_round(self, toy: Model) -> None:
        original = toy.session(**RULES)
        original.push(SOUND[: 12 * CHUNK_SAMPLES])
        many = [resumed(toy, original.settings, past_of(original)) for _ in range(3)]
        for each in many:
            each.put(SOUND[12 * CHUNK_SAMPLES :])
        assert all(each._loop.rebuilding for each in many)  # type: ignore[attr-defined]
        Ensemble.advance(many)
        assert not any(each._loop.rebuilding for each in many)  # type: ignore[attr-defined]
        while True in Ensemble.advance(many):
            pass
        told = [facts(list(each.record.since(0))) for each in many]
        assert told[0] == told[1] == told[2]


class TestFailures:
    def test_a_policy_has_no_context(self) -> None:
        with pytest.raises(SessionError, match="no context"):
            resumed(AlwaysReply(), Settings(), Past((), 0, FRESH))  # type: ignore[arg-type]

    @pytest.mark.parametrize(("chunks", "token"), [(500, 1), (1, 10**9)])
    def test_a_past_that_does_not_fit_is_refused(self, toy: Model, chunks: int, token: int) -> None:
        kept = Kept(np.zeros(CHUNK_SAMPLES, np.float32), token)
        with pytest.raises(SessionError, match="The past"):
            resumed(toy, Settings(context_limit=200), Past((kept,) * chunks, 0, FRESH))

    def test_a_failure_starts_the_context_over_with_a_notice(self, toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
        kept = Kept(SOUND[:CHUNK_SAMPLES], 5)
        session = resumed(toy, Settings(seed=1), Past((kept,) * 3, 0, FRESH))

        def fail(_: TokenPass) -> None:
            raise ValueError("broken")

        with monkeypatch.context() as broken:
            broken.setattr(TokenPass, "run", fail)
            with pytest.raises(ValueError, match="broken"):
                session.push(SOUND[:CHUNK_SAMPLES])
        events = list(session.record.since(0)) + session.run_on()
        notices = [event for event in events if isinstance(event, Notice)]
        assert [(notice.kind, notice.chunk) for notice in notices][:1] == [("context_reset", 3)]
        decision = next(event for event in events if isinstance(event, Decision))
        assert decision.before == toy.framing(Settings()).prefix
