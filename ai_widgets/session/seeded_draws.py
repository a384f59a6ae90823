"""Draws of one session: a generator of random numbers that continues from the state recorded with each step."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..model.distribution import Distribution
from ..model.sampling import Draw, SamplingRule, draw


def first_state(seed: int) -> Any:
    """Return the state of the generator before its first draw."""
    return np.random.default_rng(seed).bit_generator.state


class SeededDraws:
    """Draws, each from a given state of the generator; the state after it belongs to the step that drew."""

    def __init__(self) -> None:
        self._generator = np.random.default_rng(0)
        # State of the generator after the last draw, as the object that was returned; None where it is unknown.
        self._state: Any = None

    def draw(self, raw: Distribution, rule: SamplingRule, state: Any, **options: Any) -> tuple[Draw, Any]:
        """Draw a token, and return the draw and the state of the generator after it.

        Parameters
        ----------
        raw, rule, options
            As in `model.sampling.draw`.
        state
            State to draw from. Greedy decoding leaves it as it is.
        """
        if rule.greedy:
            return draw(raw, rule, self._generator, **options), state
        generator = self._generator.bit_generator
        # Setting a state takes longer than drawing, and the generator usually is in this one. An interrupt before the
        # last line leaves the state unknown, so that the next draw sets it.
        known, self._state = self._state is state, None
        if not known:
            generator.state = state
        drawn = draw(raw, rule, self._generator, **options)
        after = generator.state
        self._state = after
        return drawn, after
