"""Messages as frames of a WebSocket: text for JSON alone, binary for JSON with one buffer.

A binary frame is the length of the JSON (4 bytes, little-endian), the JSON, and the buffer. A Jupyter comm carries the
same JSON and buffers in its own way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ...errors import MessageError

LENGTH_BYTES = 4
"""Bytes of the length before the JSON of a binary frame."""


def pack(message: Mapping[str, Any], buffers: Sequence[bytes] = ()) -> str | bytes:
    """Write a message, with at most one buffer, as a frame."""
    text = msgspec.json.encode(message)
    if not buffers:
        return text.decode()
    (buffer,) = buffers
    return len(text).to_bytes(LENGTH_BYTES, "little") + text + bytes(buffer)


def unpack(frame: str | bytes) -> tuple[Any, tuple[memoryview, ...]]:
    """Return the JSON of a frame, of which nothing is checked, and its buffers.

    Raises
    ------
    MessageError
        If the frame is cut off, or its text is no JSON.
    """
    if isinstance(frame, str):
        return _decoded(frame), ()
    view = memoryview(frame)
    end = LENGTH_BYTES + int.from_bytes(view[:LENGTH_BYTES], "little")
    if not LENGTH_BYTES <= end <= len(view):
        raise MessageError(f"A frame of {len(view)} bytes cannot hold the JSON whose length it gives.")
    return _decoded(view[LENGTH_BYTES:end]), (view[end:],)


def _decoded(text: str | memoryview) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MessageError("A message must be JSON text in UTF-8.") from error
