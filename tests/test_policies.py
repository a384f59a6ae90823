"""Baselines: the endpointing rule on known scores, and policies on generated sound."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given

from ai_widgets.errors import SettingError
from ai_widgets.policies.endpointing import (
    REPLY,
    Endpointer,
    Endpointing,
    EndpointingPolicy,
)
from ai_widgets.policies.energy import EnergyPolicy
from ai_widgets.policies.silero import SileroPolicy
from ai_widgets.protocol import CHUNK_SAMPLES, SAMPLE_RATE, Chunk, Decision, Event, Timing, Turn
from tests.signals import Array, cuts, split

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
    endpointer = Endpointer(rule, round(window * SAMPLE_RATE))
    return [at for at, four in enumerate(np.reshape(scores, (-1, 4)).tolist()) if endpointer.after(four)]


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


def test_a_level_policy_answers_once_after_the_sound() -> None:
    policy = EnergyPolicy(hangover_s=0.6)
    events = list(policy.push(np.concatenate([quiet(1), buzz(1), quiet(2)])))
    # The sound ends at 2.0 s, the hangover at 2.6 s: chunk 6 ends at 2.8 s.
    assert turns(events) == [6]
    assert [e.text for e in events if isinstance(e, Turn)] == [REPLY]
    assert [type(e) for e in events[:3]] == [Chunk, Decision, Timing]
    assert policy.chunks_done == 10
    assert policy.ended is None
    assert policy.record.text == REPLY


@pytest.mark.parametrize("level", [0.0, 0.01, 0.5])
def test_a_level_policy_keeps_silent_on_steady_sound(level: float) -> None:
    noise = (level * np.random.default_rng(0).standard_normal(10 * SAMPLE_RATE)).astype(np.float32)
    assert turns(list(EnergyPolicy().push(noise))) == []


@given(cuts)
def test_any_blocks_give_the_same_events(places: list[float]) -> None:
    audio = np.concatenate([quiet(0.5), buzz(0.7), quiet(1.3), buzz(0.5), quiet(1.01)])
    whole, pieces = EnergyPolicy(), EnergyPolicy()
    list(whole.push(audio))
    list(whole.finish(1.0))
    for block in split(audio, places):
        pieces.push(block)
    pieces.finish(1.0)
    expected = [event for event in whole.record.events if not isinstance(event, Timing)]
    assert [event for event in pieces.record.events if not isinstance(event, Timing)] == expected
    assert len(turns(expected)) == 2


def test_decisions_are_certain_and_say_so() -> None:
    events = list(EnergyPolicy().push(np.concatenate([quiet(1), buzz(1), quiet(2)])))
    decisions = [event for event in events if isinstance(event, Decision)]
    assert {d.p_text for d in decisions} == {0.0, 1.0}
    for decision in decisions:
        assert (decision.choice == "TEXT_BEGIN") == (decision.p_text == 1)
        assert (decision.p_keep + decision.p_text, decision.p_other, decision.draw) == (1, 0, None)
    for event in events:
        assert Event.from_json(json.loads(json.dumps(event.to_json(), allow_nan=False))) == event


def test_clips_follow_each_other_in_one_session() -> None:
    policy = EnergyPolicy()
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
    policy = SileroPolicy()
    assert network.resets == 1
    assert [len(policy.scores(np.zeros(CHUNK_SAMPLES, np.float32))) for _ in range(4)] == [12, 13, 12, 13]
    assert turns(list(SileroPolicy().push(np.concatenate([quiet(1), buzz(1), quiet(2)])))) == [6]


def test_without_the_package_a_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "silero_vad", None)
    with pytest.raises(SettingError, match=r"ai_widgets\[eval\]"):
        SileroPolicy()


def test_the_real_silero_listens_and_leaves_the_threads_alone() -> None:
    pytest.importorskip("silero_vad")
    threads = torch.get_num_threads()
    policy: EndpointingPolicy = SileroPolicy()
    assert torch.get_num_threads() == threads
    scores = policy.scores(np.zeros(2 * CHUNK_SAMPLES, np.float32))
    assert len(scores) == 25
    assert all(0 <= score < 0.5 for score in scores)


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
        EnergyPolicy(**values)
