"""Checks of one field of a browser message: the value, or a `MessageError` that says what is allowed."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import MessageError

MAX_TEXT = 500
"""Longest text of a field, in characters."""
MAX_COUNT = 2**53
"""Largest whole number that a browser counts exactly."""

Content = Mapping[Any, Any]


def whole(content: Content, name: str, low: int = 0, high: int = MAX_COUNT) -> int:
    """A whole number of [low, high]."""
    value = content.get(name)
    # A JSON number may arrive as 3.0; a bool is an int in Python but not here.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise MessageError(f"{name} must be a whole number from {low} to {high}, not {shown(value)}.")
    return value


def number(content: Content, name: str, low: float, high: float) -> float:
    """A number of [low, high]."""
    value = content.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise MessageError(f"{name} must be a number from {low:g} to {high:g}, not {shown(value)}.")
    return float(value)


def flag(content: Content, name: str) -> bool:
    """True or false; false where it is left out."""
    value = content.get(name, False)
    if not isinstance(value, bool):
        raise MessageError(f"{name} must be true or false, not {shown(value)}.")
    return value


def text(content: Content, name: str) -> str:
    """Text of bounded length; empty where it is left out."""
    value = content.get(name, "")
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise MessageError(f"{name} must be text of at most {MAX_TEXT} characters.")
    return value


def one_of(content: Content, name: str, allowed: Sequence[str]) -> str:
    """One word of a list."""
    value = content.get(name)
    if not isinstance(value, str) or value not in allowed:
        raise MessageError(f"{name} must be one of {', '.join(allowed)}, not {shown(value)}.")
    return value


def plain_object(content: Content, name: str, most: int) -> dict[str, Any]:
    """A JSON object of at most `most` bytes; empty where it is left out."""
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
    # Read back: so it holds what JSON holds, and nothing of the message's own objects.
    read: dict[str, Any] = json.loads(written)
    return read


def base64_bytes(content: Content, name: str, most: int) -> bytes:
    """Bytes that travel as base64 text."""
    value = content[name]
    if not isinstance(value, str) or len(value) > most * 4 // 3 + 4:
        raise MessageError(f"{name} must be base64 text of at most {most} bytes.")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MessageError(f"{name} is not valid base64.") from error


def shown(value: object) -> str:
    """A value as a sentence may quote it: short, whatever it is."""
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        return f"{type(value).__name__} of {len(value)}"
    if isinstance(value, (str, bytes)) and len(value) > 60:
        value = value[:60]
    if isinstance(value, int) and not -(10**30) < value < 10**30:
        return "a number of many digits"
    quoted = repr(value)
    return quoted if len(quoted) <= 60 else quoted[:57] + "…"
