"""Checks of a page's messages: the result is a typed message, or a `MessageError` with the allowed values."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, cast

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from ...audio.clips import clips
from ...errors import MessageError
from ...protocol import CHUNK_SAMPLES
from .branch_messages import Fork, SentFork
from .clip_message import PlayClip
from .engine_messages import EngineBegin, EngineChunk, EngineEvents, SentEngineChunk
from .limits import (
    DTYPES,
    HANDSHAKE,
    MAX_BLOCK_BYTES,
    MAX_CHANGES_BYTES,
    MAX_COUNT,
    MAX_ENGINE_BYTES,
    MAX_RANGE_BYTES,
    MAX_SAMPLE,
    MAX_TRACK_BYTES,
    PROTOCOL_VERSION,
)
from .messages import (
    SENT,
    Block,
    Buffers,
    Bytes,
    Hello,
    Message,
    Open,
    SentBlock,
    SentBytes,
    SentHello,
    Set,
)
from .page_message import PageMessage
from .recording_messages import Analyse
from .refusal import refusal, shown

KINDS: Mapping[str, type[PageMessage]] = {str(kind.__struct_config__.tag): kind for kind in SENT}
"""Class of a message by its `type`."""


def parse(content: object, buffers: Buffers = ()) -> Message:
    """Check one browser message and return it typed.

    Raises
    ------
    MessageError
        If the type is unknown, a field is missing or of the wrong type or size, or the buffer does not fit.
    """
    try:
        return _parsed(content, buffers)
    except UnicodeEncodeError:
        # Half of a character, as where a page cuts a text between two UTF-16 units.
        raise MessageError("A message must be valid Unicode; this text has a lone surrogate.") from None


def _parsed(content: object, buffers: Buffers) -> Message:
    message = _typed(content)
    match message:
        case SentBlock():
            return _block(message, buffers)
        case SentBytes():
            raw = b"" if message.problem else _payload(message.data, buffers, "a part of a file", MAX_RANGE_BYTES)
            return Bytes(message.stream, message.offset, message.problem, message.page, raw)
        case SentHello():
            binary = len(buffers) == 1 and bytes(buffers[0]) == HANDSHAKE
            return Hello(message.protocol, message.seen, message.page, _session(message.session), binary)
        case PlayClip():
            if message.clip not in clips:
                raise MessageError(clips.unknown(message.clip))
        case Open():
            return msgspec.structs.replace(message, track=_bounded(message.track, "track", MAX_TRACK_BYTES))
        case SentFork():
            return _fork(message, buffers)
        case Analyse():
            return msgspec.structs.replace(message, settings=_bounded(message.settings, "settings", MAX_CHANGES_BYTES))
        case Set():
            return msgspec.structs.replace(message, changes=_bounded(message.changes, "changes", MAX_CHANGES_BYTES))
        case EngineBegin():
            settings = _bounded(message.settings, "settings", MAX_CHANGES_BYTES)
            return msgspec.structs.replace(
                message, settings=settings, live=_bounded(message.live, "live", MAX_CHANGES_BYTES)
            )
        case EngineEvents():
            _check_size(message)
        case SentEngineChunk():
            return _engine_chunk(message, buffers)
    return cast(Message, message)


def _typed(content: object) -> PageMessage:
    """Decode the fields of a message and check their types and limits."""
    if not isinstance(content, Mapping):
        raise MessageError(f"A message must be an object with a type, not {type(content).__name__}.")
    given = content.get("type")
    kind = KINDS.get(given) if isinstance(given, str) else None
    if kind is None:
        raise MessageError(f"{shown(given)} is not a message type of protocol {PROTOCOL_VERSION}.")
    try:
        return msgspec.convert(content, kind)
    except (msgspec.ValidationError, RecursionError):
        # Only a refused message is parsed again: a whole number in JSON may arrive as 3.0.
        known = {name: _whole(content[name]) for name in kind.__struct_fields__ if name in content}
    try:
        return msgspec.convert(known, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise MessageError(refusal(known, kind)) from error


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _session(value: object) -> int | None:
    """Return the number of a session, −1 for a value that is none, such as an id of another kernel."""
    if value is None:
        return None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT else -1


def _bounded(value: dict[str, Any], name: str, most: int) -> dict[str, Any]:
    """Return a JSON object that has at most `most` bytes and shares no objects with the message."""
    sentence = f"{name} must be a JSON object of at most {most} bytes, not {shown(value)}."
    try:
        written = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise MessageError(sentence) from error
    if len(written) > most:
        raise MessageError(sentence)
    read: dict[str, Any] = json.loads(written)
    return read


def _payload(data: str | UnsetType, buffers: Buffers, what: str, most: int) -> bytes:
    """Return the bytes of a message: of its one buffer, or of base64 from a host that drops buffers."""
    if data is not UNSET:
        return _decoded(data, most)
    if len(buffers) != 1:
        raise MessageError(f"{what.capitalize()} needs exactly one buffer, not {len(buffers)}.")
    view = memoryview(buffers[0])
    if view.nbytes > most:
        raise MessageError(f"{what.capitalize()} of {view.nbytes} bytes is too large; at most {most} are taken.")
    return view.tobytes()


def _decoded(data: str, most: int) -> bytes:
    if len(data) > most * 4 // 3 + 4:
        raise MessageError(f"data must be base64 text of at most {most} bytes.")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MessageError("data is not valid base64.") from error


def _check_size(message: EngineEvents) -> None:
    """Check the size of all events together; the record's intake checks each of them, up to the first that is none."""
    sentence = f"events must be JSON of at most {MAX_ENGINE_BYTES} bytes in all."
    try:
        size = len(json.dumps(message.events))
    except (TypeError, ValueError, RecursionError) as error:
        raise MessageError(sentence) from error
    if size > MAX_ENGINE_BYTES:
        raise MessageError(sentence)


def _engine_chunk(sent: SentEngineChunk, buffers: Buffers) -> EngineChunk:
    if sent.missing:
        return EngineChunk(sent.page, sent.session, sent.chunk, None)
    raw = _payload(sent.data, buffers, "the audio of a chunk", CHUNK_SAMPLES * 4)
    if len(raw) != CHUNK_SAMPLES * 4:
        raise MessageError(f"The audio of a chunk has {CHUNK_SAMPLES * 4} bytes, not {len(raw)}.")
    samples = np.frombuffer(raw, "<f4").astype(np.float32)
    if not (np.abs(samples) <= MAX_SAMPLE).all():
        raise MessageError(f"The audio of a chunk must be numbers of a magnitude up to {MAX_SAMPLE:g}.")
    return EngineChunk(sent.page, sent.session, sent.chunk, samples)


def _fork(sent: SentFork, buffers: Buffers) -> Fork:
    message = msgspec.structs.replace(sent, settings=_bounded(sent.settings, "settings", MAX_CHANGES_BYTES), data=UNSET)
    if sent.audio != "samples":
        return Fork(message, np.zeros(0, np.float32))
    raw = _payload(sent.data, buffers, "the audio of a fork", MAX_BLOCK_BYTES)
    if not raw or len(raw) % 4:
        raise MessageError(f"The audio of a fork of {len(raw)} bytes does not hold whole float32 samples.")
    return Fork(message, np.frombuffer(raw, "<f4").astype(np.float32, copy=False))


def _block(sent: SentBlock, buffers: Buffers) -> Block:
    dtype = np.dtype(DTYPES[sent.format])
    raw = _payload(sent.data, buffers, "a block", MAX_BLOCK_BYTES)
    if len(raw) % dtype.itemsize:
        raise MessageError(f"A block of {len(raw)} bytes does not hold whole {dtype.name} samples.")
    samples = np.frombuffer(raw, dtype=dtype)
    if dtype.kind == "i":
        samples = samples.astype(np.float32) / np.float32(32768)
    return Block(
        sent.stream,
        sent.seq,
        sent.rate,
        sent.time_s,
        sent.captured_ms,
        sent.sent_ms,
        sent.offset_ms,
        sent.gated,
        sent.page,
        samples.astype(np.float32, copy=False),
    )
