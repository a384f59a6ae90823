"""How far a file has come: position, speed, time left. Knows no clock: whoever looks says what time it is."""

from __future__ import annotations

from collections import deque

SPEED_SECONDS = 10.0
"""Speed is measured over this time: long replies in it are averaged, and it follows within seconds when they end."""
LEAST_SECONDS = 0.5
"""Below this no speed is told: the first chunks come in bursts."""


class Progress:
    """Position of one file on the clock of whoever looks.

    Attributes
    ----------
    seconds
        Length of the file, or None where it is not known. A file that turns out longer than it said is as long as its
        position.
    position_s
        Seconds of the file that are decided.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        self.position_s = 0.0
        self._looks: deque[tuple[float, float]] = deque()

    def look(self, now: float, position_s: float) -> None:
        """Take down the position at the time `now`, in seconds. It never goes back."""
        self.position_s = max(self.position_s, position_s)
        if self.seconds is not None:
            self.seconds = max(self.seconds, self.position_s)
        looks = self._looks
        # Ten looks a second are enough, and bound the queue.
        if len(looks) > 1 and now - looks[-2][0] < 0.1:
            looks.pop()
        looks.append((now, self.position_s))
        while len(looks) > 2 and now - looks[1][0] >= SPEED_SECONDS:
            looks.popleft()

    def forget_speed(self) -> None:
        """Measure anew: the file was held meanwhile."""
        self._looks.clear()

    @property
    def speed(self) -> float | None:
        """Seconds of the file a second, or None until that can be told."""
        if len(self._looks) < 2:
            return None
        (since, begun), (now, position) = self._looks[0], self._looks[-1]
        return (position - begun) / (now - since) if now - since >= LEAST_SECONDS else None

    @property
    def left_s(self) -> float | None:
        """Seconds until the end of the file at this speed, or None where that cannot be told."""
        speed = self.speed
        if self.seconds is None or not speed:
            return None
        return (self.seconds - self.position_s) / speed
