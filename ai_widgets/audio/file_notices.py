"""What is told about an audio file that was cut, damaged or mixed in an unusual way: a sentence and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from .headers import Header, ogg_ended

CUT_TOLERANCE_S = 0.25
"""Seconds by which a compressed file may be shorter than it says: encoders count their padding differently."""


@dataclass(frozen=True)
class FileNotice:
    """Something that was wrong with a file, or that reading it did to the sound.

    `kind` is `cut` (shorter than its header says, or without its last page), `header_repaired` (the header never told
    the length), `damaged` (pieces that could not be decoded) or `channels_cancel` (one channel was taken where the
    average of all would be silence); `message` a sentence, `data` the figures in seconds.
    """

    kind: str
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)


def channels_cancel(name: str, at_s: float, channel: int) -> FileNotice:
    """Say that from `at_s` on `channel` (counted from 1) is heard alone."""
    message = (
        f"The channels of {name} cancel when they are averaged (one is inverted): from {clock(at_s)} on only channel "
        f"{channel} is used, until the average is audible again."
    )
    return FileNotice("channels_cancel", message, {"at_s": round(at_s, 3), "channel": channel})


def how_it_ended(
    name: str, file: BinaryIO, header: Header, read_s: float, promised_s: float | None, damaged: int
) -> FileNotice | None:
    """Say how a file ended, or None where all of it was there.

    Parameters
    ----------
    name, file, header
        Of the file that was read to its end.
    read_s, promised_s
        Seconds that were decoded, and that the decoder had announced.
    damaged
        Packets that could not be decoded.
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
    """Seconds that the file promises and does not hold."""
    if header.missing > 0:
        return read_s * header.missing
    if promised_s is None or not header.length_known:
        return 0.0
    missing = promised_s - read_s
    return missing if missing > CUT_TOLERANCE_S else 0.0


def hours(seconds: float) -> str:
    """A length that may be huge, in words."""
    return f"{seconds / 3600:,.1f} hours" if seconds >= 3600 else f"{seconds:,.0f} seconds"


def clock(seconds: float) -> str:
    """A length or a time in a file, in words."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)}:{seconds % 60:04.1f} min"
