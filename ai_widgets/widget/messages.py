"""The wire protocol between browser and kernel: what may be sent, and the check of everything that arrives.

Both sides speak JSON messages of one shape, ``{"type": …, …}``, some with one binary buffer. `js/src/messages.ts`
mirrors this module; a test holds the two equal. Nothing here knows comms or threads.

Browser → kernel
----------------
hello      {protocol, seen}  + buffer 01 02 03 04. `seen`: how many events of the session the browser has already.
open       {stream, source: mic|file, name, rate, tail_s}   a stream begins; `stream` counts up from 1
block      {stream, seq, rate, format: int16|float32, time_s} + buffer (mono little-endian), or `data` in base64
close      {stream, blocks, reason}   no more blocks; `blocks` is how many were sent
state      {state, problem, message}   what the microphone is doing (state of `MIC_STATES`)
interrupt  {}       end the running reply
reset      {}       start a new session
poll       {}       ask for waiting messages (pull mode)

Kernel → browser
----------------
welcome    {protocol, binary, pull, session, model}     answer to hello; then all events from `seen` on
events     {session, first, events, waiting}  events in order from index `first` on; `waiting` counts the chunks
                                         that have arrived and are not yet decided
ack        {stream, seq}                 newest block that was taken up
model      {status: loading|ready|failed, name, detail}
reset      {session}                     a new session began: forget the old events
problem    {code, message, detail}       something went wrong, said in one sentence; `detail` may hold a traceback
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..audio import MAX_RATE, MIN_RATE
from ..errors import MessageError
from ..protocol import Event

PROTOCOL_VERSION = 1
HANDSHAKE = bytes((1, 2, 3, 4))
"""The buffer of a hello. Some hosts drop binary buffers; then the browser falls back to base64."""
MAX_BLOCK_BYTES = 2 * 1024 * 1024
"""A block is about 100 ms; a message above 10 MB would break the websocket."""
MAX_TEXT = 500
MAX_TAIL_S = 10.0
MAX_COUNT = 2**53
"""Largest whole number that a browser counts exactly."""

MIC_STATES = ("idle", "asking", "listening", "stopped", "error")
SOURCES = ("mic", "file")
FORMATS: Mapping[str, npt.DTypeLike] = {"int16": "<i2", "float32": "<f4"}
CLOSE_REASONS = ("stopped", "ended", "track_ended", "view_removed", "kernel_lost", "reset", "error")


@dataclass(frozen=True)
class Hello:
    protocol: int
    seen: int
    binary: bool


@dataclass(frozen=True)
class Open:
    stream: int
    source: Literal["mic", "file"]
    name: str
    rate: int
    tail_s: float


@dataclass(frozen=True)
class Block:
    """`samples`: float32 mono in [-1, 1] at `rate` Hz (int16 divided by 32768); not checked for NaN yet."""

    stream: int
    seq: int
    rate: int
    time_s: float
    samples: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Close:
    stream: int
    blocks: int
    reason: str


@dataclass(frozen=True)
class MicState:
    state: str
    problem: str
    message: str


@dataclass(frozen=True)
class Interrupt:
    pass


@dataclass(frozen=True)
class Reset:
    pass


@dataclass(frozen=True)
class Poll:
    pass


Message = Hello | Open | Block | Close | MicState | Interrupt | Reset | Poll


def parse(content: object, buffers: Sequence[bytes | bytearray | memoryview] = ()) -> Message:
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
        return Hello(_whole(content, "protocol"), _whole(content, "seen"), binary)
    if kind == "open":
        return Open(
            _whole(content, "stream", low=1),
            _one_of(content, "source", SOURCES),  # type: ignore[arg-type]
            _text(content, "name"),
            _whole(content, "rate", low=MIN_RATE, high=MAX_RATE),
            _number(content, "tail_s", 0.0, MAX_TAIL_S),
        )
    if kind == "close":
        return Close(
            _whole(content, "stream", low=1), _whole(content, "blocks"), _one_of(content, "reason", CLOSE_REASONS)
        )
    if kind == "state":
        return MicState(_one_of(content, "state", MIC_STATES), _text(content, "problem"), _text(content, "message"))
    if kind == "interrupt":
        return Interrupt()
    if kind == "reset":
        return Reset()
    if kind == "poll":
        return Poll()
    raise MessageError(f"{_shown(kind)} is not a message type of protocol {PROTOCOL_VERSION}.")


def _block(content: Mapping[Any, Any], buffers: Sequence[bytes | bytearray | memoryview]) -> Block:
    dtype = np.dtype(FORMATS[_one_of(content, "format", tuple(FORMATS))])
    if "data" in content:
        raw = _base64(content["data"])
    elif len(buffers) == 1:
        view = memoryview(buffers[0])
        if view.nbytes > MAX_BLOCK_BYTES:
            raise MessageError(f"A block of {view.nbytes} bytes is too large; at most {MAX_BLOCK_BYTES} are taken.")
        raw = view.tobytes()
    else:
        raise MessageError(f"A block needs exactly one buffer of samples, not {len(buffers)}.")
    if len(raw) % dtype.itemsize:
        raise MessageError(f"A block of {len(raw)} bytes does not hold whole {dtype.name} samples.")
    samples = np.frombuffer(raw, dtype=dtype)
    if dtype.kind == "i":
        samples = samples.astype(np.float32) / np.float32(32768)
    return Block(
        _whole(content, "stream", low=1),
        _whole(content, "seq"),
        _whole(content, "rate", low=MIN_RATE, high=MAX_RATE),
        _number(content, "time_s", 0.0, 1e9),
        samples.astype(np.float32, copy=False),
    )


def _base64(data: object) -> bytes:
    if not isinstance(data, str) or len(data) > MAX_BLOCK_BYTES * 4 // 3 + 4:
        raise MessageError(f"A block's data must be base64 text of at most {MAX_BLOCK_BYTES} bytes.")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MessageError("A block's data is not valid base64.") from error


def _whole(content: Mapping[Any, Any], name: str, low: int = 0, high: int = MAX_COUNT) -> int:
    value = content.get(name)
    # A JSON number may arrive as 3.0; a bool is an int in Python but not here.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise MessageError(f"{name} must be a whole number from {low} to {high}, not {_shown(value)}.")
    return value


def _number(content: Mapping[Any, Any], name: str, low: float, high: float) -> float:
    value = content.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise MessageError(f"{name} must be a number from {low:g} to {high:g}, not {_shown(value)}.")
    return float(value)


def _text(content: Mapping[Any, Any], name: str) -> str:
    value = content.get(name, "")
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise MessageError(f"{name} must be text of at most {MAX_TEXT} characters.")
    return value


def _one_of(content: Mapping[Any, Any], name: str, allowed: Sequence[str]) -> str:
    value = content.get(name)
    if not isinstance(value, str) or value not in allowed:
        raise MessageError(f"{name} must be one of {', '.join(allowed)}, not {_shown(value)}.")
    return value


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "…"


# Kernel → browser ----------------------------------------------------------------------------------------------------


def welcome(binary: bool, pull: bool, session: int, model: Mapping[str, Any]) -> dict[str, Any]:
    """Answer to hello."""
    return {
        "type": "welcome",
        "protocol": PROTOCOL_VERSION,
        "binary": binary,
        "pull": pull,
        "session": session,
        "model": dict(model),
    }


def events(session: int, first: int, batch: Sequence[Event], waiting: int) -> dict[str, Any]:
    """Events in order, the first of them with index `first`."""
    return {
        "type": "events",
        "session": session,
        "first": first,
        "events": [event.to_json() for event in batch],
        "waiting": waiting,
    }


def ack(stream: int, seq: int) -> dict[str, Any]:
    """The newest block that was taken up."""
    return {"type": "ack", "stream": stream, "seq": seq}


def reset(session: int) -> dict[str, Any]:
    """A new session began."""
    return {"type": "reset", "session": session}


def model_status(model: Mapping[str, Any]) -> dict[str, Any]:
    """How far loading is; `model` has status, name and detail."""
    return {"type": "model", **model}


def problem(code: str, message: str, detail: str = "") -> dict[str, Any]:
    """Something went wrong, in one sentence."""
    return {"type": "problem", "code": code, "message": message, "detail": detail}
