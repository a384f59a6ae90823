"""The wire protocol between browser and kernel: what may be sent, and the check of everything that arrives.

Both sides speak JSON messages of one shape, ``{"type": …, …}``, some with one binary buffer.
`js/src/channel/messages.ts` mirrors this module; a test holds the two equal. `parsing` makes the structs below of what
arrives, `outgoing` makes the messages that leave. Nothing here knows comms or threads.

A page is one front end that shows the widget: it makes up a random text (`page`) when it starts and sends it along.
Where several pages show one widget, only one of them can have a stream open at a time. Times `…_ms` are Unix time in
milliseconds on the sender's clock.

Browser → kernel
----------------
hello      {protocol, seen, page, session}  + buffer 01 02 03 04. `seen`: how many events of the session `session` (or
                                         null) the page has already; of another session they count as none
open       {stream, source: mic|file, name, rate, tail_s, page, track}   a stream begins; `stream` counts up from 1;
                                         `track`: the track's settings as the browser reports them, at most 2 kB
block      {stream, seq, rate, format: int16|float32, time_s, captured_ms, sent_ms, offset_ms, gated, page} + buffer
                                         (mono little-endian), or `data` in base64. `time_s`: audio clock of its first
                                         sample, `captured_ms`: wall clock of its last; `offset_ms`: the kernel's clock
                                         minus the page's, as the page estimates it, or null; `gated`: the page has
                                         silenced it
close      {stream, blocks, reason, page}   no more blocks; `blocks` is how many were sent
play       {stream, name, size, pace: fast|realtime, tail_s, page}   a file of `size` bytes is there to be read; the
                                         kernel asks for its parts with `need`. `stream` counts as in `open`
bytes      {stream, offset, problem, page} + buffer, or `data` in base64: answer to `need`; `problem` says why the
                                         browser cannot read the file any more, empty where it can
file       {action: pause|resume|stop, reason, page}   hold, continue or end the file that plays, of any source; with a
                                         `reason` other than `stopped` only of a file of this page
state      {state, problem, message}   what the microphone is doing (state of `MIC_STATES`); `problem` is the code of
                                         what hinders it, `message` its sentence
set        {changes, request}    change settings by name, those of the session and the live ones; answered by the synced
                                         traits, and where a change is refused by a `problem` with the code `setting`
                                         and the same `request`
fetch      {what: audio, chunk, request}   ask for a chunk's samples; answered by an `audio` with the same `request`
loop       {mode: run|pause|step}   run freely, hold before the next phase, or do one phase a `step`
step       {}       do the next phase: perceive, decide or respond
interrupt  {}       end the running reply
reset      {}       start a new session
poll       {}       ask for waiting messages (pull mode)

Kernel → browser
----------------
welcome    {protocol, binary, pull, session, first, page, now_ms, model, settings, live, loop, file, tokens, prefix,
                                         block, limit}
                                         answer to hello, for the page that said it; then all events from `first` on,
                                         which is `seen` unless too many would follow. `tokens`:
                                         ids of the special tokens by name; `prefix`: id and text of each token a bare
                                         context begins with; `block`: name, id and count of each part of a chunk's
                                         block of tokens, encoder frames under the name FRAMES; `limit`: positions of
                                         the context (empty and 0 until the model is loaded); `file`: newest
                                         `playing` message, or empty
events     {session, first, events, waiting, now_ms}  events in order from index `first` on; `waiting` counts the chunks
                                         that have arrived and are not yet decided
ack        {stream, seq, now_ms}         newest block that was taken up
audio      {chunk, request, rate, format, ok}     a chunk's samples in a buffer (int16), or as `data` in base64;
                                         without them where `ok` is false: no longer kept
need       {stream, offset, length, page}   send these bytes of the file that `play` announced
playing    {name, page, state: opening|playing|held|ended|stopped|failed, pace, position_s, seconds, speed, left_s}
                                         how far a file has come; `seconds`, `speed` (× real time) and `left_s` are null
                                         where they are not known. `page` holds it, empty: the kernel reads it from disk
loop       {mode, phase, chunk, waiting}   the loop's state: the phase that was done last or runs, and its chunk
model      {status: loading|ready|failed, kind: model|policy, name, detail, tokens, prefix, block, limit}
reset      {session}                     a new session began: forget the old events
problem    {code, message, detail, page, names, request, times}   something went wrong, said in one sentence; `detail`
                                         may hold a traceback; `page` is the page it is for, empty for all. `names`: the
                                         settings it is about; `request`: the number of the request that it answers, 0
                                         for none; `times`: how many problems of its code this message stands for
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

PROTOCOL_VERSION = 3
HANDSHAKE = bytes((1, 2, 3, 4))
"""The buffer of a hello. Some hosts drop binary buffers; then the browser falls back to base64."""
MAX_BLOCK_BYTES = 2 * 1024 * 1024
"""A block is about 100 ms; a message above 10 MB would break the websocket."""
MAX_RANGE_BYTES = 512 * 1024
"""Bytes of a page's file in one message: below the websocket limit of 10 MB with base64's third added, and less than
0.5 s at 10 Mbit/s, so that the first part of a file arrives soon."""
MAX_TAIL_S = 10.0
MAX_TRACK_BYTES = 2048
MAX_CHANGES_BYTES = 65_536
"""A system prompt is the longest setting."""
MAX_MS = 1e14

MIC_STATES = ("idle", "asking", "listening", "paused", "stopped", "error")
SOURCES = ("mic", "file")
FORMATS: Mapping[str, npt.DTypeLike] = {"int16": "<i2", "float32": "<f4"}
CLOSE_REASONS = ("stopped", "ended", "track_ended", "view_removed", "kernel_lost", "reset", "stalled", "error")
Pace = Literal["fast", "realtime"]
PACES: tuple[Pace, ...] = ("fast", "realtime")
"""`fast`: as fast as chunks are decided; `realtime`: no faster than it would be spoken."""
FILE_ACTIONS = ("pause", "resume", "stop")
LOOP_MODES = ("run", "pause", "step")
FETCHABLE = ("audio",)

Mode = Literal["run", "pause", "step"]


@dataclass(frozen=True)
class Hello:
    """`session` is None where the page holds no events, -1 where it names none of ours."""

    protocol: int
    seen: int
    page: str
    session: int | None
    binary: bool


@dataclass(frozen=True)
class Open:
    stream: int
    source: Literal["mic", "file"]
    name: str
    rate: int
    tail_s: float
    page: str
    track: Mapping[str, Any]


@dataclass(frozen=True)
class Block:
    """`samples`: float32 mono in [-1, 1] at `rate` Hz (int16 divided by 32768); not checked for NaN yet.

    Times are Unix time in milliseconds on the page's clock, 0 where it does not tell them. `offset_ms` is the kernel's
    clock minus the page's as the page estimates it, None where it cannot.
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


@dataclass(frozen=True)
class Close:
    stream: int
    blocks: int
    reason: str
    page: str


@dataclass(frozen=True)
class Play:
    stream: int
    name: str
    size: int
    pace: Pace
    tail_s: float
    page: str


@dataclass(frozen=True)
class Bytes:
    """`data`: a part of the file of (`page`, `stream`), empty where `problem` says why there is none."""

    stream: int
    offset: int
    problem: str
    page: str
    data: bytes


@dataclass(frozen=True)
class FileAction:
    action: Literal["pause", "resume", "stop"]
    reason: str
    page: str


@dataclass(frozen=True)
class MicState:
    state: str
    problem: str
    message: str


@dataclass(frozen=True)
class Set:
    changes: Mapping[str, Any]
    request: int


@dataclass(frozen=True)
class Fetch:
    what: str
    chunk: int
    request: int


@dataclass(frozen=True)
class Loop:
    mode: Mode


@dataclass(frozen=True)
class Step:
    pass


@dataclass(frozen=True)
class Interrupt:
    pass


@dataclass(frozen=True)
class Reset:
    pass


@dataclass(frozen=True)
class Poll:
    pass


Message = (
    Hello
    | Open
    | Block
    | Close
    | Play
    | Bytes
    | FileAction
    | MicState
    | Set
    | Fetch
    | Loop
    | Step
    | Interrupt
    | Reset
    | Poll
)
Buffers = Sequence[bytes | bytearray | memoryview]
