"""Compose ambience: recorded and generated backgrounds of any length."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ai_widgets.protocol import SAMPLE_RATE
from ai_widgets.training import sounds
from ai_widgets.training.clip_variation import Rng, faded, pick, varied
from ai_widgets.training.corpus import Clip, Samples


class Beds:
    """A source of ambience from clips by label, each label as often as another.

    Parameters
    ----------
    clips
        Clips of ambience by label.
    """

    def __init__(self, clips: Mapping[str, list[Clip]]) -> None:
        self.clips = dict(clips)

    def draw(self, rng: Rng, count: int) -> Samples:
        """Compose ambience of one or two sources with a peak of 1, sometimes switched on and off abruptly."""
        bed = self._one(rng, count)
        if rng.random() < 0.25:
            bed = bed + self._one(rng, count) * np.float32(rng.uniform(0.1, 0.8))
        if rng.random() < 0.3:
            edges = np.sort(rng.integers(0, count + 1, 2))
            bed[: edges[0]] = 0
            if rng.random() < 0.7:
                bed[edges[1] :] = 0
        elif rng.random() < 0.3:
            bed *= np.interp(np.arange(count), np.linspace(0, count, 6), rng.uniform(0.1, 1, 6)).astype(np.float32)
        return np.asarray(bed / (np.abs(bed).max(initial=0) + 1e-9), np.float32)

    def once(self, rng: Rng) -> Samples | None:
        """Draw one recording of ambience; None where there is none."""
        if not self.clips:
            return None
        return faded(varied(rng, pick(rng, self._label(rng)).samples))

    def _label(self, rng: Rng) -> list[Clip]:
        """Draw the clips of one label."""
        return self.clips[pick(rng, sorted(self.clips))]

    def _one(self, rng: Rng, count: int) -> Samples:
        if not self.clips or rng.random() < 0.45:
            maker = sounds.AMBIENCES[int(rng.integers(len(sounds.AMBIENCES)))]
            return maker(rng, (count + 1) / SAMPLE_RATE)[:count]
        clips = self._label(rng)
        out = np.zeros(count, np.float32)
        cursor, fade = 0, SAMPLE_RATE // 10
        while cursor < count:
            samples = faded(varied(rng, pick(rng, clips).samples), fade)
            part = samples[: count - cursor]
            out[cursor : cursor + len(part)] += part
            cursor += max(len(samples) - fade, fade)
        return out
