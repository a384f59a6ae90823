"""What the clocks of a microphone's blocks tell: sound that was never recorded, and how long ago a block was captured.

Blocks tell two clocks of the page: the audio clock of their first sample, and the wall clock of their last. A leap of
the first is sound that the page lost; a leap of the second is an audio thread that stood still, behind which a browser
keeps a tenth of a second or so and loses the rest.
"""

from __future__ import annotations

from collections import deque
from math import inf, nan

from .messages import Block

STOOD_S = 0.2
"""A loss counts from here: browsers deliver sound in bursts of up to a tenth of a second."""
RECENT_BLOCKS = 20
"""Blocks (2 s) over which small losses are added up: a burst is over by then, and a loss stays."""
DRIFT = 200e-6
"""Seconds a second by which an audio clock and a wall clock may drift apart without any loss; crystals stay below."""
QUICKEST_MS = 30_000.0
"""The quickest block of one or two such spans tells how two clocks stand; older ones are forgotten: clocks drift."""


class Clocks:
    """Compares the two clocks of one stream, block by block."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew with the next block: blocks were lost on their way, which is told elsewhere."""
        self._next_s = self._ended_ms = nan
        self._behind_s = 0.0
        self._recent: deque[float] = deque(maxlen=RECENT_BLOCKS)

    def leap(self, block: Block) -> float:
        """Seconds of sound that are missing before a block and were not told yet; 0 where none are."""
        length = len(block.samples) / block.rate
        # A page that does not tell the wall clock sends 0; the audio clock alone then decides.
        captured = block.captured_ms or nan
        late = (captured - self._ended_ms) / 1000 - length
        leaps = (block.time_s - self._next_s, late)
        self._next_s, self._ended_ms = block.time_s + length, captured
        found = max((leap for leap in leaps if leap > STOOD_S), default=0.0)
        return found or self._small_losses(late, length)

    def _small_losses(self, late: float, length: float) -> float:
        """Wall time minus recorded time, where it has stayed above `STOOD_S` although no single leap did."""
        if late != late:
            return 0.0
        # Below 0 a block makes up for one that came late before, or for what was told too high.
        self._behind_s = max(0.0, self._behind_s + late - DRIFT * length)
        self._recent.append(self._behind_s)
        lost = min(self._recent) if len(self._recent) == RECENT_BLOCKS else 0.0
        if lost <= STOOD_S:
            return 0.0
        self._behind_s -= lost
        self._recent.clear()
        return lost


class CaptureClock:
    """How long before its arrival a block was captured, although the page has another clock.

    The kernel's clock minus the page's is never more than arrival minus capture, so the quickest of many blocks bounds
    it; that is the usual estimate of a one-way delay. Where all blocks were late (a kernel that was busy from the first
    one on) it is too high, so the page's own estimate, which knows messages of both directions, is used if it is lower.
    """

    def __init__(self) -> None:
        self._begun_ms = -inf
        self._before_ms = self._quickest_ms = inf

    def age_s(self, block: Block, now_ms: float) -> float:
        """Seconds between the capture of a block's last sample and `now_ms` (Unix ms); 0 where unknown."""
        if not block.captured_ms:
            return 0.0
        delay = now_ms - block.captured_ms
        if now_ms - self._begun_ms > QUICKEST_MS:
            self._begun_ms = now_ms
            self._before_ms, self._quickest_ms = self._quickest_ms, inf
        self._quickest_ms = min(self._quickest_ms, delay)
        offset = min(self._before_ms, self._quickest_ms)
        if block.offset_ms is not None:
            offset = min(offset, block.offset_ms)
        return (delay - offset) / 1000
