"""Audio files, read piece by piece; used by command line, sessions, training and widget.

`open_audio` yields blocks of mono float32 at the file's own rate, in memory that does not depend on the file's length,
and reports faults of the file. `load_audio` reads a whole file into one array.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Literal, overload

import numpy as np
import numpy.typing as npt

from ..errors import AudioError, AudioWarning, printable
from ..protocol import SAMPLE_RATE
from .clips import clip_named
from .reader import AudioReader
from .resampling import resampled

Array = npt.NDArray[np.float32]

AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".m4b", ".mp4", ".mov", ".webm", ".mka", ".mkv"}
    | {".aac", ".aiff", ".aif", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64", ".wma", ".amr", ".3gp", ".ac3"}
)
"""Lower-case suffixes of the audio files that are read from a folder; a file given by its path may have any name."""
LONGEST_S = 6 * 3600.0
"""Default limit of a decoded file, in seconds: 1.4 GB as 16 kHz float32 in one array. A file of a few kilobytes can
decode to more."""


def open_audio(
    source: str | os.PathLike[str] | BinaryIO, *, name: str | None = None, longest_s: float | None = LONGEST_S
) -> AudioReader:
    """Open an audio file for reading piece by piece, in memory that does not depend on its length.

    Any format that libsndfile reads (WAV, FLAC, Ogg, AIFF, AU, CAF, …) or else FFmpeg's libraries (MP3, M4A, WebM, …).

    Parameters
    ----------
    source
        A path, a clip of the package (``aiw.clips["rain"]`` or ``"clip:rain"``), or an open binary file that can
        `read`, `seek` and `tell` (it stays open).
    name
        Name of the file in messages; by default its path.
    longest_s
        Largest decoded length in seconds; None for no limit.

    Returns
    -------
    AudioReader
        A context manager that yields float32 mono blocks [n] at the file's own rate. Channels are averaged, or where
        they cancel, the louder one is used, with a notice in `AudioReader.notices`.

    Raises
    ------
    AudioError
        No such file or clip, a folder, not audio, no samples (known only at the end), or a sample rate that no
        recording has.
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
    clip = clip_named(source)
    path = Path(clip or source)
    shown = name or printable(str(clip or path))
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
    source: str | os.PathLike[str] | BinaryIO, with_rate: Literal[False] = False, *, longest_s: float | None = LONGEST_S
) -> Array: ...


@overload
def load_audio(
    source: str | os.PathLike[str] | BinaryIO, with_rate: Literal[True], *, longest_s: float | None = LONGEST_S
) -> tuple[Array, int]: ...


def load_audio(
    source: str | os.PathLike[str] | BinaryIO, with_rate: bool = False, *, longest_s: float | None = LONGEST_S
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


def _collect(blocks: Iterable[Array], expected: float) -> Array:
    """Join blocks to one array. Memory for `expected` samples is allocated at once, to avoid a second copy."""
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
