"""Samples of a file by their place, so that what reads them may begin again after an interrupt and lose nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from .file_notices import FileNotice
from .files import LONGEST_S, open_audio
from .reader import AudioReader
from .resampling import resampled

Array = npt.NDArray[np.float32]

KEPT = 1 << 18
"""Samples behind the newest read that can be asked for again without decoding the file anew (1 MB)."""


class FileSamples:
    """A file as mono float32 samples by place, decoded as they are asked for. Close it, or use it in a `with`.

    Reading forward costs each sample once; going back further than `KEPT` samples opens the file again.

    Parameters
    ----------
    source, name, longest_s
        As in `audio_files.open_audio`.
    rate
        Samples per second that are wanted; the file's own by default.

    Attributes
    ----------
    rate, channels, seconds
        Of the samples, of the file, and its length as far as it says it.
    notices
        What was found wrong with the file so far.
    """

    def __init__(
        self,
        source: str | Path | BinaryIO,
        rate: int | None = None,
        *,
        name: str | None = None,
        longest_s: float | None = LONGEST_S,
    ) -> None:
        self._source, self._name, self._longest_s = source, name, longest_s
        self.notices: list[FileNotice] = []
        self._reader: AudioReader | None = None
        self._blocks: Iterator[Array] | None = None
        self._ended = False
        reader = self._open()
        self.rate = reader.rate if rate is None else rate
        self.name, self.channels, self.seconds = reader.name, reader.channels, reader.seconds

    def read(self, start: int, count: int) -> Array:
        """Up to `count` samples [n] from `start` on; fewer only at the end.

        Raises
        ------
        AudioError, AudioTooLongError
            The file turns out not to be sound, or longer than allowed.
        """
        if start < self._window[0]:
            self._open()
        while not self._ended and self._window[0] + len(self._window[1]) < start + count:
            self._take(max(0, start - KEPT))
        first, samples = self._window
        return samples[max(0, start - first) : max(0, start - first + count)]

    def close(self) -> None:
        """Close the file where it was opened here. What is asked for later opens it again."""
        if self._reader is not None:
            self._reader.close()
        self._reader = self._blocks = None

    def __enter__(self) -> FileSamples:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> AudioReader:
        self.close()
        self._reader = reader = open_audio(self._source, name=self._name, longest_s=self._longest_s)
        self._window: tuple[int, Array] = (0, np.zeros(0, np.float32))
        self._begun = self._ended = False
        return reader

    def _take(self, keep_from: int) -> None:
        """Decode the next block; of what was read, keep what lies behind `keep_from`.

        Where that is interrupted the decoder is lost, and the next call begins at the start of the file.
        """
        reader, blocks = self._reader, self._blocks
        self._blocks = None
        if reader is None or (blocks is None and self._begun):
            reader, blocks = self._open(), None
        self._begun = True
        if blocks is None:
            blocks = resampled(reader, reader.rate, self.rate)
        block = next(blocks, None)
        # The second reading of a file finds what the first one found.
        self.notices += reader.notices[len(self.notices) :]
        if block is None:
            self._ended = True
            return
        first, samples = self._window
        dropped = min(max(0, keep_from - first), len(samples))
        self._window = first + dropped, np.concatenate([samples[dropped:], block])
        self._blocks = blocks
