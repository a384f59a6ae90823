"""Audio files, read piece by piece: the one reader of this package, for command line, sessions, training and widget.

`open_audio` gives blocks of mono float32 at the file's own rate in memory that does not grow with the file, and says
what was wrong with the file. `load_audio` reads a whole file into one array.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, overload

import numpy as np
import numpy.typing as npt

from ..errors import AudioError, AudioTooLongError, AudioWarning, printable
from ..protocol import SAMPLE_RATE
from .decoding import DecodeError, FfmpegDecoder, SoundfileDecoder, Source
from .downmix import Downmix
from .file_notices import FileNotice, channels_cancel, hours, how_it_ended
from .headers import inspect, mp4_index_missing
from .intake import FULL_SCALE_LIMIT, MAX_CHANNELS, MAX_RATE, MIN_RATE, repair

Array = npt.NDArray[np.float32]

AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".m4b", ".mp4", ".mov", ".webm", ".mka", ".mkv"}
    | {".aac", ".aiff", ".aif", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64", ".wma", ".amr", ".3gp", ".ac3"}
)
"""Names that a folder's sound files end in, in small letters; a file that is named itself may be called anything."""
LONGEST_S = 6 * 3600.0
"""Seconds that a file may decode to unless said otherwise. As 16 kHz float32 in one array that is 1.4 GB; a file of a
few kilobytes can decode to more."""


class AudioReader(Iterator[Array]):
    """Blocks of one file: mono float32 [n] at `rate`, at most a second each. Made by `open_audio`.

    Attributes
    ----------
    name
        What the file is called in messages.
    rate, channels
        Of the file; the blocks are mono.
    seconds
        Length as the file says it or as its size suggests; None where nothing tells it.
    position_s
        Seconds that were read so far.
    notices
        What was found wrong so far; complete once the iteration has ended.
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
        """Seconds that were read so far."""
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
        # libsndfile takes an unfinished file for empty, and talks on the terminal about a cut MP3.
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
        """Refuse what no recording is, before anything of it is decoded."""
        if not MIN_RATE <= decoder.rate <= MAX_RATE:
            raise AudioError(
                f"{self.name} says that it was recorded at {decoder.rate} Hz; a sample rate must lie between "
                f"{MIN_RATE} and {MAX_RATE} Hz. Its header is damaged, or it is no sound."
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
            # FFmpeg's figure goes by the size of the file, which is what is read.
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
        """Rows of the first decoder, and of the second where the first one stops before the end."""
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
            self._decoder = other = FfmpegDecoder(self._source)
        except DecodeError:
            self._decoder = None
            return
        if (other.rate, other.channels) != (self.rate, self.channels):
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


def open_audio(
    source: str | Path | BinaryIO, *, name: str | None = None, longest_s: float | None = LONGEST_S
) -> AudioReader:
    """Open an audio file for reading piece by piece, in memory that does not depend on its length.

    Any format that libsndfile reads (WAV, FLAC, Ogg, AIFF, AU, CAF, …) or else FFmpeg's libraries (MP3, M4A, WebM, …).

    Parameters
    ----------
    source
        A path, or an open binary file that can `read`, `seek` and `tell` (it stays open).
    name
        What the file is called in messages; by default its path.
    longest_s
        Seconds that it may decode to; None for any length.

    Returns
    -------
    AudioReader
        A context manager that yields float32 mono blocks [n] at the file's own rate. Channels are averaged, or where
        they cancel, the louder one is taken; `AudioReader.notices` says so.

    Raises
    ------
    AudioError
        No such file, a folder, not audio, no samples (known only at the end), or a sample rate that no recording has.
    AudioTooLongError
        Where it decodes to more than `longest_s`.

    Examples
    --------
    >>> with open_audio("talk.m4a") as reader:
    ...     for block in reader:
    ...         intake.push(block, reader.rate)
    """
    if not isinstance(source, (str, os.PathLike)):
        shown = name or printable(str(getattr(source, "name", "The file")))
        if not all(hasattr(source, each) for each in ("read", "seek", "tell")):
            raise AudioError(f"{shown} must be a path or an open binary file that can be read and searched.")
        return AudioReader(source, shown, longest_s, owned=False)
    path = Path(source)
    shown = name or printable(str(path))
    if not path.exists():
        raise AudioError(f"There is no audio file {shown}.")
    if path.is_dir():
        raise AudioError(f"{shown} is a folder; an audio file was expected.")
    try:
        file = path.open("rb")
    except OSError as error:
        raise AudioError(f"{shown} cannot be read: {error.strerror}.") from error
    return AudioReader(file, shown, longest_s, owned=True)


@overload
def load_audio(
    source: str | Path | BinaryIO, with_rate: Literal[False] = False, *, longest_s: float | None = LONGEST_S
) -> Array: ...


@overload
def load_audio(
    source: str | Path | BinaryIO, with_rate: Literal[True], *, longest_s: float | None = LONGEST_S
) -> tuple[Array, int]: ...


def load_audio(
    source: str | Path | BinaryIO, with_rate: bool = False, *, longest_s: float | None = LONGEST_S
) -> Array | tuple[Array, int]:
    """Read a whole audio file as mono float32 in [-1, 1].

    Parameters
    ----------
    source, longest_s
        As in `open_audio`.
    with_rate
        True: the file's own rate, which is returned too. False: 16 kHz.

    Returns
    -------
    float32 [n], or that and the rate
        NaN and infinity of a float file stay in their places as NaN, so that what hears them can flag them.

    Warns
    -----
    AudioWarning
        What was wrong with the file, a sentence each: cut, damaged, channels that cancel.

    Raises
    ------
    AudioError, AudioTooLongError
        As in `open_audio`.

    Examples
    --------
    >>> samples = load_audio("talk.m4a")
    >>> samples, rate = load_audio("talk.m4a", with_rate=True)
    """
    with open_audio(source, longest_s=longest_s) as reader:
        rate = reader.rate if with_rate else SAMPLE_RATE
        samples = _collect(resampled(reader, reader.rate, rate), (reader.seconds or 0) * rate)
    for notice in reader.notices:
        warnings.warn(notice.message, AudioWarning, stacklevel=2)
    return (samples, rate) if with_rate else samples


def resampled(blocks: Iterable[Array], rate: int, wanted: int = SAMPLE_RATE) -> Iterator[Array]:
    """Blocks at `wanted` Hz of blocks at `rate` Hz (soxr, high quality), the same as resampling them in one piece.

    Inside the resampler a NaN would spread over hundreds of samples; so it only marks its own place.
    """
    if rate == wanted:
        yield from blocks
        return
    import soxr  # on first audio, not with the package

    stream = soxr.ResampleStream(rate, wanted, 1, dtype="float32")
    taken, given = 0, 0
    broken: list[int] = []
    for block in blocks:
        whole, is_broken = repair(block)
        if is_broken:
            broken += [(taken + int(at)) * wanted // rate for at in np.flatnonzero(~np.isfinite(block))]
        taken += len(block)
        out = _mark(stream.resample_chunk(whole), given, broken)
        given += len(out)
        broken = [at for at in broken if at >= given]
        yield out
    yield _mark(stream.resample_chunk(np.zeros(0, np.float32), last=True), given, broken)


def _mark(samples: Array, start: int, places: list[int]) -> Array:
    """Put NaN to the places of the stream that are in `samples`, which begin at `start`."""
    for at in places:
        if start <= at < start + len(samples):
            samples[at - start] = np.nan
    return samples


def _collect(blocks: Iterable[Array], expected: float) -> Array:
    """Blocks as one array. Room for `expected` samples is made at once, so that the sound is not held twice."""
    whole = np.empty(int(min(expected, LONGEST_S * SAMPLE_RATE)) + 1, np.float32)
    length = 0
    for block in blocks:
        end = length + len(block)
        if end > len(whole):
            whole.resize(max(end, len(whole) + len(whole) // 4), refcheck=False)
        whole[length:end] = block
        length = end
    whole.resize(length, refcheck=False)
    return whole
