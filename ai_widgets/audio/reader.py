"""`AudioReader`: one audio file, read piece by piece, with notices about its faults."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ..errors import AudioError, AudioTooLongError
from .decoding import DecodeError, FfmpegDecoder, SoundfileDecoder, Source
from .downmix import Downmix
from .file_notices import FileNotice, channels_cancel, hours, how_it_ended
from .headers import inspect, mp4_index_missing
from .intake import FULL_SCALE_LIMIT, MAX_CHANNELS, MAX_RATE, MIN_RATE, repair

Array = npt.NDArray[np.float32]


class AudioReader(Iterator[Array]):
    """Iterator over the blocks of one file: mono float32 [n] at `rate`, at most a second each. See `open_audio`.

    Attributes
    ----------
    name
        Name of the file in messages.
    rate, channels
        Sample rate in Hz, and number of channels of the file; the blocks are mono.
    seconds
        Length in seconds from the header, or estimated from the file's size; None if unknown.
    position_s
        Seconds read so far.
    notices
        Faults found so far; complete once the iteration has ended.
    """

    def __init__(self, file: BinaryIO, name: str, longest_s: float | None, owned: bool) -> None:
        self._file, self.name, self._longest_s, self._owned = file, name, longest_s, owned
        self._source = Source(file)
        self._decoder: SoundfileDecoder | FfmpegDecoder | None = None
        self.notices: list[FileNotice] = []
        self._read = 0
        try:
            self._header = inspect(file)
            self._decoder = self._open()
            self._check(self._decoder)
            if self._decoder.frames == 0 and self._header.form == "WAV":
                raise AudioError(f"{self.name} holds no audio samples.")
        except BaseException:
            self.close()
            raise
        self.rate, self.channels = self._decoder.rate, self._decoder.channels
        self.seconds = self._length()
        self._downmix = Downmix(self.rate)
        self._cancelling = False
        self._blocks = self._mono()

    @property
    def position_s(self) -> float:
        """Seconds read so far."""
        return self._read / self.rate

    def __iter__(self) -> AudioReader:
        return self

    def __next__(self) -> Array:
        return next(self._blocks)

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the decoder, and the file where `open_audio` opened it. A second call does nothing."""
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None
        if self._owned:
            self._file.close()

    # Opening ---------------------------------------------------------------------------------------------------------

    def _open(self) -> SoundfileDecoder | FfmpegDecoder:
        header = self._header
        # libsndfile reads an unfinished file as empty, and prints warnings about a truncated MP3 on the terminal.
        if not header.unfinished and header.form not in ("MP3", "AAC", "MP4"):
            try:
                return SoundfileDecoder(self._source)
            except DecodeError:
                self._source.check()
        try:
            return FfmpegDecoder(self._source, to_the_end=header.unfinished)
        except DecodeError as error:
            self._source.check()
            raise AudioError(self._unreadable(str(error))) from error

    def _unreadable(self, why: str) -> str:
        if self._header.form == "MP4" and mp4_index_missing(self._file):
            return (
                f"{self.name} cannot be read as audio: its index (moov), which a recorder writes last, is missing, so "
                "the recording or its download was not finished. Fetch it again, or repair it with the program that "
                "recorded it."
            )
        if why == "it holds no sound":
            return f"{self.name} holds no sound."
        return f"{self.name} cannot be read as audio: it is empty, damaged or of an unknown format."

    def _check(self, decoder: SoundfileDecoder | FfmpegDecoder) -> None:
        """Raise `AudioError` for a header with values that no recording has, before decoding."""
        if not MIN_RATE <= decoder.rate <= MAX_RATE:
            raise AudioError(
                f"{self.name} has a sample rate of {decoder.rate} Hz; a sample rate must be between "
                f"{MIN_RATE} and {MAX_RATE} Hz. Its header is damaged, or it is no audio file."
            )
        if not 1 <= decoder.channels <= MAX_CHANNELS:
            raise AudioError(f"{self.name} has {decoder.channels} channels; 1 to {MAX_CHANNELS} are read.")
        seconds = decoder.seconds
        known = self._header.length_known and not self._header.unfinished
        if known and seconds is not None and self._longest_s is not None and seconds > self._longest_s:
            self._refuse_length(seconds)

    def _refuse_length(self, seconds: float) -> None:
        longest = self._longest_s or 0.0
        raise AudioTooLongError(
            f"{self.name} decodes to {hours(seconds)} of sound or more; at most {hours(longest)} are read. To read "
            f"it all the same give longest_s={seconds:.0f} (on the command line --longest {seconds:.0f}), or None for "
            "any length."
        )

    def _length(self) -> float | None:
        decoder, header = self._decoder, self._header
        seconds = None if decoder is None else decoder.seconds
        if header.unfinished and isinstance(decoder, FfmpegDecoder):
            # FFmpeg estimates the length from the size of the file, all of which is read.
            return seconds
        return seconds if seconds is None or seconds >= 0 else None

    # Reading ---------------------------------------------------------------------------------------------------------

    def _mono(self) -> Iterator[Array]:
        for rows in self._rows():
            self._read += len(rows)
            if self._longest_s is not None and self.position_s > self._longest_s:
                self._refuse_length(self.position_s)
            mixed = self._downmix.mix(rows)
            self._refuse_scale(mixed)
            self._note_cancelling()
            yield np.ascontiguousarray(mixed)
        self._source.check()
        if not self._read:
            raise AudioError(f"{self.name} holds no audio samples.")
        self._note_end()

    def _rows(self) -> Iterator[Array]:
        """Yield the rows of the first decoder, then those of the second if the first stops before the end."""
        decoder = self._decoder
        if decoder is None:
            raise AudioError(f"{self.name} is closed.")
        expected, done = decoder.frames, 0
        try:
            for rows in decoder.blocks():
                self._source.check()
                done += len(rows)
                yield rows
            stopped = done < (expected or 0)
        except DecodeError:
            stopped = True
        self._source.check()
        if not stopped or isinstance(decoder, FfmpegDecoder):
            return
        decoder.close()
        try:
            self._decoder = other = FfmpegDecoder(self._source, rate=self.rate)
        except DecodeError:
            self._decoder = None
            return
        if other.channels != self.channels:
            return
        skip = done
        try:
            for rows in other.blocks():
                self._source.check()
                new = rows[skip:]
                skip = max(0, skip - len(rows))
                if len(new):
                    yield new
        except DecodeError:
            return

    def _refuse_scale(self, mixed: Array) -> None:
        whole, _ = repair(mixed)
        if len(whole) and float(np.abs(whole).max()) > FULL_SCALE_LIMIT:
            raise AudioError(
                f"{self.name} holds samples up to {float(np.abs(whole).max()):.0f}, while float sound lies within −1 "
                "and 1: it was written at 16-bit scale. Divide the samples by 32768 and write the file again."
            )

    def _note_cancelling(self) -> None:
        if self._downmix.cancelled is not None and not self._cancelling:
            self._cancelling = True
            at, channel = self._downmix.cancelled
            self.notices.append(channels_cancel(self.name, at / self.rate, channel + 1))

    def _note_end(self) -> None:
        decoder = self._decoder
        damaged = decoder.damaged if isinstance(decoder, FfmpegDecoder) else 0
        notice = how_it_ended(self.name, self._file, self._header, self.position_s, self.seconds, damaged)
        if notice is not None:
            self.notices.append(notice)
