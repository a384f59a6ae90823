"""Check of a caller's audio for a session, and its conversion to items of the feed: samples, clips and files."""

from __future__ import annotations

import os
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ..audio.clip_features import ArraySamples, Progress
from ..audio.file_samples import FileSamples
from ..audio.intake import check_rate, mono_with_flags
from ..audio.resampling import resampled
from ..errors import SettingError
from ..protocol import SAMPLE_RATE
from .feed import Block, Clip, End, Item

FLOORS = ("clip", "running")
MAX_TAIL_S = 600.0
"""Seconds of silence that may follow a recording: more can only be a mistake."""


def block(samples: npt.ArrayLike, rate: int | None) -> Block:
    """Check samples of any length and rate (None: 16 kHz) and return them as one block of the stream.

    Raises
    ------
    AudioError
        Not audio, or no sample rate.
    """
    checked = SAMPLE_RATE if rate is None else check_rate(rate)
    row, flags = mono_with_flags(samples, checked)
    return Block(ArraySamples(row, checked), flags)


def clip_items(samples: npt.ArrayLike, rate: int | None, floor: str, tail_silence: float) -> tuple[Item, ...]:
    """Check one whole clip and return the items that hear it with the log-mel floor `floor`.

    Raises
    ------
    AudioError
        Not audio, or no sample rate.
    SettingError
        An unknown floor, or a tail that is no length.
    """
    _check_floor(floor)
    given, tail = block(samples, rate), checked_tail(tail_silence)
    if floor == "running":
        return given, End(tail)
    whole = given.sound.read(0, int(given.seconds * given.sound.rate) + 1)
    at_16k = np.concatenate([*resampled([whole], given.sound.rate)])
    return (Clip(ArraySamples(at_16k, SAMPLE_RATE, (whole, given.sound.rate)), tail, given.flags),)


def file_items(
    source: str | os.PathLike[str] | BinaryIO,
    floor: str,
    tail_silence: float,
    longest_s: float | None,
    progress: Progress | None,
) -> tuple[Item, ...]:
    """Open an audio file, read its first sample, and return the items that hear it.

    Raises
    ------
    AudioError
        It cannot be read.
    SettingError
        An unknown floor, or a tail that is no length.
    """
    _check_floor(floor)
    tail = checked_tail(tail_silence)
    sound = FileSamples(source, SAMPLE_RATE, longest_s=longest_s)
    try:
        sound.read(0, 1)
    except BaseException:
        sound.close()
        raise
    if floor == "running":
        return Block(sound), End(tail)
    return (Clip(sound, tail, progress=progress),)


def checked_tail(seconds: float) -> float:
    """Check the length of silence that follows a recording, in seconds.

    Raises
    ------
    SettingError
        Not a number from 0 to `MAX_TAIL_S`.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= MAX_TAIL_S:
        raise SettingError(f"tail_silence must be a number of seconds from 0 to {MAX_TAIL_S:g}, not {seconds!r}.")
    return float(seconds)


def _check_floor(floor: str) -> None:
    if floor not in FLOORS:
        raise SettingError(f"floor must be one of {', '.join(FLOORS)}, not {floor!r}.")
