"""The exercise of `01_quickstart`."""

from __future__ import annotations

import math

from ...audio.clips import clips
from ...protocol import CHUNK_SECONDS
from ..exercise import Count, Exercise

EXERCISES: dict[str, Exercise] = {
    "chunks_of_a_clip": Count(
        lambda: math.ceil(clips["digit"].seconds / CHUNK_SECONDS),
        unit="chunks",
        hint="A chunk lasts 0.4 s; what is left over is padded to a whole one.",
    ),
}
"""Exercises by name, in the order of the notebook."""
