"""Several channels to one: the average, and the louder channel where the average would cancel the sound."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

CANCELS_BELOW = 0.01
"""Power of the average, as a share of the loudest channel's, below which the channels cancel: 20 dB are lost, while
two unrelated channels lose 3 dB and one silent channel costs 6 dB."""
ADDS_ABOVE = 0.1
"""The same share from which they are averaged again: above `CANCELS_BELOW`, so that it does not flip."""
AUDIBLE = 1e-7
"""Power of the loudest channel (−70 dBFS) below which the question does not arise."""
WINDOW_S = 0.25
"""Seconds that are decided at a time: long enough that ordinary stereo, whose channels oppose each other for some
milliseconds, is averaged; short enough that a fault that begins or ends is followed."""
FADE_S = 0.005
"""Seconds over which one choice passes into the other, so that the change is no click."""


class Downmix:
    """Averages the channels of a recording, block by block.

    Where the average cancels (a cable or a plug with one channel inverted), the louder channel is taken
    instead, until the channels add up again. `cancelled` is the first sample for which that was so, and the
    channel.
    """

    def __init__(self, rate: int) -> None:
        self._window, self._fade = max(1, int(WINDOW_S * rate)), max(1, int(FADE_S * rate))
        self._chosen: int | None = None
        self._taken = 0
        self.cancelled: tuple[int, int] | None = None

    @property
    def chosen(self) -> int | None:
        """The channel that is taken alone at present, or None while all are averaged."""
        return self._chosen

    def mix(self, rows: Array) -> Array:
        """One row [n] of a block [n, channels]. NaN stays in its place."""
        if rows.shape[1] == 1:
            return rows[:, 0]
        mean: Array = rows.mean(axis=1, dtype=np.float32)
        for start in range(0, len(rows), self._window):
            window = slice(start, start + self._window)
            before, self._chosen = self._chosen, self._choose(rows[window], mean[window])
            if self._chosen is not None or before is not None:
                if self.cancelled is None and self._chosen is not None:
                    self.cancelled = (self._taken + start, self._chosen)
                self._replace(rows[window], mean[window], before)
        self._taken += len(rows)
        return mean

    def _replace(self, rows: Array, mean: Array, before: int | None) -> None:
        """Put what is chosen over the average `mean` [n], which is changed; `before` fades into it."""
        old, new = (mean if channel is None else rows[:, channel] for channel in (before, self._chosen))
        short = min(self._fade, len(mean)) if before != self._chosen else 0
        rise = np.linspace(0, 1, short, dtype=np.float32)
        mixed = new.copy()
        mixed[:short] = rise * new[:short] + (1 - rise) * old[:short]
        mean[:] = mixed

    def _choose(self, rows: Array, mean: Array) -> int | None:
        powers = _power(rows)
        loudest = int(powers.argmax())
        if powers[loudest] < AUDIBLE:
            return self._chosen
        share = float(_power(mean[:, None])[0] / powers[loudest])
        if share < CANCELS_BELOW:
            return loudest if self._chosen is None else self._chosen
        return None if share >= ADDS_ABOVE else self._chosen


def _power(rows: Array) -> npt.NDArray[np.float64]:
    """Mean square of each column; what is not finite counts as 0."""
    if not len(rows):
        return np.zeros(rows.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("nc,nc->c", rows, rows, dtype=np.float64)
        if not np.isfinite(squares).all():
            whole = np.where(np.isfinite(rows), rows, np.float32(0))
            squares = np.einsum("nc,nc->c", whole, whole, dtype=np.float64)
    return np.asarray(squares / len(rows))
