"""When a reply is shown: replies have a beginning on the audio clock, but no length of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..protocol import CHUNK_SECONDS, Turn

if TYPE_CHECKING:
    from .views import RecordViews

CHARACTERS_PER_SECOND = 15.0
"""Reading speed for captions, in characters per second, as broadcasters use it for adults."""
MIN_SECONDS = 1.2
"""Shortest time that a caption is shown, in seconds: three chunks."""


@dataclass(frozen=True)
class ReplySpan:
    """Reply with the time in which it is shown, in seconds on the audio clock."""

    turn: Turn
    start_s: float
    end_s: float


def reply_spans(record: RecordViews) -> list[ReplySpan]:
    """Return all replies with their times.

    A reply begins at the end of the chunk whose decision began it, and is shown for the time that reading takes, at
    most until the next reply begins.
    """
    turns = sorted(record.of_type(Turn), key=lambda turn: turn.chunk)
    starts = [(turn.chunk + 1) * CHUNK_SECONDS for turn in turns]
    spans = []
    for number, turn in enumerate(turns):
        end = starts[number] + max(MIN_SECONDS, len(turn.text) / CHARACTERS_PER_SECOND)
        if number + 1 < len(turns):
            end = min(end, starts[number + 1])
        if end > starts[number]:
            spans.append(ReplySpan(turn, starts[number], end))
    return spans
