"""One event as one line of JSON (`events.jsonl`, docs/record-format.md)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ..protocol import Event


def event_line(event: Event) -> bytes:
    """Format one event as a line of ASCII JSON, with its line end.

    Characters outside ASCII are escaped, so that a text of any kind, lone surrogates included, is one valid line. A
    number that is not finite becomes null.
    """
    values = event.to_json()
    try:
        text = json.dumps(values, separators=(",", ":"), allow_nan=False, default=str)
    except ValueError:
        text = json.dumps(_finite(values), separators=(",", ":"), allow_nan=False, default=str)
    return text.encode("ascii") + b"\n"


def event_of(line: bytes) -> Event:
    """Build the event of a line.

    Raises
    ------
    ValueError, TypeError, KeyError, AttributeError
        If the line is not JSON, or not an event of a known type.
    """
    return Event.from_json(json.loads(line))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(name): _finite(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return value
