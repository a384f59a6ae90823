"""Messages of a page about branches: fork the session, drop a branch."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import UNSET, UnsetType

from .limits import AudioChange, Base64, Count, Span, Text
from .page_message import PageMessage


class SentFork(PageMessage, frozen=True, tag="fork"):
    """Request for a branch: the session's audio from a chunk on is decided again, with something changed.

    Attributes
    ----------
    chunk, until
        First chunk that is decided again, and the last one; null: the last one that the session has heard.
    span
        Number of chunks, from the first one on, whose decision is forced or whose audio is another.
    settings
        Settings from that chunk on by name, at most `MAX_CHANGES_BYTES`.
    force
        Decision at the chunks of the span, or empty.
    audio
        Change of the audio of the span.
    other
        First chunk of the span that it is exchanged with, or whose audio is heard in its place.
    request
        Number that the `branch` message repeats.
    data
        Samples in base64, float32 at 16 kHz, of hosts that drop buffers; else they are a buffer. They take the place
        of as many chunks as they fill; the last one is padded with silence.
    """

    chunk: Count
    until: Count | None = None
    span: Span = 1
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    force: Literal["", "TEXT_BEGIN", "KEEP_SILENCE"] = ""
    audio: AudioChange = ""
    other: Count = 0
    request: Count = 0
    page: Text = ""
    data: Base64 | UnsetType = UNSET


class Fork(msgspec.Struct, frozen=True):
    """`SentFork` with its samples decoded.

    Attributes
    ----------
    sent
        The message.
    samples
        float32 mono at 16 kHz, not checked for NaN yet; empty unless `audio` is `samples`.
    """

    sent: SentFork
    samples: npt.NDArray[np.float32]


class DropBranch(PageMessage, frozen=True, tag="drop_branch"):
    """Request to end a branch and keep it no longer.

    Attributes
    ----------
    branch
        Number of the branch.
    """

    branch: Count
