"""Building blocks of generated sounds: resonances, random curves, peak normalisation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from ai_widgets.protocol import SAMPLE_RATE

Samples = npt.NDArray[np.float32]
Rng = np.random.Generator
Generator = Callable[[Rng, float], Samples]
"""A sound generator: takes a random generator and seconds, returns float32 samples at 16 kHz."""


def peak(samples: npt.NDArray[np.floating]) -> Samples:
    """Scale to a peak of 1."""
    return np.asarray(samples / (np.abs(samples).max(initial=0) + 1e-9), np.float32)


def times(seconds: float) -> npt.NDArray[np.float64]:
    """Return the times of the samples in seconds."""
    return np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def resonance(excitation: npt.NDArray[np.floating], frequency: float, ring: float) -> npt.NDArray[np.float64]:
    """Filter an excitation with a damped resonator, which decays to 1/e in `ring` seconds."""
    radius = np.exp(-1 / (ring * SAMPLE_RATE))
    angle = 2 * np.pi * frequency / SAMPLE_RATE
    out: npt.NDArray[np.float64] = lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], excitation)
    return out


def slow(rng: Rng, count: int, rate: float) -> npt.NDArray[np.float64]:
    """Draw a random curve around 0 that changes about `rate` times per second."""
    knots = rng.standard_normal(max(2, int(count / SAMPLE_RATE * rate) + 2))
    return np.interp(np.linspace(0, len(knots) - 1, count), np.arange(len(knots)), knots)
