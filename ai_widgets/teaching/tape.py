"""A labelled recording for comparing policies: the package's clips, clean and in noise, with sounds to be ignored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from ..audio.clips import clips
from ..protocol import CHUNK_SAMPLES, SAMPLE_RATE
from ..training import sounds

MIXES = ((0.0, -60.0), (-12.0, -35.0), (-20.0, -30.0))
"""Level of the clips and peak level of the noise, in dB, of the three parts of the recording: from a quiet room to one
in which the embedded checkpoint misses some."""
IGNORED = (sounds.fan, sounds.wind, sounds.typing, sounds.ticking, sounds.engine)
"""Generators of sounds that no reply is due to."""
IGNORED_SECONDS = 4.0
"""Length of each of these sounds."""
PAUSE_SECONDS = 1.6
"""Least silence after each sound: longer than the time in which a reply is right."""
SEED = 5
"""Seed of the noise and of the sounds to be ignored."""


@dataclass(frozen=True)
class Occasion:
    """A sound to which one reply is due.

    Attributes
    ----------
    name
        Name of the clip.
    from_s, to_s
        Seconds of the recording between which the chunk of a right reply begins.
    """

    name: str
    from_s: float
    to_s: float


@dataclass(frozen=True)
class Tape:
    """A recording with labels.

    Attributes
    ----------
    samples
        float32 [n] in [-1, 1] at 16 kHz, whole chunks.
    occasions
        What replies are due to, in order of time.
    """

    samples: npt.NDArray[np.float32]
    occasions: tuple[Occasion, ...]

    @property
    def seconds(self) -> float:
        """Length of the recording in seconds."""
        return len(self.samples) / SAMPLE_RATE

    @property
    def chunks(self) -> int:
        """Length of the recording in chunks."""
        return len(self.samples) // CHUNK_SAMPLES


@cache
def labelled_tape() -> Tape:
    """Compose the recording: each clip and each sound to be ignored in each of `MIXES`. The same samples each time.

    Examples
    --------
    >>> tape = labelled_tape()
    >>> len(tape.occasions)
    27
    """
    rng = np.random.default_rng(SEED)
    parts = list[npt.NDArray[np.float32]]()
    occasions, start = list[Occasion](), 0
    for level, noise in MIXES:
        for samples, due in _sounds(rng):
            count = -(-(len(samples) + int(PAUSE_SECONDS * SAMPLE_RATE)) // CHUNK_SAMPLES) * CHUNK_SAMPLES
            padded = np.pad(samples, (0, count - len(samples)))
            hiss = sounds.coloured_noise(rng, count / SAMPLE_RATE)
            parts.append(np.asarray(padded * 10 ** (level / 20) + hiss * 10 ** (noise / 20), np.float32))
            at = start / SAMPLE_RATE
            occasions += [Occasion(each.name, at + each.from_s, at + each.to_s) for each in due]
            start += count
    return Tape(np.clip(np.concatenate(parts), -1, 1), tuple(occasions))


def _sounds(rng: np.random.Generator) -> Iterator[tuple[npt.NDArray[np.float32], list[Occasion]]]:
    """Yield samples, and what is due within them, of each clip and of each sound to be ignored."""
    for clip in clips.values():
        yield clip.samples(), [Occasion(clip.name, each.from_s, each.to_s) for each in clip.expected]
    for generate in IGNORED:
        yield 0.3 * generate(rng, IGNORED_SECONDS), []
