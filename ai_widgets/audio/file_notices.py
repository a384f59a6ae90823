"""Notices about audio files that are truncated, damaged or have cancelling channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from .headers import Header, ogg_ended

CUT_TOLERANCE_S = 0.25
"""Tolerance, in seconds, by which a compressed file may be shorter than its header says: encoders count their padding
differently."""


@dataclass(frozen=True)
class FileNotice:
    """Notice of a fault of an audio file, or of a change to its sound while reading.

    Attributes
    ----------
    kind
        `cut` (shorter than the header says, or without the last page), `header_repaired` (the header gave no length),
        `damaged` (packets could not be decoded) or `channels_cancel` (one channel is used, because the average of all
        channels is silent).
    message
        Sentence for the user.
    data
        Values of the sentence, times in seconds.
    """

    kind: str
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)


def channels_cancel(name: str, at_s: float, channel: int) -> FileNotice:
    """Build the notice that from `at_s` seconds on only `channel` (counted from 1) is used."""
    message = (
        f"The channels of {name} cancel when they are averaged (one is inverted): from {clock(at_s)} on only channel "
        f"{channel} is used, until the average is audible again."
    )
    return FileNotice("channels_cancel", message, {"at_s": round(at_s, 3), "channel": channel})


def how_it_ended(
    name: str, file: BinaryIO, header: Header, read_s: float, promised_s: float | None, damaged: int
) -> FileNotice | None:
    """Build the notice about the end of a file, or return None if the file is complete.

    Parameters
    ----------
    name, file, header
        Name, open file and header of a file that was read to its end.
    read_s, promised_s
        Decoded length and announced length, in seconds; the latter None if unknown.
    damaged
        Number of packets that could not be decoded.
    """
    read = {"read_s": round(read_s, 3)}
    if header.unfinished:
        message = (
            f"The header of {name} was never completed, as after a crash of the recorder: the file was read to its "
            f"end, {clock(read_s)} of sound."
        )
        return FileNotice("header_repaired", message, read)
    missing = _missing(header, read_s, promised_s)
    if damaged > 1:
        lost = f" ({clock(missing)} of {clock(read_s + missing)})" if missing else ""
        message = f"{damaged} packets of {name}{lost} are damaged and were skipped."
        return FileNotice("damaged", message, {**read, "missing_s": round(missing, 3) or None, "pieces": damaged})
    if missing > 0:
        message = f"{name} is truncated: the last {clock(missing)} of {clock(read_s + missing)} are missing."
        return FileNotice("cut", message, {**read, "missing_s": round(missing, 3)})
    if damaged or (header.form == "Ogg" and not ogg_ended(file)):
        message = (
            f"{name} is truncated after {clock(read_s)}: its last packet is incomplete. The file does not say how much "
            "is missing."
        )
        return FileNotice("cut", message, {**read, "missing_s": None})
    return None


def _missing(header: Header, read_s: float, promised_s: float | None) -> float:
    """Compute the length that the file announces but does not contain, in seconds."""
    if header.missing > 0:
        return read_s * header.missing
    if promised_s is None or not header.length_known:
        return 0.0
    missing = promised_s - read_s
    return missing if missing > CUT_TOLERANCE_S else 0.0


def hours(seconds: float) -> str:
    """Format a length in seconds, or in hours if it is an hour or more."""
    return f"{seconds / 3600:,.1f} hours" if seconds >= 3600 else f"{seconds:,.0f} seconds"


def clock(seconds: float) -> str:
    """Format a length or a time in a file, in seconds or minutes."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)}:{seconds % 60:04.1f} min"
