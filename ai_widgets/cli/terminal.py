"""Standard output as it may be: redirected, closed, a broken pipe, or in an encoding that lacks our characters."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from typing import Any, TextIO


def degrade_output() -> None:
    """Have characters that standard output or error cannot encode written as `?` instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not (stream.encoding or "").lower().startswith("utf"):
            stream.reconfigure(errors="replace")


class Nowhere(io.TextIOBase):
    """A text stream that drops what is written to it."""

    def write(self, text: str) -> int:
        return len(text)


def output_or_nowhere(stream: TextIO | None) -> TextIO:
    """A standard stream, or one that drops what is written to it: a process may be started without any."""
    return Nowhere() if stream is None else stream  # type: ignore[return-value]


def can_show(stream: TextIO, text: str) -> bool:
    """Whether a stream's encoding has all characters of a text."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def leave_quietly() -> None:
    """Drop what is still to be written to a standard output that has no reader any more."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def json_line(values: dict[str, Any], stream: TextIO) -> str:
    """One line of JSON; characters that the stream cannot encode are escaped, so that nothing of them is lost."""
    line = json.dumps(values, ensure_ascii=False, allow_nan=False)
    return line if can_show(stream, line) else json.dumps(values, ensure_ascii=True, allow_nan=False)
