"""Baselines: the endpointing rule on known scores, and policies on generated sound."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given

from ai_widgets.errors import SettingError
from ai_widgets.model.passes import alone
from ai_widgets.model.threads import intra_op_threads
from ai_widgets.policies import BY_NAME, Energy, Silero, named
from ai_widgets.policies.endpointing import Endpointer, Endpointing
from ai_widgets.policies.energy import LevelDetector
from ai_widgets.policies.policy import REPLY
from ai_widgets.protocol import CHUNK_SAMPLES, SAMPLE_RATE, Chunk, Decision, Event, Notice, Timing, Token, Turn
from tests.signals import Array, cuts, split

SILERO = find_spec("silero_vad") is not None
RULE = Endpointing(threshold=0.5, release=0.2, hangover_s=0.6, shortest_s=0.1)


def buzz(seconds: float) -> Array:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.3 * np.sign(np.sin(2 * np.pi * 150 * time))).astype(np.float32)


def quiet(seconds: float) -> Array:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def turns(events: Sequence[Event]) -> list[int]:
    return [event.chunk for event in events if isinstance(event, Turn)]


def fires(scores: Sequence[float], rule: Endpointing = RULE, window: float = 0.1) -> list[int]:
    """Chunks of four windows after which the rule replies."""
    state, found = Endpointer(rule, window), list[int]()
    for at, four in enumerate(np.reshape(scores, (-1, 4)).tolist()):
        state, reply = state.after(four)
        if reply:
            found.append(at)
    return found


def test_the_reply_comes_when_the_hangover_is_over() -> None:
    # Speech ends after window 6 (chunk 1); six silent windows later is window 11, the last of chunk 2.
    assert fires([0, 0, 1, 1, 1, 1, *[0] * 14]) == [2]
    # One silent window is missing at the end of chunk 2.
    assert fires([0, 0, 1, 1, 1, 1, 1, *[0] * 13]) == [3]


def test_a_pause_shorter_than_the_hangover_ends_nothing() -> None:
    assert fires([1, 1, 0, 0, 0, 0, 0, 1, *[0] * 12]) == [3]
    assert fires([1, 1, *[0] * 6, 1, 1, *[0] * 10]) == [1, 3]


def test_between_release_and_threshold_nothing_changes() -> None:
    assert fires([1, 0.4, 0.4, 0.4, *[0.4] * 8]) == []
    assert fires([0.4] * 12) == []
    assert fires([1, 0.4, 0.4, 0.4, *[0.2] * 8]) == [2]


def test_what_is_too_short_is_not_speech_and_does_not_add_up() -> None:
    rule = Endpointing(threshold=0.5, release=0.2, hangover_s=0.3, shortest_s=0.15)
    assert fires([1, 0, 0, 0, 1, 0, 0, 0, *[0] * 4], rule) == []
    assert fires([1, 1, 0, 0, 0, 0, 0, 0], rule) == [1]


SPEECH = np.concatenate([quiet(1), buzz(1), quiet(2)])
"""Ends at 2.0 s; with a hangover of 0.6 s the reply comes after chunk 6, which ends at 2.8 s."""


def test_a_level_policy_answers_once_after_the_sound() -> None:
    session = Energy(hangover_s=0.6).session()
    events = session.push(SPEECH)
    assert turns(events) == [6]
    assert [e.text for e in events if isinstance(e, Turn)] == [REPLY]
    assert [type(e) for e in events[:3]] == [Chunk, Decision, Timing]
    assert session.chunks_done == 10
    assert session.ended is None
    assert session.record.text == REPLY


REPLIES = {"energy": [6], "never": [], "always": list(range(10)), "silero": None}
"""Chunks after which each policy replies to `SPEECH`; None where that depends on a network."""


@pytest.mark.parametrize("name", BY_NAME)
def test_a_policy_decides_once_a_chunk_and_its_events_do_not_pretend(name: str) -> None:
    if name == "silero" and not SILERO:
        pytest.skip("silero-vad is not installed")
    chosen, replies = named(name), REPLIES[name]
    assert chosen.name == name
    session = chosen.session(seed=3)
    events = session.push(SPEECH)
    decisions = [event for event in events if isinstance(event, Decision)]
    assert [decision.chunk for decision in decisions] == list(range(10))
    assert [event.start_s for event in events if isinstance(event, Chunk)] == [0.4 * n for n in range(10)]
    assert replies is None or turns(events) == replies
    for decision in decisions:
        assert decision.rule["policy"] == chosen.name
        assert {name: decision.rule[name] for name in chosen.parameters} == chosen.parameters
        assert (decision.token, decision.argmax, decision.position) == (-1, -1, -1)
        assert (decision.alternatives, decision.before, decision.limit, decision.used) == ((), (), 0, 0)
    assert not session.record.of_type(Token)
    assert all(turn.tokens == () and turn.emotion is None for turn in session.record.of_type(Turn))
    assert list(session.record.decisions.chunk) == list(range(10))
    assert (session.position, session.context_limit, session.prefix) == (0, 0, ())
    for event in events:
        assert Event.from_json(json.loads(json.dumps(event.to_json(), allow_nan=False))) == event


def test_the_score_of_the_detector_is_in_the_decision() -> None:
    decisions = [event for event in Energy().session().push(SPEECH) if isinstance(event, Decision)]
    # The sound fills chunks 3 and 4; chunk 2 is half of it.
    assert [decision.rule["speaking"] for decision in decisions] == [*[False] * 2, *[True] * 3, *[False] * 5]
    loud = [decision.rule["score"] > decision.rule["threshold"] for decision in decisions]
    assert loud == [*[False] * 2, *[True] * 3, *[False] * 5]
    assert decisions[6].rule["silent_s"] == 0.8
    assert decisions[6].rule["score_name"] == "dB above the background"


@pytest.mark.parametrize(
    "settings", [{"temperature": 0.5}, {"greedy": True}, {"bias": 1.0}, {"context": "stop"}, {"system_prompt": "Hi"}]
)
def test_a_setting_of_tokens_is_refused_in_a_sentence(settings: dict[str, Any]) -> None:
    (name,) = settings
    with pytest.raises(SettingError, match=f"^{name} does not apply to the policy energy.*: threshold, release"):
        Energy().session(**settings)
    session = Energy().session(max_reply_tokens=3, seed=1, alternatives=2)
    with pytest.raises(SettingError, match="has no tokens"):
        session.change(**settings)
    assert session.change(seed=2).seed == 2
    session.push(SPEECH)
    assert [notice.kind for notice in session.record.of_type(Notice)] == ["settings"]


@pytest.mark.parametrize("blocks", [1, 3])
def test_an_interrupt_of_the_detector_loses_and_repeats_no_window(blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [e.rule for e in Energy().session().push(SPEECH) if isinstance(e, Decision)]
    session, calls, score = Energy().session(), list[int](), LevelDetector.__call__

    def interrupted(detector: LevelDetector, samples: Array) -> float:
        calls.append(1)
        if len(calls) in (7, 50, 51, 117):
            raise KeyboardInterrupt
        return score(detector, samples)

    monkeypatch.setattr(LevelDetector, "__call__", interrupted)
    for block in np.array_split(SPEECH, blocks):
        for attempt in range(5):
            try:
                session.push(block if attempt == 0 else quiet(0))
                break
            except KeyboardInterrupt:
                continue
    assert [decision.rule for decision in session.record.of_type(Decision)] == expected


def test_a_clip_and_a_running_stream_give_the_same_decisions() -> None:
    clip, stream = Energy().session(), Energy().session()
    clip.push_clip(SPEECH, floor="clip", tail_silence=1.0)
    stream.push_clip(SPEECH, floor="running", tail_silence=1.0)
    assert clip.record.of_type(Decision) == stream.record.of_type(Decision)


@pytest.mark.parametrize("level", [0.0, 0.01, 0.5])
def test_a_level_policy_keeps_silent_on_steady_sound(level: float) -> None:
    noise = (level * np.random.default_rng(0).standard_normal(10 * SAMPLE_RATE)).astype(np.float32)
    assert turns(list(Energy().session().push(noise))) == []


@given(cuts)
def test_any_blocks_give_the_same_events(places: list[float]) -> None:
    audio = np.concatenate([quiet(0.5), buzz(0.7), quiet(1.3), buzz(0.5), quiet(1.01)])
    whole, pieces = Energy().session(), Energy().session()
    list(whole.push(audio))
    list(whole.finish(1.0))
    for block in split(audio, places):
        pieces.push(block)
    pieces.finish(1.0)
    expected = [event for event in whole.record.events if not isinstance(event, Timing)]
    assert [event for event in pieces.record.events if not isinstance(event, Timing)] == expected
    assert len(turns(expected)) == 2


def test_decisions_are_certain_and_say_so() -> None:
    events = Energy().session().push(SPEECH)
    decisions = [event for event in events if isinstance(event, Decision)]
    assert {d.p_text for d in decisions} == {0.0, 1.0}
    for decision in decisions:
        assert (decision.choice == "TEXT_BEGIN") == (decision.p_text == 1)
        assert (decision.p_keep + decision.p_text, decision.p_other, decision.draw) == (1, 0, None)
    for event in events:
        assert Event.from_json(json.loads(json.dumps(event.to_json(), allow_nan=False))) == event


def test_clips_follow_each_other_in_one_session() -> None:
    policy = Energy().session()
    first = list(policy.push_clip(np.concatenate([quiet(0.4), buzz(0.5)]), floor="clip", tail_silence=1.0))
    second = list(policy.push_clip(buzz(0.4), tail_silence=1.0))
    assert [e.clip for e in first if isinstance(e, Chunk)] == [0] * 6
    assert [e.clip for e in second if isinstance(e, Chunk)] == [1] * 4
    flags = [e.flags for e in first if isinstance(e, Chunk)]
    assert flags[2:] == [("padded",), ("tail",), ("tail",), ("tail",)]
    assert len(turns(first)) == 1


class Loudness:
    """Stands in for silero's network: called with a window and a rate, has states to reset."""

    def __init__(self) -> None:
        self.resets = 0

    def reset_states(self) -> None:
        self.resets += 1

    def __call__(self, window: torch.Tensor, rate: int) -> torch.Tensor:
        assert (window.shape, rate) == ((512,), SAMPLE_RATE)
        return (window.abs().max() > 0.1).float()


def test_silero_scores_windows_of_32_ms(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Loudness()
    monkeypatch.setitem(sys.modules, "silero_vad", SimpleNamespace(load_silero_vad=lambda: network))
    stream = Silero().open_stream()
    assert network.resets == 1
    assert [len(alone(stream.perceive(np.zeros(CHUNK_SAMPLES, np.float32))).frames) for _ in range(4)] == [
        12,
        13,
        12,
        13,
    ]
    assert turns(Silero().session().push(SPEECH)) == [6]


def test_silero_computes_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = list[int]()

    class Counted(Loudness):
        def __call__(self, window: torch.Tensor, rate: int) -> torch.Tensor:
            counts.append(torch.get_num_threads())
            return super().__call__(window, rate)

    monkeypatch.setitem(sys.modules, "silero_vad", SimpleNamespace(load_silero_vad=Counted))
    stream = Silero().open_stream()
    with intra_op_threads(3):
        alone(stream.perceive(np.zeros(CHUNK_SAMPLES, np.float32)))
        assert torch.get_num_threads() == 3
    assert set(counts) == {1}


def test_without_the_package_a_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "silero_vad", None)
    with pytest.raises(SettingError, match=r"ai_widgets\[eval\]"):
        Silero()


def test_the_real_silero_listens_and_leaves_the_threads_alone() -> None:
    pytest.importorskip("silero_vad")
    threads = torch.get_num_threads()
    stream = Silero().open_stream()
    assert torch.get_num_threads() == threads
    scores = alone(stream.perceive(np.zeros(2 * CHUNK_SAMPLES, np.float32))).frames
    assert len(scores) == 25
    assert all(0 <= score < 0.5 for score in scores)


def test_the_real_silero_returns_to_a_mark() -> None:
    pytest.importorskip("silero_vad")
    sound = np.random.default_rng(0).standard_normal((4, CHUNK_SAMPLES)).astype(np.float32) * 0.1
    stream = Silero().open_stream()
    alone(stream.perceive(sound[0]))
    mark = stream.mark()
    expected = [alone(stream.perceive(chunk)).frames for chunk in sound[1:]]
    stream.return_to(mark)
    assert [alone(stream.perceive(chunk)).frames for chunk in sound[1:]] == expected


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"hangover_s": -1}, "hangover_s must be at least 0"),
        ({"threshold": float("nan")}, "threshold must be a number"),
        ({"shortest_s": "long"}, "shortest_s must be a number"),
    ],
)
def test_bad_rules_are_refused_in_a_sentence(values: dict[str, float], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        Energy(**values)
