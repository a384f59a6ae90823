"""The exercise of `07_the_published_model`."""

from __future__ import annotations

from ...protocol import CHUNK_SECONDS
from ..exercise import Count, Exercise

CHUNK_OF_A_T4_MS, TOKEN_OF_A_T4_MS = 36, 28
"""Milliseconds that a chunk and a token of a reply take on a T4, computed from its data sheet (docs/hardware.md)."""

EXERCISES: dict[str, Exercise] = {
    "tokens_before_the_next_chunk": Count(
        lambda: (round(1000 * CHUNK_SECONDS) - CHUNK_OF_A_T4_MS) // TOKEN_OF_A_T4_MS,
        unit="tokens",
        hint="The chunk's own 36 ms come first; what is left of 400 ms is for the tokens.",
    ),
}
"""Exercises by name; a tolerance is in the unit of its answer."""
