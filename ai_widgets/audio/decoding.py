"""Two decoders behind one shape: blocks of rows [n, channels] of float32, from any seekable binary source.

libsndfile (soundfile) reads WAV, FLAC, Ogg, AIFF, AU, CAF, W64 exactly; FFmpeg's libraries (PyAV) read the rest: MP3,
M4A, WebM, AAC, files that libsndfile refuses, and the part of a file where libsndfile stops. Neither is given a name:
a path is opened here, so that no decoder opens a second file or an address that the first one names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

BLOCK_SAMPLES = 1 << 16
"""Samples of a block over all channels (256 KiB as float32): the memory that a file of any length costs."""
UNKNOWN_FRAMES = 1 << 62
"""libsndfile's frame counts from here on mean that the header gives none."""
DECODED = "fltp"
"""FFmpeg's sample format that is asked for: float32, a plane a channel."""


class DecodeError(Exception):
    """A decoder cannot open the file, or cannot go on."""


class Source:
    """A seekable binary file as the decoders want it, which keeps an exception of the file for `check`.

    Decoders call back from C, where an exception is lost: libsndfile's binding prints it and goes on. Here it reads as
    the end of the file, and `check` raises it once the decoder has returned.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._failure: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        if self._failure is not None:
            return b""
        try:
            return self._file.read(size)
        except BaseException as error:  # noqa: BLE001 - raised again by `check`, outside the decoder
            self._failure = error
            return b""

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        memoryview(buffer).cast("B")[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def check(self) -> None:
        """Raise what reading the file raised."""
        if self._failure is not None:
            raise self._failure


class SoundfileDecoder:
    """Reads through libsndfile."""

    def __init__(self, source: Source) -> None:
        import soundfile

        self._failures = (soundfile.LibsndfileError, OSError, RuntimeError, TypeError)
        source.seek(0)
        try:
            self._file = soundfile.SoundFile(source)
        except self._failures as error:
            raise DecodeError(str(error)) from error
        self.rate, self.channels = int(self._file.samplerate), int(self._file.channels)
        frames = int(self._file.frames)
        self.frames: int | None = frames if 0 <= frames < UNKNOWN_FRAMES else None

    @property
    def seconds(self) -> float | None:
        """Length, in seconds, of what the file is said to hold."""
        return None if self.frames is None or self.rate <= 0 else self.frames / self.rate

    def blocks(self) -> Iterator[Array]:
        """Rows until the end; `DecodeError` where it cannot go on."""
        size = max(1, min(self.rate, BLOCK_SAMPLES // self.channels))
        while True:
            try:
                rows: Array = self._file.read(size, dtype="float32", always_2d=True)
            except self._failures as error:
                raise DecodeError(str(error)) from error
            if not len(rows):
                return
            yield rows

    def close(self) -> None:
        self._file.close()


class FfmpegDecoder:
    """Reads the first sound of a file through FFmpeg's libraries.

    `damaged` counts the packets that could not be decoded; decoding goes on after them.
    """

    def __init__(self, source: Source, to_the_end: bool = False) -> None:
        import av

        self._failures = (av.error.FFmpegError, OSError, ValueError)
        self._av = av
        self.damaged = 0
        source.seek(0)
        options = {"ignore_length": "1"} if to_the_end else {}
        try:
            # Titles are in any encoding; a playlist must not make us open what it lists.
            self._container: Any = av.open(
                source, metadata_errors="replace", io_open=_refuse_other_files, container_options=options
            )
        except self._failures as error:
            raise DecodeError(str(error)) from error
        if not self._container.streams.audio:
            self._container.close()
            raise DecodeError("it holds no sound")
        self._stream = self._container.streams.audio[0]
        self.rate, self.channels = int(self._stream.rate or 0), int(self._stream.channels or 0)
        self.frames: int | None = None

    @property
    def seconds(self) -> float | None:
        """Length in seconds as the container says or FFmpeg estimates it."""
        stream = self._stream
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        duration = self._container.duration
        return None if duration is None else duration / self._av.time_base

    def blocks(self) -> Iterator[Array]:
        """Rows until the end; `DecodeError` where it cannot go on."""
        waiting: list[Array] = []
        length, size = 0, max(1, min(self.rate, BLOCK_SAMPLES // self.channels))
        for planes in self._planes():
            waiting.append(planes)
            length += planes.shape[1]
            if length >= size:
                yield from _split(np.concatenate(waiting, axis=1).T, size)
                waiting, length = [], 0
        if waiting:
            yield from _split(np.concatenate(waiting, axis=1).T, size)

    def _planes(self) -> Iterator[Array]:
        """Planes [channels, n] of each decoded frame, all of the rate and channels that the file began with."""
        layout = self._stream.layout.name
        wanted = (DECODED, layout, self.rate)
        resampler: Any = None
        made_for = wanted
        for frame in self._frames():
            has = (frame.format.name, frame.layout.name, frame.sample_rate)
            if has != made_for and resampler is not None:
                yield from (each.to_ndarray() for each in resampler.resample(None))
                resampler = None
            if has == wanted:
                made_for = wanted
                yield frame.to_ndarray()
                continue
            try:
                if resampler is None:
                    resampler, made_for = self._av.AudioResampler(format=DECODED, layout=layout, rate=self.rate), has
                frame.pts = None
                converted = resampler.resample(frame)
            except self._failures as error:
                raise DecodeError(str(error)) from error
            yield from (each.to_ndarray() for each in converted)
        if resampler is not None:
            yield from (each.to_ndarray() for each in resampler.resample(None))

    def _frames(self) -> Iterator[Any]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except self._failures as error:
                raise DecodeError(str(error)) from error
            if packet is None:
                return
            try:
                frames = packet.decode()
            except self._av.error.InvalidDataError:
                self.damaged += 1
                continue
            except self._av.error.EOFError:
                return
            except self._failures as error:
                raise DecodeError(str(error)) from error
            yield from frames

    def close(self) -> None:
        self._container.close()


def _refuse_other_files(url: str, _flags: int, _options: Any) -> NoReturn:
    raise PermissionError(f"a sound file may not open another one ({url})")


def _split(rows: Array, size: int) -> Iterator[Array]:
    """Rows in blocks of at most `size`."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
