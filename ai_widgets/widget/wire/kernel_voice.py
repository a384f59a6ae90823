"""Message that the kernel sends about its voice: the sound of a reply."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from .kernel_message import KernelMessage
from .limits import Base64


class Voice(KernelMessage, frozen=True):
    """Part of the sound of a reply, which text-to-speech in the kernel made, with the samples in a buffer.

    Attributes
    ----------
    turn
        Index of the reply in the session.
    page
        Page that plays it.
    rate, format
        Sample rate in Hz, and type of the samples.
    part, parts
        Index of this part, and number of parts, which follow in order.
    data
        Samples in base64, to a host that drops buffers.
    """

    turn: int
    page: str
    rate: int
    format: Literal["int16"]
    part: int
    parts: int
    data: Base64 | UnsetType = UNSET
