"""Log-mel features of a whole clip with one floor, in pieces, with memory independent of the clip's length.

The floor is 8 decades below the clip's maximum, so that the first chunk can only be scaled after the last chunk was
measured. The clip is therefore read twice, with random access (`Samples`). The result equals `features.log_mel` of the
whole clip.
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
"""Callback that receives the measured seconds, and the total seconds or None if unknown."""
Tap = Callable[[Array, int, int], None]
"""Callback that receives samples before they are resampled, their rate, and the index of the first one in its source.
It may receive a part again."""

PIECE_CHUNKS = 16
"""Number of chunks in a piece (6.4 s): the encoder's batch; the spectrum of a piece takes 3 MB."""
RIGHT = EDGE - HOP
"""Number of samples after a chunk that the window of its last frame covers."""


class Samples(Protocol):
    """Source of mono float32 samples at 16 kHz with random access."""

    @property
    def seconds(self) -> float | None:
        """Length in seconds; None if unknown."""

    def read(self, start: int, count: int) -> Array:
        """Read `count` samples from sample `start` on; fewer only at the end."""


class ArraySamples:
    """Source of the samples of an array [n].

    Parameters
    ----------
    samples, rate
        The samples and their rate in Hz.
    given
        Samples before they were resampled, and their rate; None if they were not.
    """

    notices: tuple[FileNotice, ...] = ()
    """Always empty for an array; a file may have notices."""

    def __init__(self, samples: Array, rate: int, given: tuple[Array, int] | None = None) -> None:
        self._samples, self.rate = samples, rate
        self._given = (samples, rate) if given is None else given
        self._tap: Tap | None = None

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self._samples) / self.rate

    def read(self, start: int, count: int) -> Array:
        """Read `count` samples from sample `start` on; fewer only at the end."""
        if self._tap is not None:
            given, rate = self._given
            first, last = (-(-at * rate // self.rate) for at in (start, start + count))
            if first < len(given):
                self._tap(given[first:last], rate, first)
        return self._samples[start : start + count]

    def tap(self, tap: Tap) -> None:
        """Pass all samples that are read from here on also to `tap`, before they are resampled."""
        self._tap = tap


class ClipLogMel:
    """Log-mel features of a clip, piece by piece. Call `measure` once, then `piece` for any chunk.

    Parameters
    ----------
    samples
        Clip at 16 kHz. NaN and infinity are replaced by 0, and their chunk is flagged `repaired`.
    flags
        Flags of all chunks.

    Attributes
    ----------
    maximum
        Maximum of the clip's log10 mel power; −infinity before `measure`.
    """

    def __init__(self, samples: Samples, flags: tuple[str, ...] = ()) -> None:
        self._samples, self._flags = samples, flags
        self._length: int | None = None
        # The piece that was measured last, so that a clip of one piece is transformed once.
        self._measured: tuple[int, tuple[list[ChunkAudio], npt.NDArray[np.float64]]] | None = None
        self.maximum = -np.inf

    def measure(self, progress: Progress | None = None) -> float:
        """Run the first pass: compute, store and return the maximum of the clip's log10 mel power."""
        maximum, first = -np.inf, 0
        while (piece := self._power(first)) is not None:
            chunks, power = piece
            maximum = max(maximum, float(power.max()))
            self._measured = first, piece
            first += len(chunks)
            if progress is not None:
                progress(first * CHUNK_SECONDS, self._samples.seconds)
        self.maximum = maximum
        return maximum

    def piece(self, first: int) -> tuple[list[ChunkAudio], Array] | None:
        """Compute the features of at most `PIECE_CHUNKS` chunks from chunk `first` on (second pass).

        Returns
        -------
        chunks, float32 [128, 40 · chunks]
            Chunks and their features; None after the end of the clip.
        """
        if self._measured is not None and self._measured[0] == first:
            found: tuple[list[ChunkAudio], npt.NDArray[np.float64]] | None = self._measured[1]
            self._measured = None
        else:
            found = self._power(first)
        if found is None:
            return None
        chunks, power = found
        return chunks, scale(power, self.maximum)

    def _power(self, first: int) -> tuple[list[ChunkAudio], npt.NDArray[np.float64]] | None:
        """Compute the chunks from `first` on and their log10 mel power, with the real samples on both sides."""
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
    """Split samples into chunks, each with its own flags and the common ones."""
    chunks: list[ChunkAudio] = []
    for at in range(0, len(raw), CHUNK_SAMPLES):
        samples, broken = repair(raw[at : at + CHUNK_SAMPLES])
        chunks += cut(samples, (*flags, "repaired") if broken else flags)
    return chunks
