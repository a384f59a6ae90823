"""The wire protocol between browser and kernel: what may be sent, and the check of everything that arrives.

Both sides speak JSON messages of one shape, ``{"type": …, …}``, some with one binary buffer.
`js/src/channel/messages.ts` mirrors this module; a test holds the two equal. Nothing here knows comms or threads.

A page is one front end that shows the widget: it makes up a random text (`page`) when it starts and sends it along.
Where several pages show one widget, only one of them can have a stream open at a time. Times `…_ms` are Unix time in
milliseconds on the clock of whoever sends.

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
file       {action: pause|resume|stop, reason, page}   what becomes of the file that plays, whoever has it; with a
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
model      {status: loading|ready|failed, name, detail, tokens, prefix, block, limit}
reset      {session}                     a new session began: forget the old events
problem    {code, message, detail, page, names, request, times}   something went wrong, said in one sentence; `detail`
                                         may hold a traceback; `page` is the page it is for, empty for all. `names`: the
                                         settings it is about; `request`: the number of the request that it answers, 0
                                         for none; `times`: how many problems of its code this message stands for
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import time
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..audio.intake import MAX_RATE, MIN_RATE
from ..errors import MessageError
from ..protocol import SAMPLE_RATE, Event
from . import fields
from .fields import MAX_COUNT, MAX_TEXT
from .page_file import PIECE_BYTES

__all__ = ["MAX_COUNT", "MAX_TEXT", "PROTOCOL_VERSION", "Message", "parse"]

PROTOCOL_VERSION = 3
HANDSHAKE = bytes((1, 2, 3, 4))
"""The buffer of a hello. Some hosts drop binary buffers; then the browser falls back to base64."""
MAX_BLOCK_BYTES = 2 * 1024 * 1024
"""A block is about 100 ms; a message above 10 MB would break the websocket."""
MAX_RANGE_BYTES = PIECE_BYTES
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

_BARE: Mapping[str, Message] = {"step": Step(), "interrupt": Interrupt(), "reset": Reset(), "poll": Poll()}


def parse(content: object, buffers: Buffers = ()) -> Message:
    """Check one browser message and return it typed.

    Raises
    ------
    MessageError
        Where the type is unknown, a field is missing or of the wrong type or size, or the buffer does not fit.
    """
    if not isinstance(content, Mapping):
        raise MessageError(f"A message must be an object with a type, not {type(content).__name__}.")
    kind = content.get("type")
    if kind == "block":
        return _block(content, buffers)
    if kind == "hello":
        binary = len(buffers) == 1 and bytes(buffers[0]) == HANDSHAKE
        protocol, seen = fields.whole(content, "protocol"), fields.whole(content, "seen")
        return Hello(protocol, seen, fields.text(content, "page"), _session(content.get("session")), binary)
    if kind == "open":
        return Open(
            fields.whole(content, "stream", low=1),
            fields.one_of(content, "source", SOURCES),  # type: ignore[arg-type]
            fields.text(content, "name"),
            fields.whole(content, "rate", low=MIN_RATE, high=MAX_RATE),
            fields.number(content, "tail_s", 0.0, MAX_TAIL_S),
            fields.text(content, "page"),
            fields.plain_object(content, "track", MAX_TRACK_BYTES),
        )
    if kind == "close":
        return Close(
            fields.whole(content, "stream", low=1),
            fields.whole(content, "blocks"),
            fields.one_of(content, "reason", CLOSE_REASONS),
            fields.text(content, "page"),
        )
    if kind == "play":
        return Play(
            fields.whole(content, "stream", low=1),
            fields.text(content, "name"),
            fields.whole(content, "size"),
            fields.one_of(content, "pace", PACES),  # type: ignore[arg-type]
            fields.number(content, "tail_s", 0.0, MAX_TAIL_S),
            fields.text(content, "page"),
        )
    if kind == "bytes":
        problem = fields.text(content, "problem")
        return Bytes(
            fields.whole(content, "stream", low=1),
            fields.whole(content, "offset"),
            problem,
            fields.text(content, "page"),
            b"" if problem else _payload(content, buffers, "a part of a file", MAX_RANGE_BYTES),
        )
    if kind == "file":
        return FileAction(
            fields.one_of(content, "action", FILE_ACTIONS),  # type: ignore[arg-type]
            fields.one_of(content, "reason", CLOSE_REASONS),
            fields.text(content, "page"),
        )
    if kind == "state":
        state = fields.one_of(content, "state", MIC_STATES)
        return MicState(state, fields.text(content, "problem"), fields.text(content, "message"))
    if kind == "set":
        return Set(fields.plain_object(content, "changes", MAX_CHANGES_BYTES), _request(content))
    if kind == "fetch":
        what, chunk = fields.one_of(content, "what", FETCHABLE), fields.whole(content, "chunk")
        return Fetch(what, chunk, _request(content))
    if kind == "loop":
        return Loop(fields.one_of(content, "mode", LOOP_MODES))  # type: ignore[arg-type]
    if isinstance(kind, str) and kind in _BARE:
        return _BARE[kind]
    raise MessageError(f"{fields.shown(kind)} is not a message type of protocol {PROTOCOL_VERSION}.")


def _request(content: Mapping[Any, Any]) -> int:
    """The number by which a page knows the answer again; 0 where it needs none."""
    return fields.whole(content, "request") if "request" in content else 0


def _session(value: object) -> int | None:
    """The number of a session. What is none, such as an id of another kernel's, is a session that never was."""
    if value is None:
        return None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT else -1


def _payload(content: Mapping[Any, Any], buffers: Buffers, what: str, most: int) -> bytes:
    """The bytes that travel with a message: in its one buffer, or as base64 where the host drops buffers."""
    if "data" in content:
        return fields.base64_bytes(content, "data", most)
    if len(buffers) != 1:
        raise MessageError(f"{what.capitalize()} needs exactly one buffer, not {len(buffers)}.")
    view = memoryview(buffers[0])
    if view.nbytes > most:
        raise MessageError(f"{what.capitalize()} of {view.nbytes} bytes is too large; at most {most} are taken.")
    return view.tobytes()


def _block(content: Mapping[Any, Any], buffers: Buffers) -> Block:
    dtype = np.dtype(FORMATS[fields.one_of(content, "format", tuple(FORMATS))])
    raw = _payload(content, buffers, "a block", MAX_BLOCK_BYTES)
    if len(raw) % dtype.itemsize:
        raise MessageError(f"A block of {len(raw)} bytes does not hold whole {dtype.name} samples.")
    samples = np.frombuffer(raw, dtype=dtype)
    if dtype.kind == "i":
        samples = samples.astype(np.float32) / np.float32(32768)
    return Block(
        fields.whole(content, "stream", low=1),
        fields.whole(content, "seq"),
        fields.whole(content, "rate", low=MIN_RATE, high=MAX_RATE),
        fields.number(content, "time_s", 0.0, 1e9),
        fields.number(content, "captured_ms", 0.0, MAX_MS) if "captured_ms" in content else 0.0,
        fields.number(content, "sent_ms", 0.0, MAX_MS) if "sent_ms" in content else 0.0,
        fields.number(content, "offset_ms", -MAX_MS, MAX_MS) if content.get("offset_ms") is not None else None,
        fields.flag(content, "gated"),
        fields.text(content, "page"),
        samples.astype(np.float32, copy=False),
    )


# Kernel → browser ----------------------------------------------------------------------------------------------------


def now_ms() -> float:
    """The kernel's clock as messages carry it."""
    return round(time() * 1e3, 1)


def welcome(
    hello: Hello,
    pull: bool,
    session: int,
    model: Mapping[str, Any],
    settings: Mapping[str, Any],
    live: Mapping[str, Any],
    loop: Mapping[str, Any],
    file: Mapping[str, Any],
) -> dict[str, Any]:
    """Answer to hello; `model` is what `model_status` takes. `first` is the number of the event that is told next."""
    return {
        "type": "welcome",
        "protocol": PROTOCOL_VERSION,
        "binary": hello.binary,
        "pull": pull,
        "session": session,
        "first": hello.seen,
        "page": hello.page,
        "now_ms": now_ms(),
        "model": {name: model[name] for name in ("status", "name", "detail")},
        "settings": dict(settings),
        "live": dict(live),
        "loop": dict(loop),
        **{name: model[name] for name in ("tokens", "prefix", "block", "limit")},
        "file": dict(file),
    }


def events(session: int, first: int, batch: Sequence[Event], waiting: int) -> dict[str, Any]:
    """Events in order, the first of them with index `first`."""
    return {
        "type": "events",
        "session": session,
        "first": first,
        "events": [event.to_json() for event in batch],
        "waiting": waiting,
        "now_ms": now_ms(),
    }


def ack(stream: int, seq: int) -> dict[str, Any]:
    """The newest block that was taken up."""
    return {"type": "ack", "stream": stream, "seq": seq, "now_ms": now_ms()}


def audio(fetch: Fetch, samples: npt.NDArray[np.float32] | None, binary: bool) -> tuple[dict[str, Any], list[bytes]]:
    """A chunk's samples (None: no longer kept), as a message and its buffers."""
    asked = {"type": "audio", "chunk": fetch.chunk, "request": fetch.request}
    message = {**asked, "rate": SAMPLE_RATE, "format": "int16", "ok": samples is not None}
    if samples is None:
        return message, []
    raw = np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()
    return (message, [raw]) if binary else ({**message, "data": base64.b64encode(raw).decode("ascii")}, [])


def need(stream: int, offset: int, length: int, page: str) -> dict[str, Any]:
    """Ask a page for a part of its file."""
    return {"type": "need", "stream": stream, "offset": offset, "length": length, "page": page}


def playing(file: Mapping[str, Any]) -> dict[str, Any]:
    """How far a file has come; `file` is what `FileStream.to_json` gives."""
    return {"type": "playing", **file}


def loop(mode: Mode, phase: str, chunk: int, waiting: int) -> dict[str, Any]:
    """The loop's state."""
    return {"type": "loop", "mode": mode, "phase": phase, "chunk": chunk, "waiting": waiting}


def reset(session: int) -> dict[str, Any]:
    """A new session began."""
    return {"type": "reset", "session": session}


def model_status(model: Mapping[str, Any]) -> dict[str, Any]:
    """How far loading is; `model` has status, name, detail, tokens, prefix, block and limit."""
    return {"type": "model", **model}


def problem(
    code: str, message: str, detail: str = "", page: str = "", names: Sequence[str] = (), request: int = 0
) -> dict[str, Any]:
    """Something went wrong, in one sentence."""
    said = {"type": "problem", "code": code, "message": message, "detail": detail, "page": page}
    return {**said, "names": list(names), "request": request, "times": 1}
