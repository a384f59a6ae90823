"""What the fake microphone hears: WAV files made from the shipped speech fixture and from generated sounds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

FIXTURES = Path(__file__).parent.parent / "fixtures"
SPEECH = FIXTURES / "speech_pause_speech.ogg"
RATE = 48_000
Array = npt.NDArray[np.float32]
SPOKEN = 0.02
"""Share of the peak above which sound counts as speech, in a fixture that is silent otherwise."""


@dataclass(frozen=True)
class Utterance:
    """Where one utterance of a recording begins and ends, in seconds."""

    start_s: float
    end_s: float


def speech() -> Array:
    """The speech fixture as mono float32 at 48 kHz."""
    samples, rate = soundfile.read(SPEECH, dtype="float32")
    resampled: Array = soxr.resample(samples, rate, RATE)
    return resampled


def utterances(samples: Array, pause_s: float = 1.5) -> list[Utterance]:
    """Utterances that pauses of at least `pause_s` separate."""
    block = RATE // 100
    peaks = np.abs(samples[: len(samples) // block * block]).reshape(-1, block).max(axis=1)
    loud = np.flatnonzero(peaks > SPOKEN * peaks.max())
    breaks = np.flatnonzero(np.diff(loud) > pause_s * 100)
    starts = [loud[0], *loud[breaks + 1]]
    ends = [*loud[breaks], loud[-1]]
    return [Utterance(start / 100, (end + 1) / 100) for start, end in zip(starts, ends, strict=True)]


def rain(seconds: float, seed: int = 0) -> Array:
    """Something like rain: a bed of filtered noise with random drops on it."""
    generator = np.random.default_rng(seed)
    count = round(seconds * RATE)
    white = generator.standard_normal(count)
    spectrum = np.fft.rfft(white)
    frequency = np.fft.rfftfreq(count, 1 / RATE)
    bed = np.fft.irfft(spectrum / (1 + (frequency / 2500) ** 2) ** 0.25, count)
    bed *= 0.02 / bed.std()
    for place in generator.integers(0, count - 480, round(seconds * 60)):
        bed[place : place + 480] += (
            generator.uniform(0.01, 0.06) * np.exp(-np.arange(480) / 60) * generator.standard_normal(480)
        )
    return bed.astype(np.float32)


def microphone_file(folder: Path, samples: Array, *, lead_s: float = 0.5, trail_s: float = 40.0) -> Path:
    """Write what the fake microphone plays. It must end in silence: after its end the fake device hums."""
    path = folder / "microphone.wav"
    padded = np.concatenate([np.zeros(round(lead_s * RATE)), samples, np.zeros(round(trail_s * RATE))])
    soundfile.write(path, padded, RATE, subtype="PCM_16")
    return path


def delay(heard: Array, played: Array) -> int:
    """Samples by which `heard` comes after `played`, by cross-correlation."""
    size = 1 << (len(heard) + len(played)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(played, size))
    lag = int(np.argmax(np.fft.irfft(spectrum, size)))
    return lag if lag < size // 2 else lag - size


def losses(heard: Array, played: Array, rate: int = 16_000) -> list[str]:
    """What became of half-seconds of speech on their way, in sentences; none where all were heard, in their order.

    A laden machine holds up the fake microphone: it skips a beat, silence takes its place, and what follows is later.
    So later is fine, and so is a half-second that was cut, as long as most are whole; earlier would be sound that is
    lost.
    """
    size = rate // 2
    delays, cut = [], []
    for start in range(0, min(len(played), len(heard) - rate) - size, size):
        piece, there = played[start : start + size], heard[start : start + 4 * size]
        if np.sqrt(np.mean(piece**2)) < SPOKEN:
            continue
        found = min(max(0, delay(there, piece)), len(there) - size)
        likeness = np.corrcoef(there[found : found + size], piece)[0, 1]
        if likeness > 0.95:
            delays.append(found / rate)
        else:
            cut.append(f"{start / rate} s after the beginning: only {likeness:.2f} alike")
    # Rates that do not divide move a piece by up to a sample.
    early = [f"{before} s late, then {after} s" for before, after in pairwise(delays) if after < before - 2 / rate]
    return [*early, *(cut if len(cut) > len(delays) / 4 else [])]
