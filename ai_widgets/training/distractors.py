"""Generate events that must get no reply: honks, birds, animals, water, metal, machines.

There are few recordings of such events with a licence to train on. A model that was trained only on the sounds it names
and on steady noise takes every other event for the most similar sound it names. Each generator takes a random generator
and a length in seconds and returns float32 samples at 16 kHz with a peak of about 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ai_widgets.protocol import SAMPLE_RATE
from ai_widgets.training.synthesis import Generator, Rng, Samples, peak, resonance, slow, times

Curve = npt.NDArray[np.float64]


def _phase(pitch: Curve) -> Curve:
    return np.asarray(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE)


def _swell(count: int, rise: float, fall: float) -> Curve:
    """Return an envelope that rises and falls linearly in `rise` and `fall` seconds."""
    at = np.arange(count) / SAMPLE_RATE
    return np.minimum(np.minimum(at / rise, 1), (count / SAMPLE_RATE - at) / fall).clip(0)


def _put(out: Curve, start: float, part: npt.NDArray[np.floating]) -> None:
    first = int(start * SAMPLE_RATE)
    part = part[: max(0, len(out) - first)]
    out[first : first + len(part)] += part


def _empty(seconds: float) -> Curve:
    return np.zeros(int(seconds * SAMPLE_RATE))


def honk(rng: Rng, seconds: float) -> Samples:
    """Generate the horn of a car or a ship: one or two steady tones, up to three times."""
    out, moment = _empty(seconds), 0.0
    base = float(rng.choice([rng.uniform(70, 180), rng.uniform(280, 620)], p=[0.2, 0.8]))
    tones = [base] if rng.random() < 0.4 else [base, base * rng.uniform(1.15, 1.35)]
    power, length = rng.uniform(0.3, 1.2), rng.uniform(0.12, 1.2)
    for _ in range(int(rng.integers(1, 4))):
        count = int(length * rng.uniform(0.8, 1.2) * SAMPLE_RATE)
        pitch = 1 + 0.03 * np.exp(-np.arange(count) / (0.03 * SAMPLE_RATE)) * rng.uniform(-1, 1)
        tone = sum(
            np.sin(k * _phase(each * pitch)) * rng.uniform(0.3, 1) / k**power for each in tones for k in range(1, 13)
        )
        _put(out, moment, np.asarray(tone) * _swell(count, 0.015, 0.03))
        moment += length + rng.uniform(0.1, 0.6)
    return peak(out)


def birds(rng: Rng, seconds: float) -> Samples:
    """Generate chirps and whistles: short glides at 1.5 to 7 kHz, single or in trills."""
    out, moment = _empty(seconds), rng.uniform(0, 0.2)
    low, high = np.sort(rng.uniform(1500, 7000, 2))
    while moment < seconds:
        length, glide = rng.uniform(0.03, 0.25), rng.uniform(low, high, 3)
        again = int(rng.choice([1, 1, 2, 4, 8]))
        for _ in range(again):
            count = int(length * SAMPLE_RATE)
            pitch = np.interp(np.linspace(0, 2, count), [0, 1, 2], glide)
            tone = np.sin(_phase(pitch)) + rng.uniform(0, 0.2) * np.sin(2 * _phase(pitch))
            _put(out, moment, tone * _swell(count, 0.2 * length, 0.4 * length) * rng.uniform(0.5, 1))
            moment += length * rng.uniform(1.1, 1.6)
        moment += rng.uniform(0.05, 1.0)
    return peak(out)


def beast(rng: Rng, seconds: float) -> Samples:
    """Generate calls of an animal, such as a cow, sheep, goat, cat, duck or frog, with one set of formants."""
    out, moment = _empty(seconds), rng.uniform(0, 0.1)
    base = float(rng.choice([rng.uniform(70, 200), rng.uniform(200, 400), rng.uniform(400, 800)]))
    length = rng.uniform(0.15, 0.4) if base > 400 else rng.uniform(0.15, 1.3)
    tremble, depth = rng.uniform(5, 35), rng.choice([0.0, 0.5])
    formants = rng.uniform(300, 3000, 3)
    arc = rng.uniform(0.6, 1.4, 3)
    while moment < seconds - 0.1:
        count = int(length * rng.uniform(0.8, 1.2) * SAMPLE_RATE)
        pitch = base * np.interp(np.linspace(0, 2, count), [0, 1, 2], arc) * (1 + 0.01 * slow(rng, count, 30))
        source = 1 - 2 * (np.cumsum(pitch) / SAMPLE_RATE % 1) + rng.uniform(0.02, 0.5) * rng.standard_normal(count)
        voice = sum(peak(resonance(source, each, rng.uniform(0.001, 0.004))) * rng.uniform(0.2, 1) for each in formants)
        trembling = 1 - depth * (0.5 + 0.5 * np.sin(2 * np.pi * tremble * np.arange(count) / SAMPLE_RATE))
        _put(out, moment, np.asarray(voice) * trembling * _swell(count, 0.15 * length, 0.3 * length))
        moment += length + rng.uniform(0.15, 1.2)
    return peak(out)


def water(rng: Rng, seconds: float) -> Samples:
    """Generate drops, bubbles and pouring: many short rising tones over a hiss."""
    out = _empty(seconds)
    for _ in range(int(rng.uniform(2, 60) * seconds)):
        length = rng.uniform(0.01, 0.08)
        count = int(length * SAMPLE_RATE)
        pitch = rng.uniform(300, 3500) * np.exp(rng.uniform(0, 0.7) * np.linspace(0, 1, count))
        bubble = np.sin(_phase(pitch)) * np.exp(-np.arange(count) / count * rng.uniform(2, 6))
        _put(out, rng.uniform(0, seconds), bubble * rng.lognormal(0, 0.8))
    hiss = resonance(rng.standard_normal(len(out)), rng.uniform(500, 5000), rng.uniform(0.0001, 0.0006))
    wave = np.exp(rng.uniform(0, 0.8) * slow(rng, len(out), rng.uniform(1, 12)))
    return peak(peak(out) + rng.uniform(0, 1) * peak(hiss * wave))


def metal(rng: Rng, seconds: float) -> Samples:
    """Generate dishes, coins, keys and tools: ringing inharmonic partials at irregular times."""
    out, moment = _empty(seconds), 0.0
    partials, ring = rng.uniform(600, 7000, int(rng.integers(3, 9))), rng.uniform(0.01, 0.4)
    while moment < seconds - 0.05:
        at = times(min(4 * ring, seconds - moment) + 0.01)
        strike = np.zeros(len(at))
        for each in partials * rng.uniform(0.98, 1.02):
            tone = np.sin(2 * np.pi * each * at + rng.uniform(0, 6))
            strike += rng.uniform(0.2, 1) * tone * np.exp(-at / ring / rng.uniform(0.4, 1.2))
        _put(out, moment, strike * rng.uniform(0.2, 1))
        moment += rng.choice([rng.uniform(0.02, 0.15), rng.uniform(0.6, 2.0)], p=[0.4, 0.6])
    return peak(out)


def machine(rng: Rng, seconds: float) -> Samples:
    """Generate a press, loom, drill or saw: bursts of rough noise or buzz, periodic or irregular."""
    count = int(seconds * SAMPLE_RATE)
    speed = rng.uniform(40, 400) * np.exp(rng.uniform(0, 0.15) * slow(rng, count, 1.5))
    buzz = 1 - 2 * (np.cumsum(speed) / SAMPLE_RATE % 1)
    rough = rng.uniform(0, 1) * buzz + rng.uniform(0.1, 1) * rng.standard_normal(count)
    body = peak(rough) + peak(resonance(rough, rng.uniform(150, 4000), rng.uniform(0.0005, 0.006)))
    if rng.random() < 0.5:
        cycle = (times(seconds) * rng.uniform(0.8, 14)) % 1
        gate = np.exp(-cycle * rng.uniform(1, 12)) if rng.random() < 0.6 else np.asarray(cycle < rng.uniform(0.3, 0.9))
        gate = rng.uniform(0, 0.4) + gate
    else:
        gate = np.asarray(np.convolve(slow(rng, count, 1.2) > -0.3, np.ones(800) / 800, "same"))
    return peak(body * gate)


def whoosh(rng: Rng, seconds: float) -> Samples:
    """Generate the passing of a car, a train, a wave or a gust of wind."""
    count = int(seconds * SAMPLE_RATE)
    noise = np.zeros(count)
    for centre in rng.uniform(100, 4000, 3):
        noise += peak(resonance(rng.standard_normal(count), centre, rng.uniform(0.0002, 0.003)))
    at = (times(seconds) - rng.uniform(0.2, 0.8) * seconds) / rng.uniform(0.1, 0.5) / seconds
    return peak(noise * np.exp(-(at**2)))


def squeak(rng: Rng, seconds: float) -> Samples:
    """Generate the squeak of a door, a brake or a shoe: rough gliding tones."""
    out, moment = _empty(seconds), 0.0
    base = rng.uniform(350, 3000)
    while moment < seconds - 0.1:
        length = rng.uniform(0.1, 0.9)
        count = int(length * SAMPLE_RATE)
        pitch = base * np.exp(rng.uniform(0.05, 0.3) * slow(rng, count, rng.uniform(3, 15)))
        tone = np.tanh(rng.uniform(1, 5) * np.sin(_phase(pitch))) * np.exp(0.7 * slow(rng, count, 25))
        _put(out, moment, tone * _swell(count, 0.02, 0.05))
        moment += length + rng.uniform(0.1, 1.0)
    return peak(out)


def rustle(rng: Rng, seconds: float) -> Samples:
    """Generate paper, leaves, clothes or steps on gravel: noise in quick, uneven strokes."""
    count = int(seconds * SAMPLE_RATE)
    noise = resonance(rng.standard_normal(count), rng.uniform(1200, 6000), rng.uniform(0.0001, 0.0006))
    strokes = np.exp(rng.uniform(0.6, 1.6) * slow(rng, count, rng.uniform(8, 40)) + slow(rng, count, 2))
    return peak(noise * strokes)


DISTRACTORS: tuple[Generator, ...] = (honk, birds, beast, water, metal, machine, whoosh, squeak, rustle)
