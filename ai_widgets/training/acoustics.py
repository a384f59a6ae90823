"""Simulate the path of a sound from its source to the model: level, room, microphone, line.

Every function takes and returns float32 samples at 16 kHz, and draws from the random generator passed to it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import soxr
from scipy.signal import fftconvolve, lfilter

from ai_widgets.protocol import SAMPLE_RATE

Samples = npt.NDArray[np.float32]
Rng = np.random.Generator
SILENT = 1e-6
"""Peak below which a piece has no level to set: the factor would raise noise of rounding, or overflow."""


def decibels(value: float) -> float:
    """Convert a level difference in dB to an amplitude factor."""
    return float(10 ** (value / 20))


def at_level(samples: Samples, rng: Rng, quietest: float) -> Samples:
    """Set the peak of a piece to a level from `quietest` to -1 dB, where the peak is above `SILENT`."""
    peak = float(np.abs(samples).max(initial=0))
    return samples * np.float32(decibels(rng.uniform(quietest, -1)) / peak) if peak > SILENT else samples


def loudness(samples: Samples) -> float:
    """Compute the root mean square of the louder half of the 20 ms frames, a level that pauses do not lower."""
    frame = SAMPLE_RATE // 50
    count = max(1, len(samples) // frame)
    energy = np.sort((samples[: count * frame].reshape(count, -1) ** 2).mean(1))
    return float(np.sqrt(energy[count // 2 :].mean()) + 1e-9)


def change_speed(samples: Samples, factor: float) -> Samples:
    """Play faster (factor > 1) or slower, pitch included."""
    return np.asarray(soxr.resample(samples, SAMPLE_RATE * factor, SAMPLE_RATE, quality="LQ"), np.float32)


def colour(samples: Samples, rng: Rng, depth: float = 9.0) -> Samples:
    """Apply a smooth random frequency response of about ± `depth` dB, such as a microphone or a wall has."""
    knots = np.array([0, 150, 400, 1000, 2000, 3500, 5500, 8000])
    gains = rng.normal(0, depth / 2, len(knots)).clip(-depth, depth)
    return _shape(samples, knots, gains)


def band_limit(samples: Samples, rng: Rng) -> Samples:
    """Apply the band limits of a telephone, an 8 kHz recording or a small loudspeaker."""
    low = float(rng.choice([0, 60, 120, 300]))
    high = float(rng.choice([3400, 3900, 5000, 7000]))
    knots = np.array([0, max(low * 0.5, 1), max(low, 2), high, high * 1.1, 8000])
    return _shape(samples, knots, np.array([-40.0 if low else 0.0, -30.0 if low else 0.0, 0, 0, -50, -60]))


def _shape(samples: Samples, knots: npt.NDArray[np.generic], gains: npt.NDArray[np.generic]) -> Samples:
    grid = np.linspace(0, SAMPLE_RATE / 2, 257)
    response = 10 ** (np.interp(grid, knots.astype(float), gains.astype(float)) / 20)
    kernel = np.fft.fftshift(np.fft.irfft(response)) * np.hanning(512)
    return np.asarray(fftconvolve(samples, kernel, "full")[256 : 256 + len(samples)], np.float32)


def room(samples: Samples, rng: Rng, longest: float = 0.5) -> Samples:
    """Add the reverberation of a random room (exponentially decaying coloured noise), same length and start."""
    decay = rng.uniform(0.08, longest)
    length = int(decay * SAMPLE_RATE)
    tail = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail = np.convolve(tail, [0.25, 0.5, 0.25], "same")
    tail[: int(rng.uniform(0.001, 0.02) * SAMPLE_RATE)] = 0
    tail *= decibels(rng.uniform(-22, -3)) / (np.sqrt((tail**2).sum()) + 1e-9)
    wet = fftconvolve(samples, tail, "full")[: len(samples)]
    return np.asarray(samples + wet, np.float32)


def clip_hard(samples: Samples, rng: Rng) -> Samples:
    """Clip the loudest peaks, as an overdriven input does."""
    limit = np.float32(np.abs(samples).max(initial=1e-6) * rng.uniform(0.3, 0.8))
    return np.clip(samples, -limit, limit)


def companded(samples: Samples) -> Samples:
    """Apply 8-bit mu-law companding, as telephone lines do."""
    peak = float(np.abs(samples).max(initial=1e-6))
    unit = samples / peak
    code = np.round(np.sign(unit) * np.log1p(255 * np.abs(unit)) / np.log(256) * 127) / 127
    return np.asarray(np.sign(code) * np.expm1(np.abs(code) * np.log(256)) / 255 * peak, np.float32)


def quantised(samples: Samples) -> Samples:
    """Round to 16 bits, as files and most microphones do."""
    return np.asarray(np.round(np.clip(samples, -1, 1) * 32767) / 32768, np.float32)


def noise_gated(samples: Samples, rng: Rng) -> Samples:
    """Suppress noise as browsers and headsets do: subtract a slow noise floor per band, with its artefacts."""
    frame, hop = 512, 256
    if len(samples) < 4 * frame:
        return samples
    padded = np.pad(samples, (frame, frame))
    windows = np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop]
    shape = np.sqrt(np.hanning(frame + 1)[:-1])
    spectrum = np.fft.rfft(windows * shape)
    power = np.abs(spectrum) ** 2
    floor = np.quantile(power, 0.3, axis=0) * rng.uniform(1, 4)
    gain = np.maximum(1 - floor / (power + 1e-12), 0) ** 0.5
    gain = np.maximum(gain, decibels(rng.uniform(-25, -8)))
    frames = np.fft.irfft(spectrum * gain) * shape
    out = np.zeros(len(padded), np.float64)
    for offset in range(0, frame, hop):
        part = frames[offset // hop :: frame // hop]
        flat = part.reshape(-1)
        out[offset : offset + len(flat)] += flat[: len(out) - offset]
    return np.asarray(out[frame : frame + len(samples)], np.float32)


def smeared(power: npt.NDArray[np.float32], decay: float) -> npt.NDArray[np.float32]:
    """Add reverberation to power [frames, bins]: a fraction `decay` of each frame remains in the next frame."""
    return np.asarray(lfilter([1.0], [1.0, -decay], power, axis=0), np.float32)
