"""Exercises of `03_one_chunk_by_hand`, about the decision after the word *seven*."""

from __future__ import annotations

import math

from ...inference import load_model
from ...protocol import Decision, Turn
from ..clip_runs import decisions_of, record_of
from ..exercise import Count, Exercise, Number

CLIP = "digit"
FLOAT32_BYTES = 4
"""Bytes of one number of the cache."""
TEMPERATURE = 2.0
"""Temperature that the last exercise asks about: far above the checkpoint's 0.3, so that the probability moves."""


def decision() -> Decision:
    """Return the decision that the notebook computes: the one that is replied to."""
    return decisions_of(CLIP)[record_of(CLIP).of_type(Turn)[0].chunk]


def cache_bytes() -> int:
    """Compute the bytes of keys and values of all positions and layers."""
    shape = load_model("tiny").decoder.model.shape
    return (decision().position + 1) * shape.layers * 2 * shape.key_rows * FLOAT32_BYTES


EXERCISES: dict[str, Exercise] = {
    "hand_positions": Count(
        lambda: decision().position + 1,
        unit="positions",
        hint="The first chunk follows the prefix; each later one follows the token that was drawn.",
    ),
    "hand_cache_bytes": Count(
        cache_bytes, unit="bytes", hint="positions × layers × (keys and values) × heads × 32 × 4"
    ),
    "hand_temperature": Number(
        lambda: 1 / (1 + math.exp((decision().logit_keep - decision().logit_text) / TEMPERATURE)),
        unit="probability",
        tolerance=0.005,
        hint="Set the slider, or compute softmax(logits / 2) of the two logits.",
    ),
}
"""Exercises by name, in the order of the notebook."""
