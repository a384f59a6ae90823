"""Sessions of the embedded checkpoint over clips, run once: expected values are read off their records."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..audio.clips import clips
from ..inference import load_model
from ..protocol import Decision
from ..record.record import SessionRecord


@cache
def record_of(clip: str, **settings: Any) -> SessionRecord:
    """Return the record of a clip in a session of its own, followed by the second of silence that ends a file.

    Parameters
    ----------
    clip
        Name in `aiw.clips`.
    **settings
        Settings of the session; without any, the draws are those of seed 0.
    """
    with load_model("tiny").session(**settings) as session:
        session.play(clips[clip])
        return session.record


def decisions_of(clip: str, **settings: Any) -> list[Decision]:
    """Return the decisions of `record_of`."""
    return [event for event in record_of(clip, **settings).events if isinstance(event, Decision)]
