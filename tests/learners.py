"""Sounds, learners and expected events of the tests of the class server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ai_widgets.inference import Model
from ai_widgets.protocol import Chunk, Decision, Event, Notice, Timing, Token, Turn
from tests.class_server import Learner
from tests.signals import babble

SETTINGS = {"bias": 1.0, "max_reply_tokens": 4, "temperature": 1.0}
SOUNDS = [babble(seconds, place) for place, seconds in enumerate((2.4, 1.7, 2.0))]


def facts(events: Sequence[Event]) -> list[tuple[Any, ...]]:
    """What must be the same: order, decisions, tokens, random numbers and replies. Probabilities differ by rounding."""
    told: list[tuple[Any, ...]] = []
    for event in events:
        if isinstance(event, Decision):
            told.append(("decision", event.chunk, event.choice, event.token, event.draw, event.position))
        elif isinstance(event, Token):
            told.append(("token", event.chunk, event.turn, event.index, event.token, event.draw))
        elif isinstance(event, Turn):
            told.append(("turn", event.chunk, event.turn, event.text, event.ended))
        elif isinstance(event, (Chunk, Notice)):
            told.append((event.type, event.chunk))
    return told


def alone(model: Model, sound: np.ndarray, seed: int, tail: float = 0.4) -> list[tuple[Any, ...]]:
    with model.session(seed=seed, **SETTINGS) as session:
        session.push(sound)
        session.finish(tail)
    return facts(list(session.record.since(0)))


def decided(chunks: int) -> Any:
    return lambda events: sum(isinstance(event, Timing) for event in events) >= chunks


def chunks_of(sound: np.ndarray, tail: float = 0.4) -> int:
    return int(np.ceil(len(sound) / 6400)) + round(tail / 0.4)


def speak(learner: Learner, sound: np.ndarray, *, length: int = 1_500) -> None:
    learner.open(tail_s=0.4)
    for start in range(0, len(sound), length):
        learner.block(sound[start : start + length])
    learner.send({"type": "close", "stream": 1, "blocks": learner.sent, "reason": "ended"})
