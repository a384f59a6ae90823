"""Generate sounds: ambience to be ignored, and knocks, music and alarms to be named.

There are few recordings of these sounds with a licence to train on, so most of their variety is generated. Each
generator takes a random generator and a length in seconds and returns float32 samples at 16 kHz with a peak of about 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ai_widgets.protocol import SAMPLE_RATE
from ai_widgets.training.synthesis import Generator, Rng, Samples, peak, resonance, slow, times


def coloured_noise(rng: Rng, seconds: float) -> Samples:
    """Generate noise with a spectrum that falls by 0 … 12 dB per octave: hiss, room tone, distant traffic."""
    count = int(seconds * SAMPLE_RATE)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency = np.maximum(np.fft.rfftfreq(count, 1 / SAMPLE_RATE), 30)
    return peak(np.fft.irfft(spectrum * frequency ** -rng.uniform(0, 2), count))


def hum(rng: Rng, seconds: float) -> Samples:
    """Generate mains hum with harmonics over a faint hiss."""
    time = times(seconds)
    base = rng.choice([50.0, 60.0, 100.0, 120.0])
    tone = sum(rng.uniform(0, 1) / k * np.sin(2 * np.pi * base * k * time + rng.uniform(0, 6)) for k in range(1, 12))
    return peak(np.asarray(tone) + rng.uniform(0.01, 0.4) * coloured_noise(rng, seconds))


def fan(rng: Rng, seconds: float) -> Samples:
    """Generate a fan: broadband noise with blade modulation and a whine."""
    time = times(seconds)
    noise = resonance(rng.standard_normal(len(time)), rng.uniform(100, 900), rng.uniform(0.0005, 0.004))
    blades = 1 + rng.uniform(0, 0.5) * np.sin(2 * np.pi * rng.uniform(4, 40) * time)
    whine = rng.uniform(0, 0.15) * np.sin(2 * np.pi * rng.uniform(150, 2500) * time)
    return peak(peak(noise) * blades + whine)


def engine(rng: Rng, seconds: float) -> Samples:
    """Generate a motor: a train of low pulses with jitter, load changes and exhaust noise."""
    count = int(seconds * SAMPLE_RATE)
    speed = rng.uniform(15, 120) * np.exp(rng.uniform(0, 0.3) * slow(rng, count, 0.5))
    phase = np.cumsum(speed) / SAMPLE_RATE
    pulse = np.exp(-((phase % 1) * rng.uniform(4, 15)))
    rough = pulse * (1 + rng.uniform(0, 0.6) * rng.standard_normal(count))
    body = rough + rng.uniform(0.2, 0.8) * resonance(rough, rng.uniform(80, 600), 0.004)
    return peak(body - body.mean())


def wind(rng: Rng, seconds: float) -> Samples:
    """Generate gusts of wind: low noise of slowly varying level and pitch."""
    count = int(seconds * SAMPLE_RATE)
    noise = rng.standard_normal(count)
    low = resonance(noise, rng.uniform(60, 250), 0.003)
    high = resonance(noise, rng.uniform(300, 1200), 0.004)
    gust = np.exp(0.8 * slow(rng, count, rng.uniform(0.3, 1.5)))
    return peak((peak(low) + rng.uniform(0, 0.7) * peak(high) * gust) * gust)


def rain(rng: Rng, seconds: float) -> Samples:
    """Generate rain: hiss and many small drops."""
    count = int(seconds * SAMPLE_RATE)
    drops = (rng.random(count) < rng.uniform(20, 600) / SAMPLE_RATE) * rng.standard_normal(count)
    hiss = coloured_noise(rng, seconds)
    return peak(rng.uniform(0.2, 1) * hiss + peak(resonance(drops, rng.uniform(800, 5000), 0.001)))


def crackle(rng: Rng, seconds: float) -> Samples:
    """Generate a fire: irregular snaps over a soft rumble."""
    count = int(seconds * SAMPLE_RATE)
    snaps = (rng.random(count) < rng.uniform(3, 40) / SAMPLE_RATE) * rng.lognormal(0, 1, count)
    snap = resonance(snaps * rng.standard_normal(count), rng.uniform(1500, 5000), rng.uniform(0.0005, 0.002))
    return peak(peak(snap) + rng.uniform(0.02, 0.4) * wind(rng, seconds))


def typing(rng: Rng, seconds: float) -> Samples:
    """Generate typing on a keyboard: short clicks in irregular groups."""
    out = np.zeros(int(seconds * SAMPLE_RATE))
    moment = rng.uniform(0, 0.5)
    while moment < seconds - 0.1:
        start = int(moment * SAMPLE_RATE)
        length = int(rng.uniform(0.004, 0.02) * SAMPLE_RATE)
        click = rng.standard_normal(length) * np.exp(-np.arange(length) / length * 5) * rng.uniform(0.3, 1)
        out[start : start + length] += click
        moment += rng.choice([rng.uniform(0.06, 0.25), rng.uniform(0.3, 1.5)], p=[0.85, 0.15])
    return peak(resonance(out, rng.uniform(1200, 4000), 0.001) + 0.01 * rng.standard_normal(len(out)))


def ticking(rng: Rng, seconds: float) -> Samples:
    """Generate a clock: one to five sharp ticks per second, with two alternating sounds."""
    out = np.zeros(int(seconds * SAMPLE_RATE))
    period = 1 / rng.choice([1.0, 2.0, 2.5, 4.0, 5.0])
    pitches, levels = rng.uniform(1200, 5500, 2), rng.uniform(0.5, 1, 2)
    for index, moment in enumerate(np.arange(rng.uniform(0, period), seconds - 0.05, period)):
        tick = np.zeros(int(0.04 * SAMPLE_RATE))
        tick[: rng.integers(3, 12)] = 1
        start = int(moment * SAMPLE_RATE)
        rung = resonance(tick * rng.standard_normal(len(tick)), pitches[index % 2], rng.uniform(0.001, 0.004))
        out[start : start + len(tick)] += levels[index % 2] * peak(rung)
    return peak(out + rng.uniform(0, 0.03) * coloured_noise(rng, seconds)[: len(out)])


def silence(rng: Rng, seconds: float) -> Samples:
    """Generate digital silence, or noise at the last bits of a converter."""
    return np.asarray(rng.choice([0.0, 1e-4]) * rng.standard_normal(int(seconds * SAMPLE_RATE)), np.float32)


AMBIENCES: tuple[Generator, ...] = (coloured_noise, hum, fan, engine, wind, rain, crackle, typing, ticking)


def knocking(rng: Rng, seconds: float) -> Samples:
    """Generate two to six knocks on wood, or three to eight claps."""
    out = np.zeros(int(seconds * SAMPLE_RATE))
    clap = rng.random() < 0.4
    pitch, ring = rng.uniform(90, 500), rng.uniform(0.006, 0.03)
    spacing = rng.uniform(0.11, 0.38)
    moment = 0.0
    for _ in range(int(rng.integers(3, 9) if clap else rng.integers(2, 7))):
        length = int(0.12 * SAMPLE_RATE)
        burst = rng.standard_normal(length) * np.exp(-np.arange(length) / SAMPLE_RATE / rng.uniform(0.002, 0.006))
        if clap:
            hit = resonance(burst, rng.uniform(900, 2200), rng.uniform(0.0005, 0.002))
        else:
            hit = resonance(burst, pitch * rng.uniform(0.95, 1.05), ring) + 0.6 * resonance(
                burst, pitch * 2.7, ring / 3
            )
        start = int(moment * SAMPLE_RATE)
        if start + length > len(out):
            break
        out[start : start + length] += peak(hit) * rng.uniform(0.6, 1)
        moment += spacing * rng.uniform(0.85, 1.15)
    return peak(out)


def _note(rng: Rng, frequency: float, seconds: float, harmonics: int, decay: float) -> npt.NDArray[np.float64]:
    time = times(seconds)
    bend = 1 + rng.uniform(0, 0.004) * np.sin(2 * np.pi * 5.5 * time)
    phase = 2 * np.pi * frequency * np.cumsum(bend) / SAMPLE_RATE
    tone = sum(np.sin(k * phase) * rng.uniform(0.2, 1) / k**1.2 for k in range(1, harmonics + 1))
    envelope = np.minimum(time / rng.uniform(0.003, 0.05), 1) * np.exp(-time / decay)
    return np.asarray(tone * envelope * np.minimum((seconds - time) / 0.02, 1).clip(0))


def music(rng: Rng, seconds: float) -> Samples:
    """Generate music: melody, chords or drums in one key and tempo."""
    out = np.zeros(int(seconds * SAMPLE_RATE))
    beat = 60 / rng.uniform(70, 150)
    root = 110 * 2 ** (rng.integers(0, 12) / 12)
    scale = np.array([[0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 10], [0, 2, 4, 7, 9, 12, 14]][rng.integers(3)])
    harmonics, decay = int(rng.integers(1, 12)), rng.uniform(0.15, 1.2)
    melody, chords, drums = rng.random() < 0.85, rng.random() < 0.7, rng.random() < 0.5

    def add(moment: float, sound: npt.NDArray[np.float64], level: float) -> None:
        start = int(moment * SAMPLE_RATE)
        sound = sound[: max(0, len(out) - start)]
        out[start : start + len(sound)] += level * sound

    moment, degree = 0.0, int(rng.integers(7))
    while melody and moment < seconds:
        length = beat * rng.choice([0.5, 0.5, 1, 1, 2])
        degree = int(np.clip(degree + rng.integers(-2, 3), 0, 13))
        pitch = root * 2 * 2 ** ((scale[degree % 7] + 12 * (degree // 7)) / 12)
        add(moment, _note(rng, pitch, min(length * 1.1, 2.0), harmonics, decay), 0.7)
        moment += length
    for bar in np.arange(0, seconds, 4 * beat):
        if chords or not melody:
            base = int(rng.integers(7))
            for step in (0, 2, 4):
                pitch = root * 2 ** (scale[(base + step) % 7] / 12)
                add(bar, _note(rng, pitch, min(4 * beat, 3.0), harmonics, decay * 2), 0.4)
        for quarter in range(4 if drums else 0):
            burst = rng.standard_normal(int(0.15 * SAMPLE_RATE)) * np.exp(-np.arange(int(0.15 * SAMPLE_RATE)) / 400)
            drum = resonance(burst, 60 if quarter % 2 == 0 else 1800, 0.03 if quarter % 2 == 0 else 0.0008)
            add(bar + quarter * beat, np.asarray(peak(drum), np.float64), 0.8)
    return peak(out)


def _gate(time: npt.NDArray[np.float64], pattern: list[tuple[float, float]], pause: float) -> npt.NDArray[np.float64]:
    """Compute a gate that repeats the pattern [(on, off), …] and a pause, in seconds, with 4 ms ramps."""
    period = sum(on + off for on, off in pattern) + pause
    place, gate, cursor = time % period, np.zeros(len(time)), 0.0
    for on, off in pattern:
        inside = (place - cursor) / 0.004
        gate = np.maximum(gate, np.minimum(inside, (cursor + on - place) / 0.004).clip(0, 1))
        cursor += on + off
    return gate


def alarm(rng: Rng, seconds: float) -> Samples:
    """Generate an alarm: a siren (wail, yelp, two-tone, motor), a smoke alarm, an alarm clock, a bell or a sweep.

    Nearly half of the sirens have an engine or street noise in the background, as on vehicles and in towns.
    """
    time = times(seconds)
    sort = rng.choice(
        ["wail", "yelp", "two-tone", "motor", "smoke", "clock", "bell", "sweep"],
        p=[0.13, 0.11, 0.17, 0.2, 0.13, 0.12, 0.06, 0.08],
    )
    gate = np.ones(len(time))
    if sort in ("wail", "yelp", "sweep"):
        rate = {"wail": rng.uniform(0.12, 0.5), "yelp": rng.uniform(2, 5), "sweep": rng.uniform(0.7, 2)}[str(sort)]
        cycle = (rate * time + rng.uniform(0, 1)) % 1
        rise = rng.uniform(0.3, 0.7) if sort != "sweep" else 0.98
        shape = np.where(cycle < rise, cycle / rise, (1 - cycle) / (1 - rise)) ** rng.uniform(0.6, 1.3)
        low = rng.uniform(350, 900)
        pitch = low * (rng.uniform(1.5, 3.2)) ** shape
    elif sort == "motor":  # runs up towards its pitch, holds it, and runs down for long
        since = time + rng.uniform(-0.3, 6)
        up = 1 - np.exp(-np.maximum(since, 0) / rng.uniform(0.6, 2.2))
        down = np.exp(-np.maximum(since - rng.uniform(2, 8), 0) / rng.uniform(3, 14))
        pitch = rng.uniform(80, 250) + rng.uniform(400, 1300) * up * down
        gate = np.clip(up * down, 0.05, 1)
    elif sort == "two-tone":
        low, ratio = rng.uniform(350, 1100), rng.uniform(1.12, 1.6)
        pitch = low * np.where((time * rng.uniform(0.7, 3) + rng.uniform(0, 1)) % 1 < 0.5, 1, ratio)
        pitch = np.convolve(np.pad(pitch, 80, mode="edge"), np.ones(161) / 161, "valid")
    elif sort == "smoke":
        pitch = np.full(len(time), rng.choice([520, 950, rng.uniform(2700, 3500)]))
        on = rng.uniform(0.35, 0.6) if rng.random() < 0.7 else 0.1
        pattern = [(on, rng.uniform(0.8, 1.1) * on)] * (3 if on > 0.2 else 4)
        gate = _gate(time, pattern, rng.uniform(0.6, 1.6) if on > 0.2 else rng.uniform(0.4, 1.5))
    elif sort == "clock":
        pitch = np.full(len(time), rng.uniform(900, 4200))
        on = rng.uniform(0.04, 0.16)
        gate = _gate(time, [(on, on)] * int(rng.integers(1, 5)), rng.uniform(0.08, 0.7))
    else:
        pitch = np.full(len(time), rng.uniform(500, 2500))
        gate = 0.25 + np.exp(-((time * rng.uniform(8, 22)) % 1) * 3)
    if rng.random() < 0.35:  # drives past
        passing = np.tanh((time - rng.uniform(0, seconds)) * rng.uniform(0.4, 1.5))
        pitch = pitch * (1 - 0.06 * passing)
        gate = gate * (1.15 - np.abs(passing))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    if sort == "bell":
        tone = sum(
            rng.uniform(0.2, 1) * np.sin(phase * k) for k in (1, 2.76, 5.4, rng.uniform(1.5, 4), rng.uniform(3, 7))
        )
    elif rng.random() < 0.5:
        tone = np.tanh(rng.uniform(0.5, 6) * np.sin(phase))  # a horn or piezo adds odd harmonics
    else:
        tone = sum(np.sin(k * phase) * rng.uniform(0, 1) / k ** rng.uniform(0.5, 2) for k in range(1, 8))
    if rng.random() < 0.3:
        tone = tone + rng.uniform(0.3, 1) * np.sin(phase * rng.uniform(1.003, 1.03))
    made = peak(np.asarray(tone) * gate)
    if sort in ("wail", "yelp", "two-tone", "motor") and rng.random() < 0.45:
        street = engine(rng, seconds) if rng.random() < 0.5 else coloured_noise(rng, seconds)
        power = float(np.mean(made**2)) / (float(np.mean(street**2)) + 1e-12)
        made = peak(made + street * np.float32(np.sqrt(power) * 10 ** (rng.uniform(-18, 2) / 20)))
    return made
