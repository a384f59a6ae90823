"""However audio is fed, the session hears the same; nothing that was pushed is lost."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ai_widgets.audio.intake import ChunkAudio, Intake, silence
from ai_widgets.errors import AudioError, SessionError, SettingError
from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES, Chunk, Decision, Event, Notice, Token, Turn
from ai_widgets.session.perceive import Heard, Listener, hear_clip, hear_tail
from ai_widgets.session.session import StreamingSession
from tests.events import said
from tests.scripted import scripted, spell
from tests.signals import Array, babble, cuts, split

AUDIO = babble(8)
RULES: dict[str, Any] = {"seed": 3, "max_reply_tokens": 12}


def heard_at_once(model: Model, samples: Array) -> list[Event]:
    session = model.session(**RULES)
    return said([*session.push(samples), *session.finish(1.0)])


@pytest.fixture(scope="module")
def expected(toy: Model) -> list[Event]:
    events = heard_at_once(toy, AUDIO)
    assert sum(isinstance(event, Turn) for event in events) >= 2
    assert sum(isinstance(event, Decision) for event in events) == 23
    return events


@settings(max_examples=10)
@given(cuts)
def test_any_split_of_the_audio_gives_the_same_events(toy: Model, expected: list[Event], cuts: list[float]) -> None:
    session = toy.session(**RULES)
    events = [event for block in split(AUDIO, cuts) for event in session.push(block)]
    assert said([*events, *session.finish(1.0)]) == expected


def test_a_streamed_clip_is_a_clip_with_the_running_floor(toy: Model, expected: list[Event]) -> None:
    assert said(toy.session(**RULES).push_clip(AUDIO, floor="running")) == expected


def test_integers_and_stereo_are_the_same_audio(toy: Model) -> None:
    samples = (AUDIO[:32_000] * 32_767).astype(np.int16)
    floats = heard_at_once(toy, samples.astype(np.float32) / 32_768)
    assert heard_at_once(toy, samples) == floats
    assert heard_at_once(toy, np.stack([samples, samples])) == floats


class TestPush:
    def test_it_works_at_once_and_returns_its_events(self, toy: Model, expected: list[Event]) -> None:
        session = toy.session(**RULES)
        events = session.push(AUDIO)
        assert isinstance(events, list)
        assert session.chunks_done == 20
        assert events == list(session.record.events)
        assert said([*events, *session.finish(1.0)]) == expected

    def test_settings_changed_afterwards_do_not_apply_to_it(self, toy: Model) -> None:
        session = toy.session(bias=-1.0)
        session.push(AUDIO[:12_800])
        session.change(bias=3.0)
        session.push(AUDIO[12_800:19_200])
        assert [d.rule["bias"] for d in session.record.of_type(Decision)] == [-1.0, -1.0, 3.0]

    @pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
    def test_another_rate_goes_through_the_streaming_resampler(self, toy: Model, rate: int) -> None:
        """As `audio.Intake` does it, in whatever blocks; the session's own audio says so."""
        signal = babble(2.2)[: 2 * rate].repeat(1)
        intake = Intake()
        chunks = [chunk.samples for chunk in intake.push(signal, rate) + intake.finish()]
        session = toy.session(**RULES)
        for start in range(0, len(signal), 7_001):
            session.push(signal[start : start + 7_001], rate=rate)
        session.finish()
        np.testing.assert_array_equal(session.record.audio, np.concatenate(chunks))

    def test_a_rate_that_changes_in_mid_stream_loses_no_sample(self, toy: Model) -> None:
        intake = Intake()
        parts = [(babble(0.5), 16_000), (babble(1.5, 1), 48_000), (babble(0.7, 2), 8_000)]
        chunks = [chunk for samples, rate in parts for chunk in intake.push(samples, rate)] + intake.finish()
        session = toy.session(**RULES)
        for samples, rate in parts:
            session.push(samples, rate)
        session.finish()
        np.testing.assert_array_equal(session.record.audio, np.concatenate([chunk.samples for chunk in chunks]))

    @pytest.mark.parametrize("rate", [0, 1, 44_100.5, "16 kHz", True, 10**7])
    def test_an_impossible_rate_is_refused_and_nothing_is_heard(self, toy: Model, rate: Any) -> None:
        session = toy.session()
        with pytest.raises(AudioError, match="sample rate must"):
            session.push(AUDIO, rate)
        assert len(session.record) == session.chunks_done == 0

    def test_a_long_block_is_taken_in_pieces(self, toy: Model) -> None:
        """The first decision of a long recording does not wait until all of it is resampled."""
        session = StreamingSession(scripted(toy)[0])
        stream = session.stream(np.zeros(48_000 * 120, np.float32), 48_000)
        assert isinstance(next(stream), Chunk)
        assert session._loop.state.taken.samples == 48_000 * 10
        session.finish()
        assert session.record.seconds == pytest.approx(120)


class TestStream:
    @pytest.mark.parametrize("taken", [0, 1, 2, 7, 20])
    def test_an_abandoned_iterator_loses_nothing(self, toy: Model, expected: list[Event], taken: int) -> None:
        session = toy.session(**RULES)
        list(islice(session.stream(AUDIO), taken))
        session.finish(1.0)
        assert said(session.record.events) == expected

    def test_nothing_runs_until_it_is_iterated(self, toy: Model) -> None:
        session = toy.session(**RULES)
        stream = session.stream(AUDIO)
        assert (session.chunks_done, len(session.record)) == (0, 0)
        assert [event.type for event in islice(stream, 2)] == ["chunk", "decision"]
        assert session.chunks_done == 1

    @pytest.mark.parametrize(
        "call",
        [
            lambda session: session.push([]),
            lambda session: session.stream([]),
            lambda session: session.finish(),
            lambda session: session.push_clip([], tail_silence=0),
            lambda session: session.change(bias=3.0),
            lambda session: session.step(Heard(AUDIO[:6_400], (), 0, None)),
            lambda session: session.__exit__(None, None, None),
        ],
    )
    def test_what_is_not_iterated_is_finished_by_the_next_call_only(
        self, toy: Model, expected: list[Event], call: Any
    ) -> None:
        session = toy.session(**RULES)
        session.stream(AUDIO)
        assert list(session.record.events) == []
        assert session.chunks_done == 0
        call(session)
        assert session.chunks_done == 20
        assert said(session.record.events) == [event for event in expected if event.chunk < 20]

    def test_a_change_does_not_apply_to_what_was_given_before(self, toy: Model) -> None:
        session = toy.session(bias=-1.0)
        session.stream(AUDIO[:12_800])
        session.change(bias=3.0)
        session.push(AUDIO[12_800:19_200])
        assert [d.rule["bias"] for d in session.record.of_type(Decision)] == [-1.0, -1.0, 3.0]

    def test_a_loop_of_streams_does_not_queue_for_ever(self, toy: Model) -> None:
        session = StreamingSession(scripted(toy)[0])
        for number in range(50):
            session.stream(np.zeros(CHUNK_SAMPLES, np.float32))
            assert session.chunks_done == number
            assert len(session._loop._feed._items) <= 2

    def test_an_iterator_yields_all_its_events_also_those_another_call_ran(self, toy: Model) -> None:
        """A change in the middle of the loop finishes the rest; the loop still sees it."""
        session = toy.session(**RULES)
        stream = session.stream(AUDIO)
        events = list(islice(stream, 3))
        more = session.push(AUDIO[:6_400])
        events += stream
        assert [*events, *more] == list(session.record.events)
        assert {event.chunk for event in more} == {20}

    def test_reading_the_record_runs_nothing_and_never_raises(self, toy: Model) -> None:
        model, decoder = scripted(toy, "x", x=RuntimeError("no"))
        session = StreamingSession(model)
        session.stream(np.zeros(CHUNK_SAMPLES, np.float32))
        assert len(session.record.events) == len(session.record.decisions) == len(decoder.fed) == 0


class TestClose:
    def test_the_end_of_a_with_block_finishes_and_closes(self, toy: Model) -> None:
        with toy.session(**RULES) as session:
            session.stream(AUDIO)
        assert session.chunks_done == 20
        assert session.closed
        assert session._loop.turns._context.capacity == 0

    @pytest.mark.parametrize(
        "call",
        [
            lambda session: session.push(AUDIO),
            lambda session: session.stream(AUDIO),
            lambda session: session.finish(),
            lambda session: session.push_clip(AUDIO),
            lambda session: session.change(bias=1.0),
            lambda session: session.step(Heard(AUDIO[:6_400], (), 0, None)),
        ],
    )
    def test_a_closed_session_refuses_with_a_sentence(self, toy: Model, call: Any) -> None:
        session = toy.session()
        session.close()
        session.close()
        with pytest.raises(SessionError, match="This session is closed; open another one"):
            call(session)

    def test_what_was_given_and_not_decided_is_told(self, toy: Model) -> None:
        session = toy.session(**RULES)
        next(session.stream(AUDIO[:20_000]))
        session.close()
        (notice,) = (event for event in session.record.of_type(Notice) if event.kind == "dropped")
        assert notice.data == {"seconds": 1.25, "why": "closed"}

    def test_a_rest_that_fills_no_chunk_is_told(self, toy: Model) -> None:
        with toy.session(**RULES) as session:
            session.push(AUDIO[:8_000])
        assert [event.data for event in session.record.of_type(Notice)] == [{"seconds": 0.1, "why": "closed"}]
        with toy.session(**RULES) as session:
            session.push(AUDIO[:8_000])
            session.finish()
        assert session.record.of_type(Notice) == []

    def test_a_reply_that_is_being_spoken_ends_as_interrupted(self, toy: Model) -> None:
        session = StreamingSession(scripted(toy, "T", [spell("hello")])[0])
        for event in session.stream(np.zeros(2 * CHUNK_SAMPLES, np.float32)):
            if isinstance(event, Token) and event.index == 1:
                session.close()
        assert [(turn.text, turn.ended) for turn in session.record.of_type(Turn)] == [("he", "interrupted")]
        assert [event.type for event in session.record.events][-3:] == ["turn", "timing", "notice"]


def test_a_file_is_played_as_one_recording(toy: Model, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "talk.wav", AUDIO, 16_000, subtype="FLOAT")
    session = toy.session(**RULES)
    assert said(session.play(tmp_path / "talk.wav")) == said(toy.session(**RULES).push_clip(AUDIO, floor="running"))
    with pytest.raises(AudioError, match="There is no audio file"):
        session.play(tmp_path / "none.wav")


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 10**9, "1", None, True])
def test_an_impossible_tail_is_refused(toy: Model, seconds: Any) -> None:
    session = toy.session()
    with pytest.raises(SettingError, match="tail_silence must be a number of seconds"):
        session.finish(seconds)
    with pytest.raises(SettingError, match="tail_silence must be a number of seconds"):
        session.push_clip(AUDIO, tail_silence=seconds)
    assert session.push([]) == []


def test_what_does_not_fill_a_chunk_waits(toy: Model) -> None:
    session = toy.session()
    assert session.push(AUDIO[:6_399]) == []
    assert [event.type for event in session.push(AUDIO[6_399:6_400])][:2] == ["chunk", "decision"]
    assert session.push([]) == []


def test_clips_are_counted_and_tails_belong_to_them(toy: Model) -> None:
    session = toy.session(greedy=True, max_reply_tokens=3)
    for seed in (0, 1):
        session.push_clip(babble(0.7, seed), tail_silence=0.5)
    session.push(babble(0.5, 2))
    session.finish()
    session.push(babble(0.4, 3))
    chunks = session.record.of_type(Chunk)
    assert [(chunk.clip, "padded" in chunk.flags, "tail" in chunk.flags) for chunk in chunks] == [
        *[(0, False, False), (0, True, False), (0, False, True), (0, False, True)],
        *[(1, False, False), (1, True, False), (1, False, True), (1, False, True)],
        *[(2, False, False), (2, True, False)],
        (3, False, False),
    ]
    assert [decision.clip for decision in session.record.of_type(Decision)] == [chunk.clip for chunk in chunks]


def test_a_clip_of_nothing_is_its_tail(toy: Model) -> None:
    session = toy.session(greedy=True, max_reply_tokens=2)
    session.push_clip([], tail_silence=0.4)
    assert [chunk.flags for chunk in session.record.of_type(Chunk)] == [("tail",)]
    assert session.push_clip([], tail_silence=0) == []


def test_the_two_floors_differ_where_a_clip_grows_loud(toy: Model) -> None:
    quiet_then_loud = np.concatenate([AUDIO[:CHUNK_SAMPLES] * 1e-4, AUDIO])
    logits = {
        floor: [
            event.logit_keep
            for event in toy.session(greedy=True, max_reply_tokens=1).push_clip(quiet_then_loud, floor=floor)
            if isinstance(event, Decision)
        ]
        for floor in ("clip", "running")
    }
    assert logits["clip"][0] != pytest.approx(logits["running"][0], abs=1e-3)


def test_an_unknown_floor(toy: Model) -> None:
    with pytest.raises(SettingError, match="floor must be one of clip, running, not 'basement'"):
        toy.session().push_clip(AUDIO, floor="basement")


@pytest.mark.parametrize("bad", ["text", None, np.zeros((2, 2, 2))])
def test_what_is_no_audio_changes_nothing(toy: Model, expected: list[Event], bad: Any) -> None:
    session = toy.session(**RULES)
    session.push(AUDIO)
    with pytest.raises(AudioError):
        session.push(bad)
    session.finish(1.0)
    assert said(session.record.events) == expected


def test_perceiving_and_deciding_can_be_two_stages(toy: Model, expected: list[Event]) -> None:
    """As the widget runs them: a listener ahead, `step` behind."""
    listener, session = Listener(toy), toy.session(**RULES)
    chunks = [ChunkAudio(samples) for samples in AUDIO.reshape(-1, CHUNK_SAMPLES)]
    heard: list[Heard] = [listener.hear(chunk) for chunk in chunks]
    events = [event for item in heard for event in session.step(item)]
    assert said(events) == expected[: len(said(events))]
    assert len([event for event in events if isinstance(event, Decision)]) == 20


@settings(max_examples=8)
@given(st.integers(0, 1_000))
def test_the_same_seed_and_audio_give_the_same_session(toy: Model, seed: int) -> None:
    def events() -> list[Event]:
        session = toy.session(seed=seed, temperature=5.0, top_k=0, max_reply_tokens=8)
        return said(session.push(AUDIO[:32_000]))

    assert events() == events()


def test_another_seed_gives_another_session(toy: Model) -> None:
    draws = {
        tuple(
            event.draw
            for event in toy.session(seed=seed, max_reply_tokens=2).push(AUDIO[:12_800])
            if isinstance(event, Decision)
        )
        for seed in range(4)
    }
    assert len(draws) == 4


def test_greedy_draws_nothing(toy: Model) -> None:
    session = toy.session(greedy=True, max_reply_tokens=4)
    events = session.push(AUDIO)
    assert {event.draw for event in events if isinstance(event, Decision)} == {None}

    def without_seed(events: list[Event]) -> list[Event]:
        return [replace(e, rule={**e.rule, "seed": 0}) if isinstance(e, Decision) else e for e in said(events)]

    other = list(toy.session(greedy=True, seed=99, max_reply_tokens=4).push(AUDIO))
    assert without_seed(other) == without_seed(events)


def test_sessions_of_one_model_are_apart(toy: Model, expected: list[Event]) -> None:
    left, right = toy.session(**RULES), toy.session(**RULES)
    for place in range(0, len(AUDIO), 10_000):
        list(left.push(AUDIO[place : place + 10_000]))
        list(right.push(babble(0.3, place)))
    left.finish(1.0)
    assert said(left.record.events) == expected


def test_the_silence_after_clips_is_encoded_once_a_model(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of clips end with the same silence; its frames are those of the first time, bit for bit."""
    encoded: list[int] = []
    encode = toy.encoder.encode
    monkeypatch.setattr(toy.encoder, "encode", lambda mels: (encoded.append(mels.shape[1] // 40), encode(mels))[1])
    for _ in range(2):
        toy.session(bias=-1000.0).push_clip(babble(0.8), tail_silence=3.6)
    assert encoded == [2, 9, 2]
    for kept, anew in zip(hear_tail(toy, silence(3.6)), hear_clip(toy, silence(3.6), 0), strict=True):
        assert torch.equal(torch.as_tensor(kept.frames), torch.as_tensor(anew.frames))
