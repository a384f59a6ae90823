"""The exercise of `04_what_if`."""

from __future__ import annotations

import math

from ..clip_runs import decisions_of
from ..exercise import Exercise, Number


def bias_for_the_alarm() -> float:
    """Return the least bias that lets the likeliest decision's random number fall into the part of TEXT_BEGIN.

    With the bias b, TEXT_BEGIN has the share 1 / (1 + exp(−(Δ + b) / T)), where Δ is the difference of the two logits
    and T the temperature; it comes first on the line from 0 to 1 because it is the likelier of the two.
    """
    decision = max(decisions_of("alarm"), key=lambda each: each.p_text)
    draw = float(decision.draw or 0.0)
    return float(decision.rule["temperature"]) * math.log(draw / (1 - draw)) - (
        decision.logit_text - decision.logit_keep
    )


EXERCISES: dict[str, Exercise] = {
    "bias_for_the_alarm": Number(
        bias_for_the_alarm,
        unit="bias, in natural logits",
        hint="Move the slider up from 0 until the model speaks, or call speaks_at for 0.01, 0.02, and so on.",
        tolerance=0.011,
    ),
}
"""Exercises by name; a tolerance is in the unit of its answer."""
