"""However audio is fed, the session hears the same; nothing that was pushed is lost."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_widgets.audio import ChunkAudio
from ai_widgets.errors import AudioError, SessionError, SettingError
from ai_widgets.inference import Model
from ai_widgets.perceive import Heard, Listener
from ai_widgets.protocol import CHUNK_SAMPLES, Chunk, Decision, Event, Turn
from tests.events import said
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


@pytest.mark.parametrize("taken", [0, 1, 2, 7, 20])
def test_an_abandoned_iterator_loses_nothing(toy: Model, expected: list[Event], taken: int) -> None:
    session = toy.session(**RULES)
    events = list(islice(session.push(AUDIO), taken))
    events += session.finish(1.0)
    assert said(events) == expected
    assert said(session.record.events) == expected


def test_what_nobody_iterates_runs_at_the_next_call(toy: Model, expected: list[Event]) -> None:
    session = toy.session(**RULES)
    session.push(AUDIO[:50_000])
    assert session.chunks_done == 0
    session.push(AUDIO[50_000:])
    session.finish(1.0)
    assert said(session.record.events) == expected
    assert session.chunks_done == 23


def test_two_iterators_share_the_events_between_them(toy: Model, expected: list[Event]) -> None:
    session = toy.session(**RULES)
    first, second = session.push(AUDIO), session.finish(1.0)
    events = []
    while pair := [event for event in (next(first, None), next(second, None)) if event is not None]:
        events += pair
    assert said(events) == expected


def test_what_does_not_fill_a_chunk_waits(toy: Model) -> None:
    session = toy.session()
    assert list(session.push(AUDIO[:6_399])) == []
    assert [event.type for event in session.push(AUDIO[6_399:6_400])][:2] == ["chunk", "decision"]
    assert list(session.push([])) == []


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
    list(session.push_clip([], tail_silence=0.4))
    assert [chunk.flags for chunk in session.record.of_type(Chunk)] == [("tail",)]
    assert list(session.push_clip([], tail_silence=0)) == []


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
    listener, session = Listener(toy.loaded), toy.session(**RULES)
    chunks = [ChunkAudio(samples) for samples in AUDIO.reshape(-1, CHUNK_SAMPLES)]
    heard: list[Heard] = [listener.hear(chunk) for chunk in chunks]
    events = [event for item in heard for event in session.step(item)]
    assert said(events) == expected[: len(said(events))]
    assert len([event for event in events if isinstance(event, Decision)]) == 20


def test_a_step_out_of_order_is_refused(toy: Model) -> None:
    session = toy.session()
    heard = Listener(toy.loaded).hear(ChunkAudio(AUDIO[:CHUNK_SAMPLES]))
    session.push(AUDIO)
    with pytest.raises(SessionError, match="still unanswered"):
        session.step(heard)


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
    events = list(session.push(AUDIO))
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
