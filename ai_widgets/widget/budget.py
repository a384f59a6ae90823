"""A token bucket, which limits the rate of an action in a burst and in the long run."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic


class Budget:
    """A token bucket of `burst` tokens that gains one token every `seconds`.

    Parameters
    ----------
    burst
        Capacity: actions that may follow each other at once.
    seconds
        Time in which one token is added.
    clock
        Returns a monotonic time in seconds.
    """

    def __init__(self, burst: int, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._burst, self._seconds, self._clock = burst, seconds, clock
        self._left = float(burst)
        self._at = clock()

    def spend(self) -> bool:
        """Take a token. Return False where the bucket is empty."""
        self._refill()
        if self._left < 1:
            return False
        self._left -= 1
        return True

    @property
    def wait(self) -> float:
        """Seconds until `spend` succeeds, 0 where a token is left."""
        self._refill()
        return max(0.0, (1 - self._left) * self._seconds)

    def _refill(self) -> None:
        now = self._clock()
        # Rounded, so that a token is there after exactly `wait` seconds.
        self._left = min(float(self._burst), round(self._left + (now - self._at) / self._seconds, 9))
        self._at = now
