"""Many contexts in one forward pass, many sessions in one round: each decides as it does alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_widgets.errors import SessionError
from ai_widgets.inference import Model
from ai_widgets.model.context import Context
from ai_widgets.model.decoder import Decoder
from ai_widgets.model.passes import EncoderPass, TokenPass, together
from ai_widgets.protocol import CHUNK_SAMPLES, Decision, Token, Turn
from ai_widgets.session.replay import COMPARED, first_difference
from ai_widgets.session.session import StreamingSession
from ai_widgets.session.together import advance_together, run_each
from tests.interrupting import Bomb, check
from tests.scripted import scripted, spell
from tests.signals import babble
from tests.test_session_interrupts import SLIDING, STRIDE

PREFIX, LIMIT = 5, 48
CLOSE = {"atol": 1e-4, "rtol": 0}
"""Float32 sums in another order; measured differences are below 1e-5."""
P_TOLERANCE = 1e-4
"""Largest difference of a logit or a probability of a session among others to that of the session alone."""


@pytest.fixture(scope="module", params=["exact", "float16"])
def decoder(request: pytest.FixtureRequest, toy: Model) -> Decoder:
    return Decoder(toy.decoder.model, request.param)


@dataclass
class Twins:
    """Two contexts with the same history: one is fed among others, one alone."""

    among: Context
    alone: Context
    held: list[int] = field(default_factory=list)

    def make_room(self, count: int) -> None:
        while self.held and self.among.room < count:
            evicted = self.held.pop(0)
            self.among.slide(PREFIX, evicted)
            self.alone.slide(PREFIX, evicted)


ticks = st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 14)), min_size=1, max_size=6), max_size=20)
"""For each tick, the contexts that take part, each with its number of tokens."""


@settings(max_examples=12)
@given(ticks=ticks, long_at=st.integers(0, 5), seed=st.integers(0, 99))
def test_logits_are_those_of_each_context_alone(
    decoder: Decoder, ticks: list[list[tuple[int, int]]], long_at: int, seed: int
) -> None:
    """Contexts of any lengths, one of them beyond 2048 positions, where rounding changes; slides at any tick."""
    random = np.random.default_rng(seed)
    twins: dict[int, Twins] = {}
    for tick in ticks:
        fed: list[tuple[Twins, list[int]]] = []
        for number, count in dict(tick).items():
            if number not in twins:
                limit = 3_000 if number == long_at else LIMIT
                twins[number] = Twins(decoder.context(limit), decoder.context(limit))
                start = random.integers(0, 250, 2_100 if number == long_at else PREFIX).tolist()
                for context in (twins[number].among, twins[number].alone):
                    decoder.feed(context, start)
            twin = twins[number]
            twin.make_room(count)
            twin.held.append(count)
            fed.append((twin, random.integers(0, 250, count).tolist()))
        together_ = decoder.advance_many([twin.among for twin, _ in fed], [decoder.embed(tokens) for _, tokens in fed])
        for (twin, tokens), logits in zip(fed, together_, strict=True):
            torch.testing.assert_close(logits, decoder.feed(twin.alone, tokens), **CLOSE)
            assert twin.among.position == twin.alone.position


def test_one_context_is_fed_bit_for_bit_as_by_advance(decoder: Decoder) -> None:
    among, alone = decoder.context(LIMIT), decoder.context(LIMIT)
    embeddings = decoder.embed(list(range(13)))
    assert torch.equal(decoder.advance_many([among], [embeddings])[0], decoder.advance(alone, embeddings))


def test_a_context_is_in_a_pass_once(decoder: Decoder) -> None:
    context, embeddings = decoder.context(LIMIT), decoder.embed([1])
    for contexts in ([], [context, context]):
        with pytest.raises(SessionError, match="each of them once"):
            decoder.advance_many(contexts, [embeddings] * len(contexts))
    assert context.position == 0


def test_chunks_of_several_sessions_are_encoded_as_one_batch(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    mels = [
        np.random.default_rng(n).normal(size=(128, 40 * count)).astype(np.float32) for n, count in enumerate((1, 3))
    ]
    expected = [toy.encoder.encode(each) for each in mels]
    lengths: list[int] = []
    encode = toy.encoder.encode
    monkeypatch.setattr(toy.encoder, "encode", lambda given: (lengths.append(given.shape[1]), encode(given))[1])
    for result, alone in zip(together([EncoderPass(toy.encoder, each) for each in mels]), expected, strict=True):
        assert isinstance(result, torch.Tensor)
        torch.testing.assert_close(result, alone, **CLOSE)
    assert lengths == [160]


def test_an_error_of_a_common_pass_stays_with_the_pass_that_causes_it(toy: Model) -> None:
    decoder = toy.decoder
    contexts = [decoder.context(LIMIT) for _ in range(3)]
    passes = [
        TokenPass(decoder, context, tokens) for context, tokens in zip(contexts, ([1], [10**6], [2]), strict=True)
    ]
    first, wrong, last = together(passes)
    assert isinstance(wrong, IndexError)
    for result, token in ((first, 1), (last, 2)):
        assert isinstance(result, torch.Tensor)
        torch.testing.assert_close(result, decoder.feed(decoder.context(LIMIT), [token]), **CLOSE)
    assert [context.position for context in contexts] == [1, 0, 1]


@dataclass(frozen=True)
class Plan:
    """One session: its settings, its audio, the round in which it joins, and where it is forked, if at all."""

    settings: dict[str, Any]
    seconds: float
    sound: int
    joins: int
    fork: int | None


plans = st.builds(
    Plan,
    st.fixed_dictionaries(
        {
            "seed": st.integers(0, 9),
            "bias": st.sampled_from([-2.0, 0.0, 3.0]),
            "context": st.sampled_from(["slide", "reset", "stop"]),
            "context_limit": st.sampled_from([52, 70, 400]),
            "max_reply_tokens": st.sampled_from([1, 4, 9]),
            "greedy": st.booleans(),
        }
    ),
    st.sampled_from([0.4, 1.0, 2.4]),
    st.integers(0, 3),
    st.integers(0, 30),
    st.one_of(st.none(), st.integers(0, 2)),
)


def whole(model: Model, plan: Plan) -> list[StreamingSession]:
    """Sessions of a plan with their audio pending; a fork begins with what the session has decided alone."""
    from ai_widgets.session.given_audio import clip_items

    session = model.session(**plan.settings)
    sound = babble(plan.seconds, plan.sound)
    made = [session]
    if plan.fork is not None:
        session.push(babble(1.2, plan.sound + 1))
        made.append(session.fork(plan.fork, bias=1.0))
    session._loop.put(clip_items(sound, None, "running" if plan.sound % 2 else "clip", 0.4))
    return made


@settings(max_examples=12)
@given(st.lists(plans, min_size=1, max_size=5), st.integers(2, 4))
def test_each_session_decides_and_says_what_it_does_alone(toy: Model, mixed: list[Plan], places: int) -> None:
    expected = [session for plan in mixed for session in whole(toy, plan)]
    for session in expected:
        session.run_on()
    found = [(plan.joins, session) for plan in mixed for session in whole(toy, plan)]
    waiting, running, rounds = list(found), list[StreamingSession](), 0
    while waiting or running:
        running += [session for joins, session in waiting if joins <= rounds]
        waiting = [(joins, session) for joins, session in waiting if joins > rounds]
        taking_part = running[rounds % 2 :] or running
        outcomes = dict(zip(taking_part, advance_together([each._loop for each in taking_part]), strict=True))
        assert all(isinstance(outcome, bool) for outcome in outcomes.values())
        running = [session for session in running if outcomes.get(session) is not False]
        rounds += 1
    for alone, (_, among) in zip(expected, found, strict=True):
        same(alone, among)
        check(among, complete=True)


def same(alone: StreamingSession, among: StreamingSession) -> None:
    """Same decisions, tokens, replies and positions; logits and probabilities within `P_TOLERANCE`."""
    both = [[e for e in s.record.events if isinstance(e, (Decision, Token, Turn))] for s in (alone, among)]
    assert len(both[0]) == len(both[1]) > 0
    for was, now in zip(*both, strict=True):
        assert first_difference(was, now, P_TOLERANCE, COMPARED) is None
    assert [(e.type, e.chunk) for e in alone.record.events] == [(e.type, e.chunk) for e in among.record.events]
    assert alone.position == among.position


class TestFailures:
    def test_the_others_go_on_where_one_fails(self, toy: Model) -> None:
        models = [
            scripted(toy, script, [spell("ab")], E=RuntimeError("broken"))[0] for script in ("..T.", ".E..", "T...")
        ]
        sessions = [StreamingSession(model) for model in models]
        loops = [pending(session, 4) for session in sessions]
        errors = dict(run_each(loops))
        assert [type(errors[loop]).__name__ for loop in loops] == ["NoneType", "RuntimeError", "NoneType"]
        assert [len(session.record.of_type(Decision)) for session in sessions] == [4, 1, 4]
        sessions[1].run_on()
        assert [e.chunk for e in sessions[1].record.of_type(Decision)] == [0, 2, 3]
        for session in sessions:
            check(session, complete=True)

    def test_skipped_errors_do_not_end_a_loop(self, toy: Model) -> None:
        model, _ = scripted(toy, ".E..", E=RuntimeError("broken"))
        session = StreamingSession(model)
        assert [error for _, error in run_each([pending(session, 4)], skip=RuntimeError)] == [None]
        assert [e.chunk for e in session.record.of_type(Decision)] == [0, 2, 3]

    @pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
    @pytest.mark.parametrize("real", [False, True])
    def test_at_every_line_all_contexts_and_records_agree(
        self, toy: Model, error: type[BaseException], real: bool
    ) -> None:
        at, hit = 1 + 13 * real, 0
        while True:
            models = [
                toy if real else scripted(toy, script, [spell("abc"), spell("xy")])[0]
                for script in (".T.", "T.T", "..")
            ]
            sessions = [StreamingSession(model, SLIDING) for model in models]
            loops = [pending(session, 3, place) for place, session in enumerate(sessions)]
            try:
                with Bomb(at, error) as bomb:
                    for _ in run_each(loops):
                        pass
            except error:
                pass
            if bomb.where is None:
                break
            for session in sessions:
                try:
                    check(session, complete=False)
                    session.run_on()
                    check(session, complete=True)
                except Exception as wrong:
                    raise AssertionError(f"after {error.__name__} at line {at}, {bomb.where}") from wrong
            hit, at = hit + 1, at + (7 if real else 3) * STRIDE
        assert hit > 2


def pending(session: StreamingSession, chunks: int, seed: int = 0) -> Any:
    """The loop of a session with audio pending."""
    from ai_widgets.session.given_audio import block

    session._loop.put((block(babble(chunks * CHUNK_SAMPLES / 16_000, seed), None),))
    return session._loop


def test_a_loop_is_opened_when_a_place_is_free(toy: Model) -> None:
    opened, ended, most = 0, 0, 0

    def loops() -> Any:
        nonlocal opened
        for number in range(9):
            opened += 1
            yield pending(toy.session(seed=number), 1 + number % 3)

    for _, error in run_each(loops(), places=3):
        assert error is None
        most = max(most, opened - ended)
        ended += 1
    assert (opened, ended, most) == (9, 9, 3)
