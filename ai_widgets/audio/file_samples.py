"""Random access to the samples of a file, so that a reader can repeat a read after an interrupt."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from .clip_features import Tap
from .file_notices import FileNotice
from .files import LONGEST_S, open_audio
from .reader import AudioReader
from .resampling import resampled

Array = npt.NDArray[np.float32]

KEPT = 1 << 18
"""Number of samples before the newest read that stay in memory (1 MB), so that reading them again does not decode the
file from its start."""


class FileSamples:
    """Source of the mono float32 samples of a file, decoded on demand. Close it, or use it in a `with` statement.

    Reading forward decodes each sample once; reading more than `KEPT` samples before the newest read opens the file
    again.

    Parameters
    ----------
    source, name, longest_s
        As in `audio.files.open_audio`.
    rate
        Sample rate of the result, in Hz; None for the file's own rate.

    Attributes
    ----------
    rate, channels
        Sample rate of the result, in Hz, and number of channels in the file.
    seconds
        Length of the file, in seconds; None if unknown.
    notices
        Notices about faults of the part that was read.

    Raises
    ------
    AudioError, AudioTooLongError
        If the file cannot be opened as audio, or announces more than `longest_s` seconds.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        rate: int | None = None,
        *,
        name: str | None = None,
        longest_s: float | None = LONGEST_S,
    ) -> None:
        self._source, self._name, self._longest_s = source, name, longest_s
        self._tap: Tap | None = None
        self.notices: list[FileNotice] = []
        self._reader: AudioReader | None = None
        self._blocks: Iterator[Array] | None = None
        self._ended = False
        reader = self._open()
        self.rate = reader.rate if rate is None else rate
        self.name, self.channels, self.seconds = reader.name, reader.channels, reader.seconds

    def read(self, start: int, count: int) -> Array:
        """Read `count` samples [n] from sample `start` on; fewer only at the end.

        Raises
        ------
        AudioError, AudioTooLongError
            If the file cannot be decoded as audio, or is longer than `longest_s` seconds.
        """
        if start < self._window[0]:
            self._open()
        while not self._ended and self._window[0] + len(self._window[1]) < start + count:
            self._take(max(0, start - KEPT))
        first, samples = self._window
        return samples[max(0, start - first) : max(0, start - first + count)]

    def tap(self, tap: Tap) -> None:
        """Pass all samples of the file also to `tap`, mono at the file's own rate, as they are decoded."""
        self._tap = tap
        if self._begun:
            # The first block was decoded already, to check the file.
            self._open()

    def close(self) -> None:
        """Close the file, unless the caller opened it. A later `read` opens the file again."""
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
        """Decode the next block, and discard samples before sample `keep_from`.

        After an interrupt the decoder is not usable, and the next call starts at the beginning of the file.
        """
        reader, blocks = self._reader, self._blocks
        self._blocks = None
        if reader is None or (blocks is None and self._begun):
            reader, blocks = self._open(), None
        self._begun = True
        if blocks is None:
            blocks = resampled(self._tapped(reader), reader.rate, self.rate)
        block = next(blocks, None)
        # Reading a file again produces the same notices again.
        self.notices += reader.notices[len(self.notices) :]
        if block is None:
            self._ended = True
            return
        first, samples = self._window
        dropped = min(max(0, keep_from - first), len(samples))
        self._window = first + dropped, np.concatenate([samples[dropped:], block])
        self._blocks = blocks

    def _tapped(self, reader: AudioReader) -> Iterator[Array]:
        at = 0
        for block in reader:
            if self._tap is not None:
                self._tap(block, reader.rate, at)
            at += len(block)
            yield block
