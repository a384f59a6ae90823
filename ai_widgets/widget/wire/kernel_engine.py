"""Messages that the kernel sends to pages that run the engine (``engine="page"``).

`welcome` answers the hello of such a page too; its `first` is the number of events that the kernel's record has, of
which none is sent. A page that finds more than 0 may ask for the record with `save`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from .kernel_message import KernelMessage
from .limits import Base64

EngineAction = Literal["pause", "run", "step", "interrupt", "reset"]
"""What Python asks of the session in the page."""


class OfferedFile(msgspec.Struct, frozen=True):
    """File of the engine that a page may ask for.

    Attributes
    ----------
    name
        Name of the file, with its folder as in a static page.
    bytes, sha256
        Size and SHA-256 (hexadecimal) of what is sent.
    gzip
        Whether it is sent compressed with gzip.
    """

    name: str
    bytes: int
    sha256: str
    gzip: bool


class EngineFiles(KernelMessage, frozen=True, tag="engine_files"):
    """List of the engine's files, sent when the model is loaded and exported, and after each later `welcome`.

    Attributes
    ----------
    files
        All files. A page keeps each under its `sha256`, and asks only for those that it lacks.
    """

    files: Sequence[OfferedFile]


class EnginePart(KernelMessage, frozen=True, tag="engine_part"):
    """Answer to `engine_file`, with at most `MAX_RANGE_BYTES` of the file in a buffer.

    Attributes
    ----------
    page, name, offset
        As in the `engine_file`.
    last
        Whether the file ends with this part.
    ok
        Whether there is such a part; without it the message has no buffer.
    data
        Part of the file in base64, to a host that drops buffers.
    """

    page: str
    name: str
    offset: int
    last: bool
    ok: bool
    data: Base64 | UnsetType = UNSET


class EngineTaken(KernelMessage, frozen=True, tag="engine_taken"):
    """Acknowledgement: what the kernel has of a session. The page continues from there.

    Attributes
    ----------
    page, session
        Name of the page, and number of its session.
    begun
        Whether the kernel has this session; if not, the page sends `engine_begin` first.
    events, chunks
        Number of events, and of chunks whose audio was taken or is missing.
    problem
        Sentence that says why a message of this session was refused, or empty. Where `refused` is true the page sends
        no more of this session.
    refused
        Whether the session cannot be continued: what the page sent at this place is no valid session.
    """

    page: str
    session: int
    begun: bool
    events: int
    chunks: int
    problem: str = ""
    refused: bool = False


class EngineControl(KernelMessage, frozen=True, tag="engine_control"):
    """Request of Python to the page that owns the widget; before a page owns it, to all pages.

    Attributes
    ----------
    page
        Name of the page, or empty.
    action
        What the session in the page should do.
    """

    page: str
    action: EngineAction


class EngineSet(KernelMessage, frozen=True, tag="engine_set"):
    """Change of settings by Python, for the page that owns the widget; before a page owns it, for all pages.

    Attributes
    ----------
    page
        Name of the page, or empty.
    changes
        Values by name, which the kernel has checked.
    """

    page: str
    changes: Mapping[str, Any]


class EngineElsewhere(KernelMessage, frozen=True, tag="engine_elsewhere"):
    """Notice that a page no longer owns the widget, since another page began a session: it ends its recording.

    Attributes
    ----------
    page
        Name of the page that owned it.
    """

    page: str


FOR_ENGINES: tuple[type[KernelMessage], ...] = (
    *(EngineFiles, EnginePart, EngineTaken, EngineControl, EngineSet, EngineElsewhere),
)
"""All messages that a page with an engine receives beside the others."""
