"""Validate one field of a browser message: return its value, or raise a `MessageError` that says what is allowed."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import MessageError

MAX_TEXT = 500
"""Characters of a text field: longer than any file name or label, and short enough to record."""
MAX_COUNT = 2**53
"""Largest whole number that JavaScript represents exactly."""

Content = Mapping[Any, Any]


def whole(content: Content, name: str, low: int = 0, high: int = MAX_COUNT) -> int:
    """Return a whole number in [low, high]."""
    value = content.get(name)
    # A JSON number may arrive as 3.0; a bool is an int in Python but not here.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise MessageError(f"{name} must be a whole number from {low} to {high}, not {shown(value)}.")
    return value


def number(content: Content, name: str, low: float, high: float) -> float:
    """Return a number in [low, high]."""
    value = content.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise MessageError(f"{name} must be a number from {low:g} to {high:g}, not {shown(value)}.")
    return float(value)


def flag(content: Content, name: str) -> bool:
    """Return true or false; false where the field is missing."""
    value = content.get(name, False)
    if not isinstance(value, bool):
        raise MessageError(f"{name} must be true or false, not {shown(value)}.")
    return value


def text(content: Content, name: str) -> str:
    """Return text of at most `MAX_TEXT` characters; empty where the field is missing."""
    value = content.get(name, "")
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise MessageError(f"{name} must be text of at most {MAX_TEXT} characters.")
    return value


def one_of(content: Content, name: str, allowed: Sequence[str]) -> str:
    """Return one of the allowed words."""
    value = content.get(name)
    if not isinstance(value, str) or value not in allowed:
        raise MessageError(f"{name} must be one of {', '.join(allowed)}, not {shown(value)}.")
    return value


def plain_object(content: Content, name: str, most: int) -> dict[str, Any]:
    """Return a JSON object of at most `most` bytes; empty where the field is missing."""
    value = content.get(name, {})
    sentence = f"{name} must be a JSON object of at most {most} bytes, not {shown(value)}."
    if not isinstance(value, dict):
        raise MessageError(sentence)
    try:
        written = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise MessageError(sentence) from error
    if len(written) > most:
        raise MessageError(sentence)
    # Parsed again: the result holds JSON types only, and shares no objects with the message.
    read: dict[str, Any] = json.loads(written)
    return read


def base64_bytes(content: Content, name: str, most: int) -> bytes:
    """Return the bytes of a base64 field, at most `most`."""
    value = content[name]
    if not isinstance(value, str) or len(value) > most * 4 // 3 + 4:
        raise MessageError(f"{name} must be base64 text of at most {most} bytes.")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MessageError(f"{name} is not valid base64.") from error


def shown(value: object) -> str:
    """Format a value of any type and size as a short text for an error message."""
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        return f"{type(value).__name__} of {len(value)}"
    if isinstance(value, (str, bytes)) and len(value) > 60:
        value = value[:60]
    if isinstance(value, int) and not -(10**30) < value < 10**30:
        return "a number of many digits"
    quoted = repr(value)
    return quoted if len(quoted) <= 60 else quoted[:57] + "…"
