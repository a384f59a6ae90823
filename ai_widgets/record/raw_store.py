"""`RawStore`: audio at its own rate, as it arrived, in one file for each clip and rate.

It is for listening and for other programs; a replay uses the audio as heard. Audio that arrives at 16 kHz is not stored
twice.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from ..protocol import SAMPLE_RATE

RAW_NAME = "raw"
"""Folder of the files in a recording."""
SEGMENT = re.compile(r"raw/(\d{1,9})-(\d{1,6})-(\d{1,6})\.(au|flac)")
"""Name of a file: index of the clip, samples a second, number of the file among those of the same clip and rate."""
INT16, FLOAT32 = 3, 6
"""Encodings of Sun/NeXT audio."""
HEADER_BYTES = 28
"""Length of a Sun/NeXT header in bytes: six words and four bytes of annotation, the shortest that the format allows."""

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class RawSegment:
    """Audio of one clip at one rate.

    Attributes
    ----------
    clip
        Index of the clip, as in `Chunk.clip`.
    rate
        Samples a second.
    path
        File, which any audio program plays.
    """

    clip: int
    rate: int
    path: Path

    def read(self) -> Array:
        """Return the samples, float32 [n], mono.

        Raises
        ------
        soundfile.LibsndfileError
            If the file is damaged.
        """
        samples: Array = soundfile.read(str(self.path), dtype="float32")[0]
        return samples


def segments_in(folder: Path) -> list[RawSegment]:
    """Return the segments of a recording's folder, in the order of clips and files."""
    found = []
    for path in (folder / RAW_NAME).glob("*"):
        match = SEGMENT.fullmatch(f"{RAW_NAME}/{path.name}")
        if match is not None:
            clip, rate, number = (int(match[place]) for place in (1, 2, 3))
            found.append((clip, number, RawSegment(clip, rate, path)))
    return [segment for *_, segment in sorted(found, key=lambda each: each[:2])]


class RawStore:
    """Append-only files of audio as it arrived.

    Parameters
    ----------
    folder
        The recording. A folder `raw` is made in it with the first block.
    """

    # Of the class, so that `close` finds it after an interrupted `__init__`.
    _file: int | None = None

    def __init__(self, folder: Path) -> None:
        self._folder = self._path = folder / RAW_NAME
        self._current: tuple[int, int, int] | None = None
        self._numbers: dict[int, int] = {}
        # Source, samples of it that are stored, offset behind them: one tuple, which an interrupt cannot separate.
        self._stored: tuple[Hashable, int, int] = (None, 0, HEADER_BYTES)

    def write(self, samples: Array, rate: int, clip: int, *, source: Hashable = None, start: int = 0) -> list[Path]:
        """Append one block, as 16-bit audio if it is, else as float32.

        Parameters
        ----------
        samples
            float32 [n], mono.
        rate
            Samples a second.
        clip
            Index of the clip.
        source, start
            Source that may be read again, and index of the first sample in it: what is stored already is not stored
            again. None for a stream, all of whose blocks are stored.

        Returns
        -------
        list of Path
            The file that was written and its folder, which has the file's name; empty if nothing was.

        Raises
        ------
        OSError
            If the disk is full or the file cannot be written.
        """
        if source is not None and source == self._stored[0]:
            samples, start = samples[max(0, self._stored[1] - start) :], max(start, self._stored[1])
        if rate == SAMPLE_RATE or not len(samples):
            return []
        scaled = samples * np.float32(1 << 15)
        whole = bool((scaled == np.rint(scaled)).all() and (np.abs(scaled) < (1 << 15)).all())
        # Once float32, the rest of the clip is: a silent block is 16-bit audio by chance.
        whole = whole and self._current != (clip, rate, FLOAT32)
        data = scaled.astype(">i2").tobytes() if whole else samples.astype(">f4").tobytes()
        file, end = self._open(clip, rate, INT16 if whole else FLOAT32)
        os.lseek(file, end, os.SEEK_SET)
        if os.write(file, data) != len(data):
            os.ftruncate(file, end)
            raise OSError("the disk stored only a part of the block")
        self._stored = source, start + len(samples), end + len(data)
        return [self._path, self._folder, self._folder.parent]

    def close(self) -> None:
        """Close the file in use."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self, clip: int, rate: int, encoding: int) -> tuple[int, int]:
        """Begin a new file where clip, rate or encoding changed; return the file and its end."""
        if self._current == (clip, rate, encoding) and self._file is not None:
            return self._file, self._stored[2]
        self.close()
        self._folder.mkdir(0o700, exist_ok=True)
        number = self._numbers[clip] = self._numbers.get(clip, 0) + 1
        self._path = self._folder / f"{clip:04d}-{rate}-{number}.au"
        self._file = file = os.open(
            self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600
        )
        os.write(file, struct.pack(">4s5I4x", b".snd", HEADER_BYTES, 0xFFFFFFFF, encoding, rate, 1))
        self._stored = *self._stored[:2], HEADER_BYTES
        self._current = clip, rate, encoding
        return file, HEADER_BYTES

    def __del__(self) -> None:
        self.close()


def write_flac(segment: RawSegment, target: Path) -> None:
    """Write a segment as FLAC: exactly if it is 16-bit audio, else rounded to 24 bits.

    Raises
    ------
    OSError
        If the file cannot be read or written.
    """
    try:
        with soundfile.SoundFile(str(segment.path)) as source:
            subtype = "PCM_16" if source.subtype == "PCM_16" else "PCM_24"
            with soundfile.SoundFile(str(target), "w", segment.rate, 1, subtype=subtype, format="FLAC") as file:
                while len(block := source.read(1 << 18, dtype="int32" if subtype == "PCM_16" else "float32")):
                    file.write(block)
    except soundfile.LibsndfileError as error:
        raise OSError(str(error)) from error
