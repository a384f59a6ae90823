"""Whether the sound of a microphone keeps pace with time: what a browser was too busy to record comes in no block.

Blocks tell two clocks: the audio clock of their first sample, and the wall clock of their last. A leap of the first is
sound that the page lost; a leap of the second is an audio thread that stood still, behind which a browser keeps a tenth
of a second or so and loses the rest.
"""

from __future__ import annotations

from math import nan

from .messages import Block

STOOD_S = 0.2
"""A leap counts from here: browsers deliver sound in bursts of up to a tenth of a second."""


class Clocks:
    """The two clocks of one stream, block by block."""

    def __init__(self) -> None:
        self._next_s = nan
        self._ended_ms = nan

    def forget(self) -> None:
        """What comes next cannot be compared: the microphone was held, or blocks were lost on their way."""
        self._next_s = self._ended_ms = nan

    def leap(self, block: Block) -> float:
        """Seconds by which a block begins after the one before it had ended; 0 for what is usual."""
        length = len(block.samples) / block.rate
        # A page that does not tell the wall clock sends 0; the audio clock alone then decides.
        captured = block.captured_ms or nan
        leaps = (block.time_s - self._next_s, (captured - self._ended_ms) / 1000 - length)
        self._next_s = block.time_s + length
        self._ended_ms = captured
        return max((leap for leap in leaps if leap > STOOD_S), default=0.0)
