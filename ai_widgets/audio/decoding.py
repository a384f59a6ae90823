"""Decoders with one interface: blocks of float32 rows [n, channels] from any seekable binary source.

libsndfile (soundfile) decodes WAV, FLAC, Ogg, AIFF, AU, CAF and W64 exactly. FFmpeg's libraries (PyAV) decode MP3, M4A,
WebM, AAC, files that libsndfile rejects, and the rest of a file after libsndfile stops. Both decoders receive an open
file, never a path or a URL, so that a file cannot make a decoder open another file or address.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

BLOCK_SAMPLES = 1 << 16
"""Maximum number of samples in a block, over all channels (256 KiB as float32); it bounds the memory of decoding."""
UNKNOWN_FRAMES = 1 << 62
"""Frame count from which on libsndfile signals that the header has no length."""
DECODED = "fltp"
"""FFmpeg's name of the decoded sample format: float32, one plane per channel."""


class DecodeError(Exception):
    """Error of a decoder that cannot open a file or cannot continue decoding."""


class Source:
    """Wrapper of a seekable binary file that stores an exception of the file for `check`.

    Decoders call the file from C, where an exception is lost: libsndfile's binding prints it and continues. The wrapper
    reports the end of the file instead, and `check` raises the exception after the decoder has returned.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._failure: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes; return no bytes after the file has failed."""
        if self._failure is not None:
            return b""
        try:
            return self._file.read(size)
        except BaseException as error:  # noqa: BLE001 - raised again by `check`, outside the decoder
            self._failure = error
            return b""

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer and return the number of bytes."""
        data = self.read(len(buffer))
        memoryview(buffer).cast("B")[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Seek in the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position in the file."""
        return self._file.tell()

    def check(self) -> None:
        """Raise the stored exception, if reading the file failed."""
        if self._failure is not None:
            raise self._failure


class SoundfileDecoder:
    """Decoder that uses libsndfile.

    Raises
    ------
    DecodeError
        If libsndfile cannot open the file.
    """

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
        """Length according to the header, in seconds; None if unknown."""
        return None if self.frames is None or self.rate <= 0 else self.frames / self.rate

    def blocks(self) -> Iterator[Array]:
        """Yield rows until the end; `DecodeError` where decoding cannot continue."""
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
        """Close the decoder, not the source."""
        self._file.close()


class FfmpegDecoder:
    """Decoder of the first audio stream of a file, using FFmpeg's libraries.

    Attributes
    ----------
    damaged
        Number of packets that could not be decoded; they are skipped.

    Parameters
    ----------
    to_the_end
        Read to the end of the file and ignore the length in its header.
    rate
        Sample rate of the rows; None for that of the stream. libsndfile gives Opus at the rate of the recording,
        FFmpeg at 48 kHz.

    Raises
    ------
    DecodeError
        If FFmpeg cannot open the file, or the file has no audio stream.
    """

    def __init__(self, source: Source, to_the_end: bool = False, rate: int | None = None) -> None:
        import av

        self._failures = (av.error.FFmpegError, OSError, ValueError)
        self._av = av
        self.damaged = 0
        source.seek(0)
        options = {"ignore_length": "1"} if to_the_end else {}
        try:
            # Metadata may have any encoding; a playlist must not open the files that it lists.
            self._container: Any = av.open(
                source, metadata_errors="replace", io_open=_refuse_other_files, container_options=options
            )
        except self._failures as error:
            raise DecodeError(str(error)) from error
        if not self._container.streams.audio:
            self._container.close()
            raise DecodeError("it holds no sound")
        self._stream = self._container.streams.audio[0]
        self.rate, self.channels = rate or int(self._stream.rate or 0), int(self._stream.channels or 0)
        self.frames: int | None = None

    @property
    def seconds(self) -> float | None:
        """Length from the container or estimated by FFmpeg, in seconds; None if unknown."""
        stream = self._stream
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        duration = self._container.duration
        return None if duration is None else duration / self._av.time_base

    def blocks(self) -> Iterator[Array]:
        """Yield rows until the end; `DecodeError` where decoding cannot continue."""
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
        """Yield the planes [channels, n] of each frame, converted to `rate` and the channels of the stream."""
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
        """Close the decoder, not the source."""
        self._container.close()


def _refuse_other_files(url: str, _flags: int, _options: Any) -> NoReturn:
    raise PermissionError(f"a sound file may not open another one ({url})")


def _split(rows: Array, size: int) -> Iterator[Array]:
    """Split rows into blocks of at most `size` rows."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
