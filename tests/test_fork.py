"""`StreamingSession.fork`: the past is shared, the future is decided again with something changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_widgets.errors import AudioError, SessionError, SettingError
from ai_widgets.inference import Model
from ai_widgets.policies import Energy
from ai_widgets.protocol import CHUNK_SAMPLES, CHUNK_SECONDS, Chunk, Decision, Event, Notice, Timing, Token, Turn
from ai_widgets.record.record import SessionRecord
from ai_widgets.session import marks
from ai_widgets.session.session import StreamingSession
from tests.scripted import scripted, spell
from tests.signals import babble

SHORT = {"max_reply_tokens": 6, "alternatives": 0}
"""Replies of a few tokens, so that many chunks fit into a test."""
FORK = ("fork", "context_rebuilt")


def story(events: list[Event] | tuple[Event, ...]) -> list[dict[str, Any]]:
    """Events without their durations, and without what says that they are a fork's."""
    return [
        event.to_json()
        for event in events
        if not isinstance(event, Timing) and not (isinstance(event, Notice) and event.kind in FORK)
    ]


def chunks(count: int, seed: int = 0) -> Any:
    return babble(count * CHUNK_SECONDS, seed)


def kinds(record: SessionRecord) -> list[str]:
    return [notice.kind for notice in record.of_type(Notice)]


def plain(session: StreamingSession) -> None:
    session.push(chunks(14, 3))


def clips(session: StreamingSession) -> None:
    """Live audio, a clip with its own floor and tail, and live audio again."""
    session.push(chunks(3, 1))
    session.push_clip(chunks(4, 2)[:-900], tail_silence=0.8)
    session.push(chunks(5, 3)[:-500])
    session.finish()


def changes(session: StreamingSession) -> None:
    """Settings that change on the way, the seed too."""
    session.push(chunks(5, 4))
    session.change(bias=2.0, seed=9)
    session.push(chunks(5, 5))
    session.change(temperature=3.0, bias=0.0)
    session.push(chunks(4, 6))


def interrupts(session: StreamingSession) -> None:
    """Each second reply ends after as many tokens as its number."""
    for event in session.stream(chunks(14, 7)):
        if isinstance(event, Token) and event.turn % 2 and event.index == event.turn % 3:
            session.interrupt()


STORIES = [plain, clips, changes, interrupts]
RULES: dict[str, dict[str, Any]] = {
    "greedy": {"greedy": True},
    "sampled": {"seed": 5, "temperature": 1.5, "bias": 0.5},
    "sliding": {"seed": 1, "context_limit": 150, "bias": 1.0},
    "reset": {"greedy": True, "context": "reset", "context_limit": 150},
    "forgetting": {"seed": 2, "forget_after_reply": True, "bias": 1.0},
}


class TestEveryChunk:
    @pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
    @pytest.mark.parametrize("tell", STORIES)
    def test_a_fork_at_every_chunk_equals_running_straight_through(
        self, toy: Model, tell: Callable[[StreamingSession], None], rules: dict[str, Any]
    ) -> None:
        session = toy.session(**SHORT, **rules)
        tell(session)
        expected = story(session.record.events)
        for chunk in range(session.chunks_done + 1):
            fork = session.fork(chunk)
            fork.run_on()
            assert story(fork.record.events) == expected, chunk
            assert fork.position == session.position
            assert np.array_equal(fork.record.audio, session.record.audio)
        assert story(session.record.events) == expected

    def test_the_stories_have_what_they_are_told_for(self, toy: Model) -> None:
        def told(tell: Callable[[StreamingSession], None], rules: str) -> SessionRecord:
            session = toy.session(**SHORT, **RULES[rules])
            tell(session)
            return session.record

        assert kinds(told(plain, "sliding")).count("context_slide") > 2
        assert kinds(told(plain, "reset")).count("context_reset") >= 1
        assert {chunk.floor for chunk in told(clips, "greedy").of_type(Chunk)} == {"running", "clip"}
        ends = {turn.ended for turn in told(interrupts, "sampled").of_type(Turn)}
        assert {"interrupted", "TEXT_END"} <= ends or {"interrupted", "limit"} <= ends

    @pytest.mark.parametrize("tell", STORIES)
    def test_a_closed_session_is_rebuilt(self, toy: Model, tell: Callable[[StreamingSession], None]) -> None:
        session = toy.session(**SHORT, **RULES["sliding"])
        tell(session)
        expected = story(session.record.events)
        session.close()
        for chunk in range(0, session.chunks_done + 1, 3):
            fork = session.fork(chunk)
            fork.run_on()
            assert story(fork.record.events) == expected, chunk

    @settings(max_examples=10)
    @given(seed=st.integers(0, 2**31), chunk=st.integers(0, 10), again=st.integers(0, 10))
    def test_for_any_seed_and_for_a_fork_of_a_fork(self, toy: Model, seed: int, chunk: int, again: int) -> None:
        session = toy.session(**SHORT, seed=seed, temperature=2.0, context_limit=200)
        session.push(chunks(10, seed % 7))
        first = session.fork(chunk)
        first.run_on()
        second = first.fork(again)
        second.run_on()
        assert story(second.record.events) == story(session.record.events)

    def test_both_go_on_with_new_audio(self, toy: Model) -> None:
        session = toy.session(**SHORT, seed=3, context_limit=200)
        session.push(chunks(8))
        fork = session.fork(4)
        for each in (session, fork):
            each.push(chunks(6, 8))
        assert story(fork.record.events) == story(session.record.events)

    def test_the_events_of_the_past_are_shared_and_not_copied(self, toy: Model) -> None:
        session = toy.session(**SHORT)
        session.push(chunks(6))
        fork = session.fork(5)
        past = fork.record.events[:-1]
        assert all(mine is theirs for mine, theirs in zip(past, session.record.events, strict=False))
        assert fork.record.chunk_audio(2) is session.record.chunk_audio(2)


class TestChanged:
    def test_settings_apply_from_the_chunk_on(self, toy: Model) -> None:
        session = toy.session(**SHORT, greedy=True)
        session.push(chunks(10))
        before = session.record.events
        fork = session.fork(4, bias=1000.0)
        assert (fork.settings.bias, session.settings.bias) == (1000.0, 0.0)
        fork.run_on()
        choices = [decision.choice for decision in fork.record.of_type(Decision)]
        assert choices[:4] == [decision.choice for decision in session.record.of_type(Decision)][:4]
        assert choices[4:] == ["TEXT_BEGIN"] * 6
        assert [notice.chunk for notice in fork.record.of_type(Notice) if notice.kind == "settings"] == [4]
        assert session.record.events == before

    def test_a_setting_of_the_fork_outlives_the_changes_of_the_original(self, toy: Model) -> None:
        session = toy.session(**SHORT, greedy=True)
        session.push(chunks(4))
        session.change(bias=-1000.0, temperature=0.7)
        session.push(chunks(4, 2))
        fork = session.fork(2, bias=1000.0)
        fork.run_on()
        assert [decision.rule["bias"] for decision in fork.record.of_type(Decision)][2:] == [1000.0] * 6
        assert fork.settings.temperature == 0.7

    def test_another_prompt_replays_from_the_start(self, toy: Model) -> None:
        session = toy.session(**SHORT, greedy=True)
        session.push(chunks(6))
        fork = session.fork(4, system_prompt="Speak.", bias=3.0)
        fork.run_on()
        fresh = toy.session(**SHORT, greedy=True, system_prompt="Speak.")
        fresh.push(chunks(6)[: 4 * CHUNK_SAMPLES])
        fresh.change(bias=3.0)
        fresh.push(chunks(6)[4 * CHUNK_SAMPLES :])
        assert story(fork.record.events) == story(fresh.record.events)
        (notice,) = [notice for notice in fork.record.of_type(Notice) if notice.kind == "fork"]
        assert (notice.data["chunk"], notice.data["first"]) == (4, 0)

    @pytest.mark.parametrize("name", ["TEXT_BEGIN", "KEEP_SILENCE"])
    def test_a_forced_decision_is_taken_and_told(self, toy: Model, name: Any) -> None:
        session = toy.session(**SHORT, seed=4)
        session.push(chunks(10))
        fork = session.fork(5, force=name)
        fork.run_on()
        original, forced = (each.record.of_type(Decision)[5] for each in (session, fork))
        assert (forced.choice, forced.rule["forced"]) == (name, name)
        assert "forced" not in fork.record.of_type(Decision)[6].rule
        raw = ("p_keep", "p_text", "p_other", "logit_keep", "logit_text", "draw", "argmax")
        assert [getattr(forced, field) for field in raw] == [getattr(original, field) for field in raw]

    def test_a_decision_that_is_forced_to_what_it_was_changes_nothing_after_it(self, toy: Model) -> None:
        session = toy.session(**SHORT, seed=4, temperature=2.0)
        session.push(chunks(10))
        choice: Any = session.record.of_type(Decision)[5].choice
        fork = session.fork(5, force=choice)
        fork.run_on()
        rest = story(session.record.events)
        place = next(at for at, event in enumerate(rest) if event["type"] == "decision" and event["chunk"] == 5)
        assert story(fork.record.events)[place + 1 :] == rest[place + 1 :]

    def test_a_force_waits_for_audio_that_comes_later(self, toy: Model) -> None:
        session = toy.session(**SHORT, greedy=True)
        session.push(chunks(3))
        fork = session.fork(3, force={4: "TEXT_BEGIN"})
        fork.push(chunks(2, 2))
        assert [decision.choice for decision in fork.record.of_type(Decision)][4] == "TEXT_BEGIN"

    def test_audio_is_muted_swapped_or_replaced(self, toy: Model) -> None:
        session = toy.session(**SHORT, greedy=True)
        samples = chunks(8)
        session.push(samples)
        other = chunks(1, 9)
        fork = session.fork(3, audio={3: None, 4: 6, 5: other})
        fork.run_on()
        rows = samples.reshape(-1, CHUNK_SAMPLES).copy()
        rows[3], rows[4], rows[5] = 0, rows[6], other
        assert np.array_equal(fork.record.audio, rows.reshape(-1))
        fresh = toy.session(**SHORT, greedy=True)
        fresh.push(rows.reshape(-1))
        assert [d.to_json() for d in fork.record.of_type(Decision)] == [
            d.to_json() for d in fresh.record.of_type(Decision)
        ]
        assert fork.record.of_type(Chunk)[3].flags == ("gated",)

    def test_other_audio_in_a_clip_heard_as_a_whole_goes_back_to_its_start(self, toy: Model) -> None:
        session = toy.session(**SHORT, greedy=True)
        session.push(chunks(2))
        clip = chunks(5, 2)
        session.push_clip(clip, tail_silence=0.4)
        fork = session.fork(5, audio={5: None})
        fork.run_on()
        muted = clip.copy()
        muted[3 * CHUNK_SAMPLES : 4 * CHUNK_SAMPLES] = 0
        fresh = toy.session(**SHORT, greedy=True)
        fresh.push(chunks(2))
        fresh.push_clip(muted, tail_silence=0.4)
        assert [d.to_json() for d in fork.record.of_type(Decision)] == [
            d.to_json() for d in fresh.record.of_type(Decision)
        ]
        (notice,) = [notice for notice in fork.record.of_type(Notice) if notice.kind == "fork"]
        assert notice.data["first"] == 2

    def test_chunks_that_had_come_too_late_for_the_old_settings_are_decided(self, toy: Model) -> None:
        session = toy.session(**SHORT, greedy=True, context="stop", context_limit=100)
        session.push(chunks(12))
        assert session.ended is not None
        fork = session.fork(2, context="slide")
        fork.run_on()
        assert [decision.chunk for decision in fork.record.of_type(Decision)] == list(range(12))


class TestRefused:
    @pytest.fixture
    def session(self, toy: Model) -> StreamingSession:
        session = toy.session(**SHORT)
        session.push(chunks(5))
        return session

    @pytest.mark.parametrize("chunk", [-1, 6, 2.5, True, "3"])
    def test_a_chunk_that_is_none(self, session: StreamingSession, chunk: Any) -> None:
        with pytest.raises(SessionError, match="from 0 to 5"):
            session.fork(chunk)

    def test_settings_force_and_audio(self, session: StreamingSession) -> None:
        with pytest.raises(SettingError, match="did you mean bias"):
            session.fork(2, bais=1)
        with pytest.raises(SettingError, match="TEXT_BEGIN, KEEP_SILENCE"):
            session.fork(2, force="SPEAK")  # type: ignore[arg-type]
        with pytest.raises(SessionError, match="chunk 1, before the fork"):
            session.fork(2, force={1: "TEXT_BEGIN"})
        with pytest.raises(SessionError, match="from chunk 2 to 4"):
            session.fork(2, audio={5: None})
        with pytest.raises(AudioError, match="6401 samples"):
            session.fork(2, audio={3: np.zeros(6401)})
        with pytest.raises(SettingError, match="too short"):
            session.fork(2, context_limit=3)

    def test_audio_that_is_no_longer_kept(self, toy: Model) -> None:
        for record in (SessionRecord(audio_seconds=0), SessionRecord(audio_seconds=0.8)):
            session = toy.session(record, **SHORT)
            session.push(chunks(5))
            with pytest.raises(SessionError, match="audio of chunk 2 is not kept"):
                session.fork(2)
            session.fork(5).push(chunks(2))

    def test_a_state_that_is_no_longer_kept(self, toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(marks, "MOST", 3)
        session = toy.session(**SHORT)
        session.push(chunks(6))
        with pytest.raises(SessionError, match="from chunk 3 on"):
            session.fork(2)
        assert len(session.fork(0).run_on()) > 12
        assert len(session._loop.marks._marks) == 4

    def test_what_has_no_context(self) -> None:
        session = Energy().session()
        session.push(chunks(3))
        with pytest.raises(SessionError, match="no context that a fork could go back to"):
            session.fork(2)

    def test_a_record_of_several_sessions(self, toy: Model) -> None:
        record = SessionRecord()
        toy.session(record, **SHORT).push(chunks(1))
        session = toy.session(record, **SHORT)
        session.push(chunks(1))
        with pytest.raises(SessionError, match="other sessions"):
            session.fork(0)


def test_without_the_audio_of_evicted_chunks_the_context_is_rebuilt_from_what_it_held(toy: Model) -> None:
    session = toy.session(SessionRecord(audio_seconds=4.0), **SHORT, context_limit=90, greedy=True)
    session.push(chunks(14))
    fork = session.fork(10)
    assert kinds(fork.record)[-1] == "context_rebuilt"
    fork.run_on()
    assert len(fork.record.of_type(Decision)) == 14


def test_a_chunk_that_broke_the_model_stays_undecided(toy: Model) -> None:
    model, _ = scripted(toy, "..X..T", [spell("ab")], X=RuntimeError("no"))
    session = StreamingSession(model)
    with pytest.raises(RuntimeError):
        session.push(np.zeros(6 * CHUNK_SAMPLES, np.float32))
    session.finish()
    model, _ = scripted(toy, "....T", [spell("ab")])
    session.model = model
    fork = session.fork(0)
    fork.run_on()
    assert [decision.chunk for decision in fork.record.of_type(Decision)] == [0, 1, 3, 4, 5]


def test_a_fork_within_a_stream_finishes_it_first(toy: Model) -> None:
    session = toy.session(**SHORT, greedy=True)
    next(session.stream(chunks(4)))
    assert session.fork(2).run_on()
    assert session.chunks_done == 4
