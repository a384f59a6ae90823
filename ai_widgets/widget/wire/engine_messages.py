"""Messages of a page that runs the engine (``engine="page"``): it asks for files, and delivers events and audio.

The page owns the session. It numbers its sessions from 1, begins one here with its first event (the record of another
one stays until then), and keeps what the kernel has not acknowledged with `engine_taken`. At most `MAX_UNDER_WAY`
messages with events or audio may wait for their acknowledgement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import UNSET, Meta, UnsetType

from .limits import MAX_COUNT, MAX_ENGINE_EVENTS, Base64, Count, Mode, StreamNumber, Text
from .page_message import PageMessage


class EngineFile(PageMessage, frozen=True, tag="engine_file"):
    """Request for a part of a file that `engine_files` offered, answered by `engine_part`.

    Attributes
    ----------
    name
        Name of the file.
    offset
        Offset of the part in bytes of what is sent, so of the compressed file where it is compressed.
    """

    page: Text
    name: Text
    offset: Count


class EngineBegin(PageMessage, frozen=True, tag="engine_begin"):
    """Notice that the page begins a session, answered by `engine_taken`: the kernel begins a new record for it.

    The page owns the widget from then on; a page that owned it before is told with `engine_elsewhere`. A session that
    the kernel has already is continued: nothing that was taken is lost.

    Attributes
    ----------
    session
        Number of the session, counted from 1 in this page.
    settings, live
        Settings of the session at its beginning, and of the widget, by name; each at most `MAX_CHANGES_BYTES`.
    runtime
        What computes in the page, such as `onnxruntime-web 1.30.0`, for the heading of the record.
    """

    page: Text
    session: StreamNumber
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    live: dict[str, Any] = msgspec.field(default_factory=dict)
    runtime: Text = ""


class EngineEvents(PageMessage, frozen=True, tag="engine_events"):
    """Events of the page's session in order, and the state of its loop; answered by `engine_taken`.

    Attributes
    ----------
    session
        Number of the session.
    first
        Index of the first event among those of the session.
    mode, phase, chunk, waiting
        As in the kernel's `loop` and `events`.
    events
        At most `MAX_ENGINE_EVENTS` events, and at most `MAX_ENGINE_BYTES` of JSON. Without events the message reports
        the state of the loop only.
    """

    page: Text
    session: StreamNumber
    first: Count
    mode: Mode
    phase: Literal["", "perceive", "decide", "respond"]
    chunk: Annotated[int, Meta(ge=-1, le=MAX_COUNT)]
    waiting: Count
    events: Annotated[Sequence[dict[str, Any]], Meta(max_length=MAX_ENGINE_EVENTS)]


class SentEngineChunk(PageMessage, frozen=True, tag="engine_chunk"):
    """Audio of one chunk as the model heard it, sent with a buffer of 6,400 little-endian float32 samples at 16 kHz.

    Answered by `engine_taken`. Audio follows the `chunk` event that it belongs to, in order of the chunks.

    Attributes
    ----------
    session, chunk
        Number of the session, and index of the chunk.
    missing
        Whether the page keeps the audio no longer; the message has no buffer then.
    data
        Samples in base64, from a host that drops buffers.
    """

    page: Text
    session: StreamNumber
    chunk: Count
    missing: bool = False
    data: Base64 | UnsetType = UNSET


ENGINE: tuple[type[PageMessage], ...] = (EngineFile, EngineBegin, EngineEvents, SentEngineChunk)
"""All messages of a page that runs the engine, as they are sent."""


class EngineChunk(msgspec.Struct, frozen=True):
    """`SentEngineChunk` with its samples decoded.

    Attributes
    ----------
    page, session, chunk
        As in `SentEngineChunk`.
    samples
        float32 mono at 16 kHz, 6,400 finite values; None where the page keeps them no longer.
    """

    page: str
    session: int
    chunk: int
    samples: npt.NDArray[np.float32] | None
