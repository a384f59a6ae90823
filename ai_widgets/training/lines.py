"""Simulate what a device and a network do to sound on its way: gain control, a lossy codec, lost packets.

Every function takes and returns float32 samples at 16 kHz, and draws from the random generator passed to it.
"""

from __future__ import annotations

import io

import numpy as np
import soundfile as sf

from ai_widgets.protocol import SAMPLE_RATE
from ai_widgets.training.acoustics import Rng, Samples, decibels

STEP_DB = 12.0
"""Largest change of gain at one step: an automatic gain control, or a speaker who turns away."""
RAMP_S = 0.05
"""Seconds over which the gain changes, so that the step makes no click."""
PACKET_S = (0.02, 0.06)
"""Seconds of sound in a packet, as internet telephony sends it."""
LOST = (0.01, 0.08)
"""Share of packets that are lost."""
BURST = 0.4
"""Probability that the packet after a lost one is lost too."""
CODECS = (("MP3", "MPEG_LAYER_III"), ("OGG", "OPUS"), ("OGG", "VORBIS"))
"""Containers and codecs of libsndfile, as soundfile names them."""


def gain_steps(samples: Samples, rng: Rng) -> Samples:
    """Change the gain at one to three moments by up to `STEP_DB`."""
    if not len(samples):
        return samples
    moments = np.sort(rng.integers(0, len(samples), int(rng.integers(1, 4))))
    levels = np.concatenate([[0.0], rng.uniform(-STEP_DB, STEP_DB, len(moments))])
    ramp = int(RAMP_S * SAMPLE_RATE)
    knots = np.stack([moments, moments + ramp], axis=1).reshape(-1)
    gains = np.stack([levels[:-1], levels[1:]], axis=1).reshape(-1)
    order = np.maximum.accumulate(knots) + np.arange(len(knots)) * 1e-3  # moments may lie closer than a ramp
    steps = np.interp(np.arange(len(samples)), order, gains)
    return np.asarray(samples * 10 ** (steps / 20), np.float32)


def coded(samples: Samples, rng: Rng) -> Samples:
    """Encode and decode with MP3, Opus or Vorbis at a low bit rate, same length."""
    if len(samples) < SAMPLE_RATE // 2:
        return samples
    container, codec = CODECS[int(rng.integers(len(CODECS)))]
    peak = float(np.abs(samples).max(initial=1e-6)) / decibels(-1)
    file = io.BytesIO()
    sf.write(file, samples / peak, SAMPLE_RATE, codec, format=container, compression_level=float(rng.uniform(0.6, 1)))
    file.seek(0)
    decoded = sf.read(file, dtype="float32")[0][: len(samples)]
    return np.asarray(np.pad(decoded, (0, len(samples) - len(decoded))) * peak, np.float32)


def packets_lost(samples: Samples, rng: Rng) -> Samples:
    """Lose packets at random and in bursts; each is replaced by silence or by the packet before it, fainter."""
    size = int(rng.uniform(*PACKET_S) * SAMPLE_RATE)
    rate, repeats = rng.uniform(*LOST), rng.random() < 0.5
    heard = samples.copy()
    lost = False
    for first in range(size, len(samples) - size, size):
        lost = bool(rng.random() < (BURST if lost else rate))
        if lost:
            before = heard[first - size : first] * np.float32(0.7)
            heard[first : first + size] = before if repeats else 0
    return heard
