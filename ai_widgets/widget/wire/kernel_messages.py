"""Messages that the kernel sends to its pages, as typed structs. `outgoing` builds them, with all fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from ...protocol import Chunk, Decision, Notice, Timing, Token, Turn
from .kernel_engine import FOR_ENGINES
from .kernel_message import KernelMessage
from .kernel_recordings import Analysed, FilePart, Recording, Replayed, Saved
from .kernel_voice import Voice
from .limits import Base64, BranchStatus, FileState, Mode, Pace

AnyEvent = Chunk | Decision | Token | Turn | Notice | Timing
LoadingStatus = Literal["loading", "ready", "failed"]
ModelKind = Literal["model", "policy"]


class ModelInfo(msgspec.Struct, frozen=True):
    """Status of the model, in `welcome` and in the trait `model_info`.

    Attributes
    ----------
    status, kind, name
        Progress of loading, kind and name of the model. A `policy` is a baseline without tokens, logits and context.
    detail
        Sentence; or `done` and `total` in bytes while files are downloaded; of a class server, the sentence as `text`
        and the `header` of a record.
    """

    status: LoadingStatus
    kind: ModelKind
    name: str
    detail: str | Mapping[str, Any]


class Welcome(KernelMessage, frozen=True):
    """Answer to `hello`, for the page that sent it. All events from `first` on follow.

    Attributes
    ----------
    protocol
        The kernel's `PROTOCOL_VERSION`.
    binary, pull
        Whether buffers are sent, and whether the page must poll.
    session, first
        Number of the session, and index of the next event: `seen` of the hello, or more if too many would follow.
    page, now_ms
        Name of the page, and the kernel's clock.
    model
        Status of the model.
    settings, live
        Settings of the session and of the widget by name.
    loop, file, recording, replayed
        Fields of the newest messages `loop`, `playing`, `recording` and `replayed`; `file` is empty if there was none.
    tokens, prefix, block, limit
        As in `model`.
    """

    protocol: int
    binary: bool
    pull: bool
    session: int
    first: int
    page: str
    now_ms: float
    model: ModelInfo
    settings: Mapping[str, Any]
    live: Mapping[str, Any]
    loop: Mapping[str, Any]
    tokens: Mapping[str, int]
    prefix: Sequence[tuple[int, str]]
    block: Sequence[tuple[str, int, int]]
    limit: int
    file: Mapping[str, Any]
    recording: Mapping[str, Any]
    replayed: Mapping[str, Any]


class Events(KernelMessage, frozen=True):
    """Events in order.

    Attributes
    ----------
    session, first
        Number of the session, and index of the first event.
    events
        Events of the record.
    waiting
        Number of chunks that have arrived and are not yet decided.
    now_ms
        The kernel's clock.
    """

    session: int
    first: int
    events: Sequence[AnyEvent]
    waiting: int
    now_ms: float


class Ack(KernelMessage, frozen=True):
    """Newest block that the pipeline took up.

    Attributes
    ----------
    stream, seq
        Stream and number of the block.
    now_ms
        The kernel's clock.
    """

    stream: int
    seq: int
    now_ms: float


class Audio(KernelMessage, frozen=True):
    """Answer to `fetch`, with the samples of a chunk in a buffer.

    Attributes
    ----------
    chunk, request
        As in the `fetch`.
    rate, format
        Sample rate in Hz, and type of the samples.
    ok
        Whether the samples are still kept.
    data
        Samples in base64, to a host that drops buffers.
    """

    chunk: int
    request: int
    rate: int
    format: Literal["int16"]
    ok: bool
    data: Base64 | UnsetType = UNSET


class Need(KernelMessage, frozen=True):
    """Request for a part of the file that `play` announced.

    Attributes
    ----------
    stream, offset, length
        Stream of the file, and the part in bytes.
    page
        Name of the page that holds the file.
    """

    stream: int
    offset: int
    length: int
    page: str


class Playing(KernelMessage, frozen=True):
    """Position of the file that plays.

    Attributes
    ----------
    name, page
        Name of the file, and the page that holds it; empty if the kernel reads it from disk.
    state, pace
        State of the file, and its pace.
    position_s, seconds
        Decided seconds, and length in seconds; null if unknown.
    speed, left_s
        Speed in multiples of real time, and seconds until the end; null if unknown.
    """

    name: str
    page: str
    state: FileState
    pace: Pace
    position_s: float
    seconds: float | None
    speed: float | None
    left_s: float | None


class LoopState(KernelMessage, frozen=True, tag="loop"):
    """State of the loop.

    Attributes
    ----------
    mode
        Mode of the loop.
    phase, chunk
        Phase that runs or was done last, and its chunk; empty and −1 before the first.
    waiting
        Number of chunks that have arrived and are not yet decided.
    """

    mode: Mode
    phase: str
    chunk: int
    waiting: int


class ModelStatus(KernelMessage, frozen=True, tag="model"):
    """Status of the model, and its tokens.

    Attributes
    ----------
    status, kind, name, detail
        As in `ModelInfo`.
    tokens
        Ids of the special tokens by name.
    prefix
        Id and text of each token that an empty context begins with.
    block
        Name, id and count of each part of a chunk's block of tokens; encoder frames have the name FRAMES.
    limit
        Positions of the context; 0 until the model is loaded.
    """

    status: LoadingStatus
    kind: ModelKind
    name: str
    detail: str | Mapping[str, Any]
    tokens: Mapping[str, int]
    prefix: Sequence[tuple[int, str]]
    block: Sequence[tuple[str, int, int]]
    limit: int


class NewSession(KernelMessage, frozen=True, tag="reset"):
    """Beginning of a new session, or of another record that is shown: the page discards the old events.

    Attributes
    ----------
    session
        Number of the new session.
    first
        Index of the next event: above 0 where too many would follow.
    """

    session: int
    first: int


class BranchState(KernelMessage, frozen=True, tag="branch"):
    """State of a branch: a fork of the session that runs beside it.

    Attributes
    ----------
    branch, request
        Number of the branch, and of the `fork` that asked for it; 0 for Python.
    chunk, until
        First chunk that is decided again, and the last one; null: the last one that the session had heard.
    changed
        What it changes, in words.
    state
        State of the branch; `dropped`: it is kept no longer.
    first_difference, differs_at
        First decision, token or reply that differs from the original's, in words, and its chunk; empty and null if
        there is none, or the branch has not ended.
    message
        Sentence of what it failed with, or empty.
    """

    branch: int
    request: int
    chunk: int
    until: int | None
    changed: str
    state: BranchStatus | Literal["dropped"]
    first_difference: str
    differs_at: int | None
    message: str


class BranchEvents(KernelMessage, frozen=True, tag="branch_events"):
    """Events of a branch in order, without those that it shares with the original.

    Attributes
    ----------
    branch, first
        Number of the branch, and index of the first event among its own.
    events
        Events of its record.
    """

    branch: int
    first: int
    events: Sequence[AnyEvent]


class Problem(KernelMessage, frozen=True):
    """Problem in one sentence.

    Attributes
    ----------
    code, message
        Word for programs, and the sentence.
    detail
        Traceback, or empty.
    page
        Page that it is for; empty for all.
    names
        Settings that it is about.
    request
        Number of the request that it answers; 0 for none.
    times
        Number of problems of its code that this message stands for.
    """

    code: str
    message: str
    detail: str
    page: str
    names: Sequence[str]
    request: int
    times: int


RECEIVED: tuple[type[KernelMessage], ...] = (
    *(Welcome, Events, Ack, Audio, Need, Playing, LoopState, ModelStatus, NewSession, BranchState),
    *(BranchEvents, Problem),
    *(Saved, FilePart, Recording, Replayed, Analysed),
    Voice,
    *FOR_ENGINES,
)
"""All messages that a page receives."""
