"""`AudioSpool`: all the audio of a session in one file that only ever grows.

A Sun/NeXT file (`.au`), float32: its header may leave the length open, so it is written once and stays true however
long the file gets. Every chunk is handed to the operating system as soon as it was heard. Whatever ends the program, at
most the chunk at work is lost, and any audio program reads the rest.
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
HEADER = struct.pack(">4s5I4x", b".snd", 28, 0xFFFFFFFF, 6, SAMPLE_RATE, 1)
"""Magic, place of the first sample, open length, float32, rate, one channel."""
CHUNK_BYTES = 4 * CHUNK_SAMPLES

Array = npt.NDArray[np.float32]


class AudioSpool:
    """Chunks of audio in a file of their own, in order.

    Parameters
    ----------
    path
        The file, which must not be in use: if there is one of that name, a number is added. A folder: a new name in it.
        None: a new name in the folder for temporary files.

    Attributes
    ----------
    path
        Where the audio is; None until the first chunk was written.
    chunks
        How many are in the file.
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
        """Write one chunk, float32 [6400], to its place in the file: the next one, or once more the last.

        Raises
        ------
        OSError
            The disk is full, or the file cannot be written for another reason. The file ends with a whole chunk then.
        """
        if self._file is None:
            self._open()
        data = samples.astype(">f4").tobytes()
        place = len(HEADER) + chunk * CHUNK_BYTES
        if self._file is not None:
            # To the place of the chunk, so that what an interrupted call wrote is written over.
            os.lseek(self._file, place, os.SEEK_SET)
            if os.write(self._file, data) != len(data):
                # A full disk may take a part before it says so.
                os.ftruncate(self._file, place)
                raise OSError("the disk stored only a part of the chunk")
        self.chunks = chunk + 1

    def read(self, first: int, count: int) -> Array:
        """Samples of `count` chunks from chunk `first` on, as they were written."""
        if self.path is None or count < 1:
            return np.zeros(0, np.float32)
        with self.path.open("rb") as file:
            file.seek(len(HEADER) + first * CHUNK_BYTES)
            return np.frombuffer(file.read(count * CHUNK_BYTES), ">f4").astype(np.float32)

    def close(self) -> None:
        """End writing; what was written can still be read."""
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
    """A new file for its owner alone, under the wanted name or the first free one after it."""
    number, path = 1, wanted
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600), path
        except FileExistsError:
            number += 1
            path = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
