"""`AudioSpool`: append-only audio file of a session.

The format is Sun/NeXT (`.au`), float32. Its header may leave the length open, so that the header is written once and
stays valid while the file grows. Each chunk is written immediately: a crash loses at most the chunk in progress, and
any audio program can read the rest.
"""

from __future__ import annotations

import os
import struct
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import SettingError
from ..protocol import CHUNK_SAMPLES, SAMPLE_RATE

SUFFIX = ".au"
"""Suffix of the audio file."""
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
        New file; if the name exists, a number is added. A folder: a new file in the folder. None: a new temporary file.

    Attributes
    ----------
    path
        Path of the file; None before the first chunk is written.
    chunks
        Number of chunks in the file.

    Raises
    ------
    SettingError
        If the folder is not writable, or the name does not end in `.au`.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._file: int | None = None
        self._wanted = Path(tempfile.gettempdir() if path is None else path).expanduser()
        folder = self._wanted if self._wanted.is_dir() else self._wanted.parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise SettingError(f"audio_path must be in a writable folder; {folder} does not exist or is not writable.")
        if not self._wanted.is_dir() and self._wanted.suffix != SUFFIX:
            raise SettingError(f"audio_path must be a folder or end in {SUFFIX}, not {self._wanted.name!r}.")
        self.path: Path | None = None
        self.chunks = 0

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
            self._open()
        data = samples.astype(">f4").tobytes()
        place = len(HEADER) + chunk * CHUNK_BYTES
        if self._file is not None:
            # Seek to the offset of the chunk, so that data of an interrupted call is overwritten.
            os.lseek(self._file, place, os.SEEK_SET)
            if os.write(self._file, data) != len(data):
                # A full disk may store a part of the data before it reports an error.
                os.ftruncate(self._file, place)
                raise OSError("the disk stored only a part of the chunk")
        self.chunks = chunk + 1

    def read(self, first: int, count: int) -> Array:
        """Read `count` chunks from chunk `first` on, float32 [n]."""
        if self.path is None or count < 1:
            return np.zeros(0, np.float32)
        with self.path.open("rb") as file:
            file.seek(len(HEADER) + first * CHUNK_BYTES)
            return np.frombuffer(file.read(count * CHUNK_BYTES), ">f4").astype(np.float32)

    def close(self) -> None:
        """Close the file for writing; `read` still works."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> None:
        if self._wanted.is_dir():
            file, name = tempfile.mkstemp(SUFFIX, "ai_widgets-", self._wanted)
            path = Path(name)
        else:
            file, path = _create(self._wanted)
        self.path, self._file = path, file
        os.write(file, HEADER)

    def __del__(self) -> None:
        self.close()


def _create(wanted: Path) -> tuple[int, Path]:
    """Create a file that only its owner can access, under the given name or with the first free number added."""
    number, path = 1, wanted
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600), path
        except FileExistsError:
            number += 1
            path = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
