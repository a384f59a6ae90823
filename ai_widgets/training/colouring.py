"""Augment mel power with other voices, rooms, microphones and speeds, cheaply enough to do so for every window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ai_widgets.audio.features import MEL_BINS
from ai_widgets.training import acoustics
from ai_widgets.training.mel_clips import Excerpt

Rng = np.random.Generator
Power = npt.NDArray[np.float32]


def coloured(power: Power, rng: Rng, speech: bool) -> Power:
    """Change voice, microphone and room of mel power [frames, 128], each at random."""
    if rng.random() < 0.7:
        factor = float(np.exp(rng.uniform(-0.16, 0.16)))
        at = np.clip(np.arange(MEL_BINS) * factor, 0, MEL_BINS - 1.001)
        low = at.astype(int)
        part = (at - low).astype(np.float32)
        power = power[:, low] * (1 - part) + power[:, low + 1] * part
    if rng.random() < 0.7:
        gains = np.interp(np.arange(MEL_BINS), np.linspace(0, MEL_BINS, 6), rng.uniform(-9, 9, 6))
        power = power * (10 ** (gains / 10)).astype(np.float32)
    if rng.random() < (0.35 if speech else 0.15):
        # 8 kHz lines end below 4 kHz, at three quarters of the mel axis; cheap microphones end above that.
        edge = int(rng.integers(86, 122))
        fall = np.maximum(0, np.arange(MEL_BINS) - edge) * rng.uniform(1, 6)
        power = power * (10 ** (-np.minimum(fall, 60) / 10)).astype(np.float32)
    if rng.random() < 0.35:
        decay = float(np.exp(-1 / (rng.uniform(0.03, 0.18) * 100)))
        wet = acoustics.decibels(rng.uniform(-18, -4)) ** 2 * (1 - decay)
        power = power + np.float32(wet) * acoustics.smeared(power, decay)
    return power


def bands_lost(power: Power, rng: Rng, often: float) -> Power:
    """Attenuate one or two narrow bands at random, so that no sound is recognised by a single band."""
    if rng.random() >= often:
        return power
    kept = np.ones(MEL_BINS, np.float32)
    for _ in range(int(rng.integers(1, 3))):
        width = int(rng.integers(3, 17))
        first = int(rng.integers(0, MEL_BINS - width))
        kept[first : first + width] = acoustics.decibels(rng.uniform(-50, -15)) ** 2
    return power * kept


def stretched(chosen: Excerpt, rng: Rng, often: float = 0.6) -> Excerpt:
    """Change the speed of an excerpt at random, at the same pitch."""
    count = len(chosen.power)
    if rng.random() >= often or count < 10:
        return chosen
    factor = float(np.exp(rng.uniform(-0.28, 0.28)))
    at = np.linspace(0, count - 1, max(2, round(count * factor)))
    nearest = np.rint(at).astype(int)
    ratio = len(nearest) / count
    return replace(
        chosen,
        power=chosen.power[nearest],
        start=int(chosen.start * ratio),
        end=min(len(nearest), round(chosen.end * ratio)),
    )
