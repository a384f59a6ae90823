"""Endpointing by level, the baseline to beat: nothing to install."""

from __future__ import annotations

from ..audio.intake import level_db
from ..protocol import SAMPLE_RATE
from .endpointing import Endpointing, EndpointingPolicy
from .policy import Array


class LevelDetector:
    """A detector that scores a window of 20 ms by its dB above the background, which falls at once and rises slowly."""

    window = SAMPLE_RATE // 50

    def __init__(self, quietest_db: float = -65.0, rise_db_per_s: float = 4.0) -> None:
        self._quietest = quietest_db
        self._rise = rise_db_per_s * self.window / SAMPLE_RATE
        self._background: float | None = None

    def __call__(self, samples: Array) -> float:
        """Score the next window."""
        level = max(level_db(samples), self._quietest)
        background = level if self._background is None else min(level, self._background + self._rise)
        self._background = background
        return level - background

    def mark(self) -> float | None:
        """Return the background level in dBFS, for `return_to`; None before the first window."""
        return self._background

    def return_to(self, mark: float | None) -> None:
        """Restore the background level that `mark` returned."""
        self._background = mark


class Energy(EndpointingPolicy):
    """Endpointing by level, the simplest baseline: speech is audio at least `threshold` dB louder than its background.

    Parameters
    ----------
    threshold, release, hangover_s, shortest_s
        See `Endpointing`; the first two in dB.

    Raises
    ------
    SettingError
        If a value is not allowed (see `Endpointing`).

    Examples
    --------
    >>> aiw.AudioInteraction(aiw.policies.Energy(threshold=15))
    """

    name = "energy"
    window = LevelDetector.window
    score_name = "dB above the background"
    score_range = (0.0, 40.0)

    def __init__(
        self, *, threshold: float = 12.0, release: float = 4.0, hangover_s: float = 0.6, shortest_s: float = 0.1
    ) -> None:
        super().__init__(
            Endpointing(threshold=threshold, release=release, hangover_s=hangover_s, shortest_s=shortest_s)
        )

    def open_detector(self) -> LevelDetector:
        """Create the detector of a new stream."""
        return LevelDetector()
