"""Find missing sound and the capture time of microphone blocks, from the clocks that the page sends.

Each block carries two clocks of the page: the audio clock of its first sample and the wall clock of its last. A jump of
the audio clock is sound that the page lost. A jump of the wall clock alone is a stalled audio thread: the browser
buffers about 0.1 s of sound for it and loses the rest.
"""

from __future__ import annotations

from collections import deque
from math import inf, nan

from .messages import Block

STOOD_S = 0.2
"""Seconds above which a jump counts as a loss: browsers deliver sound in bursts of up to 0.1 s."""
RECENT_BLOCKS = 20
"""Blocks (2 s) over which small losses are added up: a burst evens out within this time, a loss does not."""
DRIFT = 200e-6
"""Seconds per second by which audio clock and wall clock may drift apart without a loss; crystals drift less."""
QUICKEST_MS = 30_000.0
"""Length of a window in ms: the clock offset is the least delay in the last one or two windows, since clocks drift."""


class Clocks:
    """The comparison of the two clocks of one stream, block by block."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Restart with the next block, after blocks were lost in transit: that loss has a notice of its own."""
        self._next_s = self._ended_ms = nan
        self._behind_s = 0.0
        self._recent: deque[float] = deque(maxlen=RECENT_BLOCKS)

    def leap(self, block: Block) -> float:
        """Return the seconds of sound that are missing before a block and were not returned before; 0 for none."""
        length = len(block.samples) / block.rate
        # A page without a wall clock sends 0; then only the audio clock is compared.
        captured = block.captured_ms or nan
        late = (captured - self._ended_ms) / 1000 - length
        leaps = (block.time_s - self._next_s, late)
        self._next_s, self._ended_ms = block.time_s + length, captured
        found = max((leap for leap in leaps if leap > STOOD_S), default=0.0)
        return found or self._small_losses(late, length)

    def _small_losses(self, late: float, length: float) -> float:
        """Return wall time minus recorded time where it has stayed above `STOOD_S` without a single large jump."""
        if late != late:
            return 0.0
        # Not below 0: an early block only makes up for an earlier late one, or for a loss reported too high.
        self._behind_s = max(0.0, self._behind_s + late - DRIFT * length)
        self._recent.append(self._behind_s)
        lost = min(self._recent) if len(self._recent) == RECENT_BLOCKS else 0.0
        if lost <= STOOD_S:
            return 0.0
        self._behind_s -= lost
        self._recent.clear()
        return lost


class CaptureClock:
    """An estimate of the offset between the page's clock and the kernel's, which gives a block's age at arrival.

    The offset (kernel's clock minus page's) is at most the difference of a block's arrival and capture, so the least
    difference over many blocks bounds it: the usual estimate of a one-way delay. Where all blocks were late (the kernel
    was busy from the first block on) the bound is too high; the page's own estimate, from messages in both directions,
    is used where it is lower.
    """

    def __init__(self) -> None:
        self._begun_ms = -inf
        self._before_ms = self._quickest_ms = inf

    def age_s(self, block: Block, now_ms: float) -> float:
        """Return the seconds between the capture of a block's last sample and `now_ms` (Unix ms); 0 where unknown."""
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
