"""Position, speed and time left of a file. Callers pass the time, so that tests need no clock."""

from __future__ import annotations

from collections import deque

SPEED_SECONDS = 10.0
"""Window in seconds for the speed: long enough to average over replies, short enough to follow within seconds."""
LEAST_SECONDS = 0.5
"""Least seconds of measurement before a speed is shown: the first chunks are decided in bursts."""


class Progress:
    """The position of one file over time.

    Attributes
    ----------
    seconds
        Length of the file, or None where it is unknown. Raised to the position where a header states too little.
    position_s
        Seconds of the file that are decided.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        self.position_s = 0.0
        self._looks: deque[tuple[float, float]] = deque()

    def look(self, now: float, position_s: float) -> None:
        """Record the position at time `now`, both in seconds. The position never decreases."""
        self.position_s = max(self.position_s, position_s)
        if self.seconds is not None:
            self.seconds = max(self.seconds, self.position_s)
        looks = self._looks
        # Ten entries a second are enough, and bound the queue.
        if len(looks) > 1 and now - looks[-2][0] < 0.1:
            looks.pop()
        looks.append((now, self.position_s))
        while len(looks) > 2 and now - looks[1][0] >= SPEED_SECONDS:
            looks.popleft()

    def forget_speed(self) -> None:
        """Restart the measurement of the speed, after a pause."""
        self._looks.clear()

    @property
    def speed(self) -> float | None:
        """Seconds of the file decided per second, or None before `LEAST_SECONDS` of measurement."""
        if len(self._looks) < 2:
            return None
        (since, begun), (now, position) = self._looks[0], self._looks[-1]
        return (position - begun) / (now - since) if now - since >= LEAST_SECONDS else None

    @property
    def left_s(self) -> float | None:
        """Seconds until the end of the file at this speed, or None where length or speed are unknown."""
        speed = self.speed
        if self.seconds is None or not speed:
            return None
        return (self.seconds - self.position_s) / speed
