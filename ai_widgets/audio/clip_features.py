"""Log-mel of a whole clip with one floor, in pieces: the memory it needs does not depend on the clip's length.

The floor lies 8 decades below the clip's maximum, so that the first chunk cannot be scaled before the last one was
measured: two passes over the clip, which is why it has to be read from any place (`Samples`). The result equals
`features.log_mel` of the clip in one piece.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..protocol import CHUNK_SAMPLES, CHUNK_SECONDS
from .features import EDGE, HOP, log10_mel, scale
from .file_notices import FileNotice
from .intake import ChunkAudio, cut, repair

Array = npt.NDArray[np.float32]
Progress = Callable[[float, float | None], None]
"""Gets the seconds that were measured, and all there are as far as that is known."""

PIECE_CHUNKS = 16
"""Chunks of a piece (6.4 s): the batch of the encoder, and 3 MB of spectrum."""
RIGHT = EDGE - HOP
"""Samples after a chunk that its last frame needs."""


class Samples(Protocol):
    """Sound that can be read from any place, 16 kHz mono float32."""

    @property
    def seconds(self) -> float | None:
        """Length, as far as it is known."""

    def read(self, start: int, count: int) -> Array:
        """Up to `count` samples from `start` on; fewer only at the end."""


class ArraySamples:
    """Samples of an array [n]."""

    notices: tuple[FileNotice, ...] = ()
    """An array has none."""

    def __init__(self, samples: Array, rate: int) -> None:
        self._samples, self.rate = samples, rate

    @property
    def seconds(self) -> float:
        return len(self._samples) / self.rate

    def read(self, start: int, count: int) -> Array:
        return self._samples[start : start + count]


class ClipLogMel:
    """Features of a clip, piece by piece. `measure` comes first; after it `piece` may be asked for any place.

    Parameters
    ----------
    samples
        The clip at 16 kHz. NaN and infinity count as 0 and flag their chunk `repaired`.
    flags
        Of all its chunks.
    """

    def __init__(self, samples: Samples, flags: tuple[str, ...] = ()) -> None:
        self._samples, self._flags = samples, flags
        self._length: int | None = None
        self.maximum = -np.inf

    def measure(self, progress: Progress | None = None) -> float:
        """First pass: find the maximum of the clip's log10 mel power, which is returned."""
        maximum, first = -np.inf, 0
        while (piece := self._power(first)) is not None:
            chunks, power = piece
            maximum = max(maximum, float(power.max()))
            first += len(chunks)
            if progress is not None:
                progress(first * CHUNK_SECONDS, self._samples.seconds)
        self.maximum = maximum
        return maximum

    def piece(self, first: int) -> tuple[list[ChunkAudio], Array] | None:
        """Second pass: at most `PIECE_CHUNKS` chunks from chunk `first` on, and their features.

        Returns
        -------
        chunks, float32 [128, 40 · chunks]
            None where the clip has ended.
        """
        found = self._power(first)
        if found is None:
            return None
        chunks, power = found
        return chunks, scale(power, self.maximum)

    def _power(self, first: int) -> tuple[list[ChunkAudio], npt.NDArray[np.float64]] | None:
        """Chunks from `first` on and their log10 mel power, with the true samples on both sides."""
        start, asked = first * CHUNK_SAMPLES, PIECE_CHUNKS * CHUNK_SAMPLES + RIGHT
        lead = min(EDGE, start)
        raw = self._samples.read(start - lead, lead + asked)
        whole, _ = repair(raw)
        body = whole[lead:]
        if len(body) < asked:
            self._length = start + len(body)
        if not len(body):
            return None
        count = min(PIECE_CHUNKS, -(-len(body) // CHUNK_SAMPLES))
        size = count * CHUNK_SAMPLES
        padded = np.zeros(size + RIGHT, np.float32)
        padded[: min(len(body), len(padded))] = body[: len(padded)]
        if self._length is not None and start + size >= self._length:
            padded[size:] = padded[size - 2 : size - 2 - RIGHT : -1]
        left = whole[:lead] if lead else padded[EDGE:0:-1]
        power = log10_mel(np.concatenate([left, padded]))
        return _chunks(raw[lead : lead + size], self._flags), power


def _chunks(raw: Array, flags: tuple[str, ...]) -> list[ChunkAudio]:
    """Samples as chunks, each with its own flags and those of all."""
    chunks: list[ChunkAudio] = []
    for at in range(0, len(raw), CHUNK_SAMPLES):
        samples, broken = repair(raw[at : at + CHUNK_SAMPLES])
        chunks += cut(samples, (*flags, "repaired") if broken else flags)
    return chunks
