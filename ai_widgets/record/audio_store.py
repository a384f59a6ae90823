"""`AudioStore`: audio of a session, the newest in memory, all of it in a file if one is kept."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..audio.sink import AudioSpool
from ..protocol import CHUNK_SECONDS

PIECE = 64
"""Chunks that are read at once while the whole audio is copied: 1.6 MB."""

Array = npt.NDArray[np.float32]


class AudioStore:
    """Audio by chunk, so that a reader on another thread gets the audio of the chunk it asked for, or none.

    Parameters
    ----------
    max_chunks
        Number of the newest chunks in memory; None for all.
    first
        Index of the first chunk: above 0 for a loaded recording whose older audio was discarded.
    """

    def __init__(self, max_chunks: int | None, first: int = 0) -> None:
        self._max_chunks = max_chunks
        self._first = first
        self._held: dict[int, Array] = {}
        self._spool: AudioSpool | None = None
        self._spooling = False
        self.chunks = first

    @property
    def spooling(self) -> bool:
        """Whether new audio is written to the file."""
        return self._spooling

    @property
    def spooled(self) -> int:
        """Number of chunks in the file."""
        return self._spool.chunks if self._spool is not None else 0

    @property
    def discards(self) -> bool:
        """Whether the next chunk evicts one that is in no file."""
        return bool(self._max_chunks) and not self._spooling and len(self._held) >= (self._max_chunks or 0)

    def spool_into(self, spool: AudioSpool, *, writing: bool) -> None:
        """Use a file that has the first chunks, and write new chunks to it if asked for."""
        self._spool, self._spooling = spool, writing
        self.chunks = max(self.chunks, self._first + spool.chunks)

    def stop_spooling(self) -> None:
        """Write no more audio to the file; what it has is still read."""
        self._spooling = False
        if self._spool is not None:
            self._spool.close()

    def write(self, samples: Array) -> None:
        """Write the next chunk to the file, if there is one. An interrupted call may be repeated.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        if self._spool is not None and self._spooling:
            self._spool.write(self.chunks - self._first, samples)

    def hold(self, samples: Array) -> None:
        """Hold the next chunk in memory, and evict the oldest beyond the limit."""
        chunk = self.chunks
        self._held[chunk] = samples
        if self._max_chunks is not None and len(self._held) > self._max_chunks:
            self._held.pop(chunk - self._max_chunks, None)
        self.chunks = chunk + 1

    @property
    def all(self) -> Array:
        """Audio that is kept, in one piece up to the newest chunk, float32 [n]."""
        held = dict(self._held)
        if not held and self._spool is not None:
            return self._spool.read(0, self._spool.chunks)
        first = min(held, default=self.chunks)
        parts = [held[chunk] for chunk in sorted(held)]
        if self._spool is not None and self._first + self._spool.chunks >= first:
            parts.insert(0, self._spool.read(0, first - self._first))
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    @property
    def start_chunk(self) -> int:
        """Index of the first chunk of `all`."""
        held = dict(self._held)
        if not held and self._spool is not None and self._spool.chunks:
            return self._first
        first = min(held, default=self.chunks)
        return self._first if self._spool is not None and self._first + self._spool.chunks >= first else first

    def pieces(self) -> Iterator[Array]:
        """Yield `all` in pieces of at most `PIECE` chunks."""
        for first in range(self.start_chunk, self.chunks, PIECE):
            parts = [self.chunk(chunk) for chunk in range(first, min(self.chunks, first + PIECE))]
            kept = [part for part in parts if part is not None]
            if kept:
                yield np.concatenate(kept)

    def chunk(self, chunk: int) -> Array | None:
        """Return the samples of one chunk, float32 [6400], or None if they are not kept."""
        samples = self._held.get(chunk)
        place = chunk - self._first
        if samples is None and self._spool is not None and 0 <= place < self._spool.chunks:
            return self._spool.read(place, 1)
        return samples

    def keeps(self, chunk: int) -> bool:
        """Return whether `chunk` returns the samples of a chunk."""
        return chunk in self._held or 0 <= chunk - self._first < self.spooled

    @property
    def start_s(self) -> float:
        """Start of `all` on the session's audio clock, in seconds."""
        return self.start_chunk * CHUNK_SECONDS
