"""The exercise of `04_what_if`."""

from __future__ import annotations

import math
from functools import cache

from ...audio.clips import clips
from ...errors import AudioError
from ...inference import load_model
from ...protocol import Decision, Turn
from ..clip_runs import record_of
from ..exercise import Exercise, Number
from ..noise import in_noise, undecided_level

SEEDS = 10
"""Seeds that the notebook tries; with a probability of about 0.6 several of them speak and several do not."""


@cache
def silent_decision() -> Decision:
    """Return the decision of the notebook: of the first seed with which the undecided model does not reply at all."""
    model, samples = load_model("tiny"), clips["alarm"].samples()
    chunk = record_of("alarm", greedy=True).of_type(Turn)[0].chunk
    noisy = in_noise(samples, undecided_level(model, samples, chunk))
    for seed in range(SEEDS):
        with model.session(seed=seed) as session:
            session.push_clip(noisy, floor="running")
        if not session.record.count(Turn):
            return session.record.of_type(Decision)[chunk]
    raise AudioError(f"This checkpoint replies with each of {SEEDS} seeds, so that no silence can be asked about.")


def bias_for_the_alarm() -> float:
    """Return the least bias that lets that decision's random number fall into the part of TEXT_BEGIN.

    With the bias b, TEXT_BEGIN has the share 1 / (1 + exp(−(Δ + b) / T)), where Δ is the difference of the two logits
    and T the temperature; it comes first on the line from 0 to 1 because it is the likelier of the two.
    """
    decision = silent_decision()
    draw = float(decision.draw or 0.0)
    return float(decision.rule["temperature"]) * math.log(draw / (1 - draw)) - (
        decision.logit_text - decision.logit_keep
    )


EXERCISES: dict[str, Exercise] = {
    "bias_for_the_alarm": Number(
        bias_for_the_alarm,
        unit="bias, in natural logits",
        hint="Move the slider up from 0 until it speaks at that chunk, or call speaks_at for 0.01, 0.02, and so on.",
        tolerance=0.011,
    ),
}
"""Exercises by name; a tolerance is in the unit of its answer."""
