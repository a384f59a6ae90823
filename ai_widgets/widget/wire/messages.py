"""Messages that a page sends to the kernel, as typed structs with the limits of every field (`limits`).

Both sides send JSON messages of one shape, ``{"type": …, …}``, some with one binary buffer. `kernel_messages` declares
the other direction. The page's types are generated from both modules (`tests/wire_schema.py`). `parsing` decodes what
arrives. The modules know neither comms nor threads.

A page is one front end that shows the widget; it chooses a random text (`page`) when it starts and sends it in most
messages. Where several pages show one widget, only one of them can have a stream open at a time. Times `…_ms` are Unix
time in milliseconds on the sender's clock. A field with a default may be missing in a message of another program; this
package's page sends all fields except those that are UNSET by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import UNSET, Meta, UnsetType

from .branch_messages import DropBranch, Fork, SentFork
from .clip_message import PlayClip
from .engine_messages import ENGINE, EngineBegin, EngineChunk, EngineEvents, EngineFile
from .limits import (
    MAX_MS,
    MAX_SECONDS,
    Base64,
    CloseReason,
    Count,
    MicPhase,
    Milliseconds,
    Mode,
    Pace,
    Rate,
    SampleFormat,
    SessionNumber,
    StreamNumber,
    TailSeconds,
    Text,
)
from .page_message import PageMessage
from .recording_messages import Analyse, Load, Part, Release, Replay, Save, Unload


class SentHello(PageMessage, frozen=True, tag="hello"):
    """First message of a page, answered by `welcome`; sent with the buffer `HANDSHAKE`.

    Attributes
    ----------
    protocol
        The page's `PROTOCOL_VERSION`.
    seen
        Number of events of `session` that the page holds.
    session
        Session that the page knows, or null; of any other session than the kernel's it holds no events.
    """

    protocol: Count
    seen: Count
    page: Text = ""
    session: SessionNumber = None


class Open(PageMessage, frozen=True):
    """Beginning of a stream of a microphone.

    Attributes
    ----------
    stream
        Number of the stream, counted up from 1 by the page.
    source
        Kind of the source.
    name, rate
        Name of the device, and its sample rate in Hz.
    tail_s
        Seconds of silence that follow the stream.
    track
        The track's settings as the browser reports them, at most `MAX_TRACK_BYTES`.
    """

    stream: StreamNumber
    source: Literal["mic"]
    name: Text
    rate: Rate
    tail_s: TailSeconds
    page: Text = ""
    track: dict[str, Any] = msgspec.field(default_factory=dict)


class SentBlock(PageMessage, frozen=True, tag="block"):
    """Block of a stream's audio, sent with a buffer of mono little-endian samples.

    Attributes
    ----------
    stream, seq
        Stream, and number of the block in the stream, counted from 0.
    rate, format
        Sample rate in Hz, and type of the samples.
    time_s
        Seconds of the audio clock at the first sample.
    captured_ms, sent_ms
        Times at which the last sample was captured and the message was sent; 0 if unknown.
    offset_ms
        The kernel's clock minus the page's, as the page estimates it; null if it cannot.
    gated
        Whether the page has silenced the block.
    data
        Samples in base64, from a host that drops buffers.
    """

    stream: StreamNumber
    seq: Count
    rate: Rate
    format: SampleFormat
    time_s: Annotated[float, Meta(ge=0.0, le=MAX_SECONDS)]
    captured_ms: Milliseconds = 0.0
    sent_ms: Milliseconds = 0.0
    offset_ms: Annotated[float, Meta(ge=-MAX_MS, le=MAX_MS)] | None = None
    gated: bool = False
    page: Text = ""
    data: Base64 | UnsetType = UNSET


class Close(PageMessage, frozen=True):
    """End of a stream.

    Attributes
    ----------
    stream, blocks
        Stream, and number of blocks that were sent.
    reason
        Reason of the end.
    """

    stream: StreamNumber
    blocks: Count
    reason: CloseReason
    page: Text = ""


class Play(PageMessage, frozen=True):
    """Announcement of a file that the page holds; the kernel asks for its parts with `need`.

    Attributes
    ----------
    stream
        Number of the stream, counted as in `open`.
    name, size
        Name of the file, and its size in bytes.
    pace
        Pace at which it is played.
    tail_s
        Seconds of silence that follow the file.
    """

    stream: StreamNumber
    name: Text
    size: Count
    pace: Pace
    tail_s: TailSeconds
    page: Text = ""


class SentBytes(PageMessage, frozen=True, tag="bytes"):
    """Answer to `need`, sent with a buffer: a part of the file that was announced with `play`.

    Attributes
    ----------
    stream, offset
        Stream of the file, and offset of the part in bytes.
    problem
        Reason why the browser can no longer read the file; empty if it can.
    data
        Part of the file in base64, from a host that drops buffers.
    """

    stream: StreamNumber
    offset: Count
    problem: Text = ""
    page: Text = ""
    data: Base64 | UnsetType = UNSET


class FileAction(PageMessage, frozen=True, tag="file"):
    """Request to pause, resume or stop the file that plays.

    Attributes
    ----------
    action
        What to do.
    reason
        `stopped` stops a file of any source; another reason only a file that this page holds.
    """

    action: Literal["pause", "resume", "stop"]
    reason: CloseReason
    page: Text = ""


class MicState(PageMessage, frozen=True, tag="state"):
    """State of the page's microphone.

    Attributes
    ----------
    state
        Phase of the recording.
    problem, message
        Code of what hinders the microphone, and its sentence; both empty if nothing does.
    """

    state: MicPhase
    problem: Text = ""
    message: Text = ""


class Set(PageMessage, frozen=True):
    """Change of settings of the session and of the widget. The synced traits answer; a `problem` answers a refusal.

    Attributes
    ----------
    changes
        Values by name, at most `MAX_CHANGES_BYTES`.
    request
        Number that a `problem` with the code `setting` repeats; 0 if the page needs no answer.
    """

    changes: dict[str, Any] = msgspec.field(default_factory=dict)
    request: Count = 0


class Fetch(PageMessage, frozen=True):
    """Request for the samples of a chunk, answered by `audio` with the same `request`.

    Attributes
    ----------
    what
        Kind of the data.
    chunk
        Index of the chunk.
    request
        Number that the answer repeats.
    """

    what: Literal["audio"]
    chunk: Count
    request: Count = 0


class Loop(PageMessage, frozen=True):
    """Change of the loop's mode.

    Attributes
    ----------
    mode
        New mode: run freely, pause before the next phase, or do one phase for each `step`.
    """

    mode: Mode


class Step(PageMessage, frozen=True):
    """Request for the next phase: perceive, decide or respond."""


class Interrupt(PageMessage, frozen=True):
    """Request to end the running reply."""


class Reset(PageMessage, frozen=True):
    """Request for a new session."""


class Poll(PageMessage, frozen=True):
    """Request for the queued messages, in pull mode."""


SENT: tuple[type[PageMessage], ...] = (
    *(SentHello, Open, SentBlock, Close, Play, PlayClip, SentBytes, FileAction, MicState, Set, Fetch, Loop),
    *(Step, Interrupt, Reset, Poll),
    *(SentFork, DropBranch),
    *(Save, Part, Release, Load, Unload, Replay, Analyse),
    *ENGINE,
)
"""All messages of a page, as they are sent."""


class Hello(msgspec.Struct, frozen=True):
    """`SentHello` with its buffer compared.

    Attributes
    ----------
    protocol, seen, page
        As in `SentHello`.
    session
        Session that the page knows; None if it holds no events, −1 if it is no session of this kernel.
    binary
        Whether buffers arrive unchanged.
    """

    protocol: int
    seen: int
    page: str
    session: int | None
    binary: bool


class Block(msgspec.Struct, frozen=True):
    """`SentBlock` with its samples decoded.

    Attributes
    ----------
    stream, seq, rate, time_s, captured_ms, sent_ms, offset_ms, gated, page
        As in `SentBlock`.
    samples
        float32 mono in [-1, 1] at `rate` Hz (int16 divided by 32768), not checked for NaN yet.
    """

    stream: int
    seq: int
    rate: int
    time_s: float
    captured_ms: float
    sent_ms: float
    offset_ms: float | None
    gated: bool
    page: str
    samples: npt.NDArray[np.float32]


class Bytes(msgspec.Struct, frozen=True):
    """`SentBytes` with its part of the file decoded; `data` is empty if there is a `problem`."""

    stream: int
    offset: int
    problem: str
    page: str
    data: bytes


Message = (
    Hello | Open | Block | Close | Play | PlayClip | Bytes | FileAction | MicState | Set | Fetch | Loop | Step
    | Interrupt | Reset | Poll | Fork | DropBranch | Save | Part | Release | Load | Unload | Replay | Analyse
    | EngineFile | EngineBegin | EngineEvents | EngineChunk
)  # fmt: skip
Buffers = Sequence[bytes | bytearray | memoryview]
