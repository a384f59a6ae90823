"""The exercise of `08_context`."""

from __future__ import annotations

from ...inference import load_model
from ..exercise import Count, Exercise

POSITIONS_OF_A_CHUNK = 13
"""Positions of one chunk in the sequence: AUDIO_BEGIN, ten frames, ASSISTANT and the decision."""


def chunks_in_the_context() -> int:
    """Return how many whole chunks fit beside the prefix, as a new session of the embedded checkpoint says."""
    session = load_model("tiny").session()
    return (session.context_limit - len(session.prefix)) // POSITIONS_OF_A_CHUNK


EXERCISES: dict[str, Exercise] = {
    "chunks_in_the_context": Count(
        chunks_in_the_context,
        unit="chunks",
        hint="Take the prefix from the limit; each chunk needs 13 positions.",
    ),
}
"""Exercises by name; a tolerance is in the unit of its answer."""
