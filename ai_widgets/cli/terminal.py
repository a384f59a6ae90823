"""Handle every state of standard output: redirected, closed, a broken pipe, an encoding without our characters."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from typing import Any, TextIO


def degrade_output() -> None:
    """Write `?` for characters that standard output or error cannot encode, where Python would raise."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not (stream.encoding or "").lower().startswith("utf"):
            stream.reconfigure(errors="replace")


class Nowhere(io.TextIOBase):
    """A text stream that discards its input."""

    def write(self, text: str) -> int:
        return len(text)


def output_or_nowhere(stream: TextIO | None) -> TextIO:
    """Return `stream`, or a stream that discards its input where a process was started without a standard stream."""
    return Nowhere() if stream is None else stream  # type: ignore[return-value]


def can_show(stream: TextIO, text: str) -> bool:
    """Return whether a stream's encoding has all characters of a text."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def leave_quietly() -> None:
    """Discard buffered output of a standard output whose reader has closed the pipe."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def json_line(values: dict[str, Any], stream: TextIO) -> str:
    """Format one line of JSON; characters that the stream cannot encode are escaped, so that none is lost."""
    line = json.dumps(values, ensure_ascii=False, allow_nan=False)
    return line if can_show(stream, line) else json.dumps(values, ensure_ascii=True, allow_nan=False)
