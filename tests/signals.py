"""Audio that tests feed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

Array = npt.NDArray[np.float32]

FIXTURES = Path(__file__).parent / "fixtures"

cuts = st.lists(st.floats(0, 1), max_size=12)
"""Where `split` cuts."""


def split(samples: Array, places: list[float]) -> list[Array]:
    """A signal in blocks, cut at fractions of its length; equal fractions make empty blocks."""
    edges = [0, *sorted(round(place * len(samples)) for place in places), len(samples)]
    return [samples[start:end] for start, end in pairwise(edges)]


def babble(seconds: float, seed: int = 0, rate: int = 16_000) -> Array:
    """Noise and tones that come and go, as lively as speech; makes the toy speak in some chunks and keep silent in
    others.
    """
    random = np.random.default_rng(seed)
    count = round(seconds * rate)
    time = np.arange(count) / rate
    beats = np.arange(0, seconds + 1, 0.25)
    swell = np.interp(time, beats, random.random(len(beats)) ** 2)
    pitch = np.interp(time, beats, random.uniform(100, 2000, len(beats)))
    tone = np.sin(2 * np.pi * np.cumsum(pitch) / rate)
    return (swell * (0.4 * tone + 0.1 * random.standard_normal(count))).astype(np.float32)
