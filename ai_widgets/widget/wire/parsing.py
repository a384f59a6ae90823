"""Check of everything that a page sends: a typed message, or a `MessageError` that says what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...audio.intake import MAX_RATE, MIN_RATE
from ...errors import MessageError
from . import fields
from .fields import MAX_COUNT
from .messages import (
    CLOSE_REASONS,
    FETCHABLE,
    FILE_ACTIONS,
    FORMATS,
    HANDSHAKE,
    LOOP_MODES,
    MAX_BLOCK_BYTES,
    MAX_CHANGES_BYTES,
    MAX_MS,
    MAX_RANGE_BYTES,
    MAX_TAIL_S,
    MAX_TRACK_BYTES,
    MIC_STATES,
    PACES,
    PROTOCOL_VERSION,
    SOURCES,
    Block,
    Buffers,
    Bytes,
    Close,
    Fetch,
    FileAction,
    Hello,
    Interrupt,
    Loop,
    Message,
    MicState,
    Open,
    Play,
    Poll,
    Reset,
    Set,
    Step,
)

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
