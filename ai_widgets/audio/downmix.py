"""Downmix of several channels to one: the average, or the loudest channel if the average cancels the sound."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

CANCELS_BELOW = 0.01
"""Ratio of the average's power to the loudest channel's below which the channels cancel: a loss of 20 dB. Two unrelated
channels lose 3 dB, one silent channel of two loses 6 dB."""
ADDS_ABOVE = 0.1
"""The same ratio from which the channels are averaged again; above `CANCELS_BELOW` as a hysteresis."""
AUDIBLE = 1e-7
"""Power of the loudest channel (−70 dBFS) below which the choice is not changed: the ratio of near silence is noise."""
WINDOW_S = 0.25
"""Length of one choice, in seconds: long enough that ordinary stereo, whose channels oppose each other for a few
milliseconds, is averaged; short enough to follow a fault that begins or ends."""
FADE_S = 0.005
"""Length of the cross-fade between two choices, in seconds, which prevents a click."""


class Downmix:
    """Downmix of a recording, block by block.

    If the average cancels (a cable or a plug with one channel inverted), the loudest channel is used until the average
    is audible again.

    Parameters
    ----------
    rate
        Sample rate, in Hz.

    Attributes
    ----------
    cancelled
        Index of the first sample at which the channels cancelled, and the channel used instead; None if they never
        did.
    """

    def __init__(self, rate: int) -> None:
        self._window, self._fade = max(1, int(WINDOW_S * rate)), max(1, int(FADE_S * rate))
        self._chosen: int | None = None
        self._taken = 0
        self.cancelled: tuple[int, int] | None = None

    @property
    def chosen(self) -> int | None:
        """Channel that is currently used alone; None while all channels are averaged."""
        return self._chosen

    def mix(self, rows: Array) -> Array:
        """Downmix a block [n, channels] to [n]. NaN is kept."""
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
        """Overwrite the average `mean` [n] in place with the chosen channel, cross-faded from the choice `before`."""
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
    """Compute the mean square of each column; NaN and infinity count as 0."""
    if not len(rows):
        return np.zeros(rows.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("nc,nc->c", rows, rows, dtype=np.float64)
        if not np.isfinite(squares).all():
            whole = np.where(np.isfinite(rows), rows, np.float32(0))
            squares = np.einsum("nc,nc->c", whole, whole, dtype=np.float64)
    return np.asarray(squares / len(rows))
