"""Draw, vary, fade and cut clips and pieces of a stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from ai_widgets.protocol import SAMPLE_RATE
from ai_widgets.training import acoustics
from ai_widgets.training.corpus import Clip, Samples
from ai_widgets.training.labels import Segment

Rng = np.random.Generator
T = TypeVar("T")


def pick(rng: Rng, options: Sequence[T]) -> T:
    """Draw one of several, each as often as another."""
    return options[int(rng.integers(len(options)))]


def by_source(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    """Sort clips by their source."""
    found: dict[str, list[Clip]] = {}
    for clip in clips:
        found.setdefault(clip.source, []).append(clip)
    return found


def from_sources(rng: Rng, sources: Mapping[str, list[T]]) -> T:
    """Draw a source with a weight of the square root of its number of clips, then one of its clips."""
    names = sorted(sources)
    weights = np.sqrt([len(sources[name]) for name in names])
    return pick(rng, sources[names[int(rng.choice(len(names), p=weights / weights.sum()))]])


def varied(rng: Rng, samples: Samples, most: float = 0.15) -> Samples:
    """Change the speed of a clip by up to the share `most`, at times not at all."""
    return acoustics.change_speed(samples, rng.uniform(1 - most, 1 + most)) if rng.random() < 0.6 else samples.copy()


def faded(samples: Samples, length: int = SAMPLE_RATE // 50) -> Samples:
    """Fade a piece in and out over `length` samples, in place; return it."""
    length = min(length, len(samples) // 2)
    if length:
        ramp = np.linspace(0, 1, length, dtype=np.float32)
        samples[:length] *= ramp
        samples[-length:] *= ramp[::-1]
    return samples


def enveloped(samples: Samples, rng: Rng) -> Samples:
    """Start and end abruptly or over up to a second."""
    return faded(samples, int(rng.choice([0.005, 0.05, rng.uniform(0.1, 0.8)]) * SAMPLE_RATE))


def begun_at(start: int, audio: Samples, segments: list[Segment]) -> tuple[Samples, list[Segment]]:
    """Drop everything before sample `start`; what was sounding then is no longer whole."""
    kept = []
    for segment in segments:
        if segment.end - start < 0.15 * SAMPLE_RATE:
            continue
        lost = max(0, start - segment.start)
        whole = segment.whole and lost < 0.1 * (segment.end - segment.start)
        kept.append(replace(segment, start=max(0, segment.start - start), end=segment.end - start, whole=whole))
    return audio[start:], kept


def ended_at(end: int, audio: Samples, segments: list[Segment]) -> tuple[Samples, list[Segment]]:
    """Drop everything from sample `end` on."""
    kept = []
    for segment in segments:
        if end - segment.start < 0.15 * SAMPLE_RATE:
            continue
        whole = segment.whole and segment.end <= end
        kept.append(replace(segment, end=min(segment.end, end), whole=whole))
    return audio[:end], kept
