"""`record.replay(model)`: the same decisions, tokens and replies again, or the first that differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from ai_widgets.audio.intake import ChunkAudio
from ai_widgets.audio.origin import Origin
from ai_widgets.errors import NotFiniteError, SessionError
from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES, Chunk, Decision, Event, Notice, Token, Turn
from ai_widgets.record.record import SessionRecord
from ai_widgets.session.features_state import FRESH, read, same, written
from ai_widgets.session.perceive import Listener
from ai_widgets.session.replay import first_difference
from ai_widgets.session.session import StreamingSession
from tests.interrupting import Bomb
from tests.scripted import scripted
from tests.test_fork import RULES, SHORT, STORIES, chunks, kinds, story


def with_events(record: SessionRecord, events: list[Event]) -> SessionRecord:
    """A record of the same audio and settings with other events."""
    other = SessionRecord(None)
    other.begin(record.header)
    for chunk in range(record.chunks_heard):
        samples = record.chunk_audio(chunk)
        assert samples is not None
        other.append_audio(samples)
    for event in events:
        other.append(event)
    return other


def dropping(session: StreamingSession) -> None:
    """Chunks as the widget hands them over: perceived elsewhere, some of them dropped afterwards."""
    listener = Listener(session.model)
    for place, samples in enumerate(chunks(14, 8).reshape(-1, CHUNK_SAMPLES)):
        heard = listener.hear(ChunkAudio(samples, (), Origin(microphone=True)), place // 5)
        if place not in (3, 4, 9):
            list(session.step(replace(heard, flags=("dropped",)) if place in (5, 10) else heard))


def closing(session: StreamingSession) -> None:
    """Closed in the middle of a reply, with audio left."""
    for event in session.stream(chunks(12, 4)):
        if isinstance(event, Token) and event.index == 2 and event.turn == 1:
            session.close()
            return


class TestReproduced:
    @pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
    @pytest.mark.parametrize("tell", [*STORIES, dropping, closing])
    def test_every_story_under_every_rule(
        self, toy: Model, tell: Callable[[StreamingSession], None], rules: dict[str, Any]
    ) -> None:
        session = toy.session(**SHORT, **rules)
        tell(session)
        replayed = session.record.replay(toy)
        assert replayed.first_difference is None
        assert replayed.reproduced
        told = [event for event in session.record.events if isinstance(event, (Decision, Token, Turn))]
        assert replayed.compared == len(told) > 6
        assert story(replayed.record.of_type(Token)) == story(session.record.of_type(Token))

    def test_dropped_chunks_left_a_trace_in_the_features(self, toy: Model) -> None:
        session = toy.session(**SHORT)
        dropping(session)
        leads = [chunk.chunk for chunk in session.record.of_type(Chunk) if chunk.lead]
        assert leads == [3, 7]

    @pytest.mark.parametrize("folder", [False, True])
    @pytest.mark.parametrize("tell", [*STORIES, dropping, closing])
    def test_after_save_and_load(
        self, toy: Model, tmp_path: Path, tell: Callable[[StreamingSession], None], folder: bool
    ) -> None:
        session = toy.session(**SHORT, **RULES["sliding"])
        tell(session)
        path = session.record.save(tmp_path / "talk.aiw", folder=folder)
        replayed = SessionRecord.load(path).replay(toy)
        assert replayed.reproduced, replayed.first_difference

    def test_a_recording_that_was_kept_on_disk(self, toy: Model, tmp_path: Path) -> None:
        session = toy.session(SessionRecord(audio_seconds=0, keep=tmp_path / "talk.aiw"), **SHORT, seed=3)
        session.push(chunks(10))
        session.fork(4).run_on()
        session.close()
        assert SessionRecord.load(tmp_path / "talk.aiw").replay(toy).reproduced

    @settings(max_examples=15)
    @given(
        seed=st.integers(0, 2**40),
        greedy=st.booleans(),
        limit=st.sampled_from([110, 150, 400, None]),
        context=st.sampled_from(["slide", "reset", "stop"]),
        calls=st.lists(st.sampled_from(["push", "clip", "change", "interrupt", "finish", "fork"]), max_size=7),
    )
    def test_for_any_seed_and_any_calls(
        self, toy: Model, seed: int, greedy: bool, limit: int | None, context: Any, calls: list[str]
    ) -> None:
        session = toy.session(
            **SHORT, seed=seed, greedy=greedy, context=context, context_limit=limit, temperature=2.0, bias=0.5
        )
        for number, call in enumerate(["push", *calls, "push"]):
            audio = chunks(3, number + seed % 5)[:-999]
            if call == "push":
                session.push(audio)
            elif call == "clip":
                session.push_clip(audio, tail_silence=0.4)
            elif call == "change":
                session.change(bias=float(number - 2), seed=number, max_reply_tokens=number + 1)
            elif call == "interrupt":
                for event in session.stream(audio):
                    if isinstance(event, (Decision, Token)):
                        session.interrupt()
            elif call == "finish":
                session.finish()
            else:
                session = session.fork(session.chunks_done // 2, force="TEXT_BEGIN", bias=1.0)
                session.run_on()
        with TemporaryDirectory() as folder:
            session.record.save(Path(folder) / "talk.aiw")
            replayed = SessionRecord.load(Path(folder) / "talk.aiw").replay(toy)
        assert replayed.reproduced, replayed.first_difference

    @pytest.mark.parametrize(
        "change",
        [
            {"force": "TEXT_BEGIN"},
            {"force": {6: "KEEP_SILENCE", 7: "TEXT_BEGIN"}, "bias": 1.0},
            {"audio": {5: None, 7: 2}},
            {"system_prompt": "Speak."},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("tell", STORIES)
    def test_a_fork_is_reproduced(
        self, toy: Model, tell: Callable[[StreamingSession], None], change: dict[str, Any]
    ) -> None:
        session = toy.session(**SHORT, seed=8, context_limit=200)
        tell(session)
        fork = session.fork(5, **change)
        fork.run_on()
        fork.push(chunks(2, 9))
        replayed = fork.record.replay(toy)
        assert replayed.reproduced, replayed.first_difference

    @pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
    @pytest.mark.parametrize("at", [900, 2100, 3900, 6000, 9000])
    def test_a_session_that_an_interrupt_or_an_error_hit_anywhere(
        self, toy: Model, at: int, error: type[BaseException]
    ) -> None:
        session = toy.session(**SHORT, seed=2, context_limit=150, bias=1.0)
        try:
            with Bomb(at, error) as bomb:
                session.push(chunks(12, 5))
        except (KeyboardInterrupt, RuntimeError):
            session.finish()
        assert bomb.where is not None
        replayed = session.record.replay(toy)
        assert replayed.reproduced, (replayed.first_difference, bomb.where)

    def test_a_chunk_that_broke_the_model_is_left_out_again(self, toy: Model) -> None:
        broken, _ = scripted(toy, "..X.", X=NotFiniteError("no"))
        session = StreamingSession(broken)
        with pytest.raises(NotFiniteError):
            session.push(np.zeros(4 * CHUNK_SAMPLES, np.float32))
        session.finish()
        whole, _ = scripted(toy, "...")
        replayed = session.record.replay(whole)
        assert replayed.reproduced
        assert [chunk.chunk for chunk in replayed.record.of_type(Chunk) if "unheard" in chunk.flags] == [2]


class TestDifferent:
    @pytest.fixture
    def record(self, toy: Model) -> SessionRecord:
        session = toy.session(**SHORT, seed=5, temperature=1.5, bias=0.5)
        session.push(chunks(14, 3))
        return session.record

    def test_where_and_by_how_much(self, toy: Model, record: SessionRecord) -> None:
        events = list(record.events)
        place = next(at for at, event in enumerate(events) if isinstance(event, Decision) and event.chunk == 6)
        decision: Any = events[place]
        events[place] = structs.replace(decision, logit_text=decision.logit_text + 0.5)
        found = with_events(record, events).replay(toy).first_difference
        assert found is not None
        assert (found.chunk, found.event, found.field) == (6, "decision", "logit_text")
        assert found.by == pytest.approx(0.5)
        assert str(found).startswith("chunk 6, decision, logit_text: ")

    def test_a_difference_within_the_tolerance_is_none(self, toy: Model, record: SessionRecord) -> None:
        events = [
            structs.replace(event, logit_text=event.logit_text + 0.009) if isinstance(event, Decision) else event
            for event in record.events
        ]
        changed = with_events(record, events)
        assert toy.replay(changed).reproduced
        assert not toy.replay(changed, tolerance=0.008).reproduced

    def test_other_audio(self, toy: Model, record: SessionRecord) -> None:
        other = with_events(record, list(record.events))
        samples = other.chunk_audio(4)
        assert samples is not None
        other._audio._held[4] = np.flip(samples).copy()
        found = other.replay(toy).first_difference
        assert found is not None
        assert found.chunk >= 4

    def test_an_event_that_is_missing_or_too_many(self, toy: Model, record: SessionRecord) -> None:
        turns = record.of_type(Turn)
        fewer = [event for event in record.events if event != turns[-1]]
        found = with_events(record, fewer).replay(toy).first_difference
        assert found is not None
        assert (found.event, found.field) in {("turn", "type"), ("decision", "type")}
        one, other = record.of_type(Decision)[:2]
        assert str(first_difference(one, None)) == "chunk 0, decision, type: decision → nothing"
        assert str(first_difference(None, other)) == "chunk 1, decision, type: nothing → decision"

    def test_records_that_cannot_be_run_again(self, toy: Model, record: SessionRecord) -> None:
        with pytest.raises(SessionError, match="does not say with which settings"):
            SessionRecord().replay(toy)
        with pytest.raises(SessionError, match="lacks chunks"):
            with_events(record, list(record.events)[5:]).replay(toy)
        session = toy.session(SessionRecord(audio_seconds=0.8), **SHORT)
        session.push(chunks(4))
        with pytest.raises(SessionError, match="audio of chunk 0 is not kept"):
            session.record.replay(toy)


class TestRerun:
    def test_a_record_goes_on_as_a_session_and_can_be_forked(self, toy: Model) -> None:
        session = toy.session(**SHORT, seed=3)
        session.push(chunks(6))
        again = toy.rerun(session.record)
        again.run_on()
        assert story(again.record.events) == story(session.record.events)
        fork = again.fork(3, force="TEXT_BEGIN")
        fork.run_on()
        assert "fork" in kinds(fork.record)
        for each in (session, again):
            each.push(chunks(2, 2))
        assert story(again.record.of_type(Decision)) == story(session.record.of_type(Decision))


class TestFeaturesState:
    def test_it_is_read_as_it_was_written(self) -> None:
        left = np.linspace(-1, 1, 360, dtype=np.float32)
        for state in (FRESH, (left, 1.25)):
            assert same(read(written(state)), state)
        assert not same((left, 1.25), (left, 1.5))
        assert not same((left, 1.25), (left * 0, 1.25))
        assert not same((left, 1.25), (None, 1.25))

    @pytest.mark.parametrize("text", ["AAAA", "no base64!", "AAAAAAAAAAAAAA=="])
    def test_what_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"bytes|base64|Non-base64|padding"):
            read(text)


def test_notices_of_a_fork_say_what_changed(toy: Model) -> None:
    session = toy.session(**SHORT)
    session.push(chunks(4))
    fork = session.fork(2, bias=1.0, force="KEEP_SILENCE", audio={3: None})
    (notice,) = [notice for notice in fork.record.of_type(Notice) if notice.kind == "fork"]
    assert notice.message == (
        "Fork of another session at chunk 2: bias is 1.0, chunk 2 forced to KEEP_SILENCE, other audio at chunk 3."
    )
