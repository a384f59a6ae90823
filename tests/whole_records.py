"""Checks of a record whose session changed its server: nothing is missing, nothing is there twice."""

from __future__ import annotations

from typing import Any

import ai_widgets as aiw
from ai_widgets.inference import Model
from ai_widgets.protocol import CHUNK_SAMPLES, Chunk, Decision, Event, Notice, Timing, Token, Turn
from tests.learners import facts


def events(record: aiw.SessionRecord) -> list[Event]:
    return list(record.since(0))


def check_whole(record: aiw.SessionRecord) -> None:
    """Every chunk and decision once and in order, every reply ended, every token in its place."""
    chunks, decisions, turns = (
        [event for event in events(record) if isinstance(event, kind)] for kind in (Chunk, Decision, Turn)
    )
    assert [event.chunk for event in chunks] == list(range(len(chunks)))
    assert [event.chunk for event in decisions] == list(range(len(chunks)))
    assert sum(isinstance(event, Timing) for event in events(record)) == len(chunks)
    replies = [event.chunk for event in decisions if event.choice == "TEXT_BEGIN"]
    assert [(turn.turn, turn.chunk) for turn in turns] == list(enumerate(replies))
    for turn in turns:
        tokens = [event for event in events(record) if isinstance(event, Token) and event.turn == turn.turn]
        assert [token.index for token in tokens] == list(range(len(tokens)))
        assert tuple(token.token for token in tokens) == turn.tokens
    assert len(record.audio) == len(chunks) * CHUNK_SAMPLES


def without_notices(record: aiw.SessionRecord) -> list[Any]:
    return facts([event for event in events(record) if not isinstance(event, Notice)])


def check_reproduced(record: aiw.SessionRecord, model: Model) -> None:
    """The model decides, draws and replies as recorded, with the context of a session that was never lost."""

    def complete(story: list[Any]) -> list[Any]:
        # A character of which the server had sent some bytes only is not in a text that the kernel closed.
        return [tuple(each.rstrip("\ufffd") if isinstance(each, str) else each for each in fact) for fact in story]

    assert complete(without_notices(record.replay(model).record)) == complete(without_notices(record))
