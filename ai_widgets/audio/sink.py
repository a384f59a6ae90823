"""`AudioSpool`: append-only audio file of a session.

The format is Sun/NeXT (`.au`), float32. Its header may leave the length open, so that the header is written once and
stays valid while the file grows. Each chunk is written immediately: a crash loses at most the chunk in progress, and
any audio program can read the rest.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..protocol import CHUNK_SAMPLES, SAMPLE_RATE

HEADER = struct.pack(">4s5I4x", b".snd", 28, 0xFFFFFFFF, 6, SAMPLE_RATE, 1)
"""Header of the file: magic, offset of the first sample, unknown length, float32, sample rate, one channel."""
CHUNK_BYTES = 4 * CHUNK_SAMPLES
"""Size of one chunk in the file, in bytes."""

Array = npt.NDArray[np.float32]


class AudioSpool:
    """Append-only audio file of chunks.

    Parameters
    ----------
    path
        File. It is created with the first chunk.

    Attributes
    ----------
    path
        Path of the file.
    chunks
        Number of chunks in the file.
    """

    # Of the class, so that `close` finds it after an interrupted `__init__`.
    _file: int | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self.chunks = 0

    @staticmethod
    def opened(path: Path) -> AudioSpool:
        """Return the spool of a file that exists, with the complete chunks that the file has.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If the file does not begin with the header of a spool.
        """
        spool = AudioSpool(path)
        with path.open("rb") as file:
            if file.read(len(HEADER)) != HEADER:
                raise ValueError("it does not begin with the header of 16 kHz float32 audio")
        spool.chunks = (path.stat().st_size - len(HEADER)) // CHUNK_BYTES
        return spool

    def write(self, chunk: int, samples: Array) -> None:
        """Append chunk `chunk`, or write the last chunk again.

        Parameters
        ----------
        chunk
            Index of the chunk.
        samples
            float32 [6400].

        Raises
        ------
        OSError
            If the disk is full or the file cannot be written. The file then ends with a complete chunk.
        """
        if self._file is None:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        if chunk == 0:
            # With every first chunk, since an interrupt may have come behind the open.
            os.lseek(self._file, 0, os.SEEK_SET)
            os.write(self._file, HEADER)
        data = samples.astype(">f4").tobytes()
        place = len(HEADER) + chunk * CHUNK_BYTES
        # Seek to the offset of the chunk, so that data of an interrupted call is overwritten.
        os.lseek(self._file, place, os.SEEK_SET)
        if os.write(self._file, data) != len(data):
            # A full disk may store a part of the data before it reports an error.
            os.ftruncate(self._file, place)
            raise OSError("the disk stored only a part of the chunk")
        self.chunks = chunk + 1

    def read(self, first: int, count: int) -> Array:
        """Read `count` chunks from chunk `first` on, float32 [n]."""
        if count < 1 or not self.chunks:
            return np.zeros(0, np.float32)
        with self.path.open("rb") as file:
            file.seek(len(HEADER) + first * CHUNK_BYTES)
            return np.frombuffer(file.read(count * CHUNK_BYTES), ">f4").astype(np.float32)

    def close(self) -> None:
        """Close the file for writing; `read` still works."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __del__(self) -> None:
        self.close()
