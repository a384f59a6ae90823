"""A token bucket: how often something may happen, in a burst and in the long run."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic


class Budget:
    """Allows `burst` at once, and one more every `seconds`.

    Parameters
    ----------
    burst
        Most that may happen at once.
    seconds
        Time after which one more is allowed.
    clock
        Gives the time in seconds; it never goes back.
    """

    def __init__(self, burst: int, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._burst, self._seconds, self._clock = burst, seconds, clock
        self._left = float(burst)
        self._at = clock()

    def spend(self) -> bool:
        """Take one if there is one; False where there is none."""
        self._refill()
        if self._left < 1:
            return False
        self._left -= 1
        return True

    @property
    def wait(self) -> float:
        """Seconds until `spend` succeeds."""
        self._refill()
        return max(0.0, (1 - self._left) * self._seconds)

    def _refill(self) -> None:
        now = self._clock()
        # Rounded, so that waiting for exactly as long as `wait` said is enough.
        self._left = min(float(self._burst), round(self._left + (now - self._at) / self._seconds, 9))
        self._at = now
