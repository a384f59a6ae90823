"""Generate one minute of events, identical on every machine, as repeated input of a long session.

Twelve events are five seconds apart over faint noise: three voices that speak vowels, three melodies or chords, three
knocks or claps and three alarms. They are generated with NumPy alone. The embedded checkpoint replies to eleven of
them in a young session; `session_age` measures whether it does so in an old one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...protocol import SAMPLE_RATE

MINUTE_S = 60
"""Length of the audio that `minute` makes, in seconds."""
LEVEL_DB, NOISE_DB = -14.0, -60.0
"""Peak of the events, and root mean square of the noise, in dB of full scale."""
FIRST_S = 0.5
"""Seconds before each event in its slot."""
VOWELS = {
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
}
"""Formants in Hz (Peterson and Barney 1952, men)."""
FORMANT_WIDTH_HZ = 120.0
"""Width of a formant of the generated vowels, in Hz: within the 50 to 200 Hz measured on speech."""
BREATH_S, BREATH = 0.06, 0.15
"""Length of the noise between two vowels in seconds, and its level against the vowels."""

Signal = npt.NDArray[np.float64]
Rng = np.random.Generator


def minute() -> npt.NDArray[np.float32]:
    """Compose the recording.

    Returns
    -------
    float32 [960000]
        16 kHz mono, 60 s: 150 whole chunks, so that it can be repeated without a seam in a chunk.
    """
    rng = np.random.default_rng(0)
    events = (
        _voice(rng, 120, "aio", 0.22),
        _melody(220, (0, 4, 7, 12, 7, 4, 0, 4, 7, 12), 0.35, 5, 0.4),
        _knocks(rng, 220, 0.02, 0.2, 5),
        np.concatenate([np.concatenate([_beeps(2000, 0.08, 0.08, 4, 1), np.zeros(6000)]) for _ in range(4)]),
        _voice(rng, 200, "eauie", 0.18),
        _melody(330, (0, 2, 4, 5, 7, 5, 4, 2, 0, 0), 0.3, 8, 0.8),
        _knocks(rng, 350, 0.012, 0.28, 4),
        _beeps(950, 0.5, 0.5, 4, 3),
        _voice(rng, 95, "ouaei", 0.16),
        np.sum([_melody(220 * 2 ** (third / 12), (0, 5, 7, 0), 0.8, 4, 1.5) for third in (0, 4, 7)], axis=0),
        _knocks(rng, 1500, 0.0015, 0.25, 6),
        _yelp(600, 1500, 3.0, 3.0),
    )
    out = rng.standard_normal(MINUTE_S * SAMPLE_RATE) * 10 ** (NOISE_DB / 20)
    slot = len(out) // len(events)
    for place, event in enumerate(events):
        start = place * slot + round(FIRST_S * SAMPLE_RATE)
        out[start : start + len(event)] += event / np.abs(event).max() * 10 ** (LEVEL_DB / 20)
    return out.astype(np.float32)


EVENTS = 12
"""Events of the recording."""


def _times(seconds: float) -> Signal:
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def _voice(rng: Rng, pitch: float, vowels: str, seconds: float) -> Signal:
    """Generate vowels, each with a short breath: harmonics of a rising and falling pitch, shaped by formants."""
    parts: list[Signal] = []
    for vowel in vowels:
        time = _times(seconds)
        swell = np.sin(np.pi * time / seconds)
        phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.15 * swell)) / SAMPLE_RATE
        voiced = np.zeros(len(time))
        for harmonic in range(1, int(4000 / pitch)):
            distances = (harmonic * pitch - np.array(VOWELS[vowel])) / FORMANT_WIDTH_HZ
            voiced += np.exp(-(distances**2)).sum() * np.sin(harmonic * phase)
        parts.append(voiced * np.sqrt(np.maximum(swell, 0)))
        parts.append(BREATH * np.diff(rng.standard_normal(round(BREATH_S * SAMPLE_RATE) + 1)))
    return np.concatenate(parts)


def _melody(root: float, steps: Sequence[int], seconds: float, harmonics: int, decay_s: float) -> Signal:
    """Generate plucked notes in sequence; `steps` are semitones above `root` in Hz."""
    time = _times(seconds)
    envelope = np.minimum(time / 0.01, 1) * np.exp(-time / decay_s)
    notes = []
    for step in steps:
        angle = 2 * np.pi * root * 2 ** (step / 12) * time
        notes.append(envelope * np.sum([np.sin(k * angle) / k**1.2 for k in range(1, harmonics + 1)], axis=0))
    return np.concatenate(notes)


def _knocks(rng: Rng, pitch: float, ring_s: float, spacing_s: float, count: int) -> Signal:
    """Generate short bursts of noise that ring at a pitch in Hz: knocks on wood, or claps with a short ring."""
    time = _times(0.15)
    out = np.zeros(round((spacing_s * count + 0.3) * SAMPLE_RATE))
    for number in range(count):
        burst = rng.standard_normal(len(time)) * np.exp(-time / 0.004)
        hit = np.convolve(burst, np.sin(2 * np.pi * pitch * time) * np.exp(-time / ring_s))[: len(time)]
        start = round(number * spacing_s * SAMPLE_RATE)
        out[start : start + len(hit)] += hit / np.abs(hit).max()
    return out


def _beeps(pitch: float, on_s: float, off_s: float, count: int, harmonics: int) -> Signal:
    """Generate tones with pauses, as of a smoke alarm or an alarm clock."""
    time = _times(on_s)
    tone = np.sum([np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, harmonics + 1)], axis=0)
    tone = tone * np.clip(np.minimum(time, on_s - time) / 0.005, 0, 1)
    return np.tile(np.concatenate([tone, np.zeros(round(off_s * SAMPLE_RATE))]), count)


def _yelp(low: float, high: float, rate: float, seconds: float) -> Signal:
    """Generate a siren whose pitch moves from `low` to `high` Hz and back, `rate` times per second."""
    time = _times(seconds)
    pitch = low * (high / low) ** (0.5 - 0.5 * np.cos(2 * np.pi * rate * time))
    horn: Signal = np.tanh(3 * np.sin(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE)) * np.minimum(time / 0.05, 1)
    return horn
