"""The change of a branch that a page asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy.typing as npt

from ...errors import SessionError
from ...protocol import CHUNK_SAMPLES, CHUNK_SECONDS
from ...record.chunk_names import chunk_names
from ..wire.branch_messages import Fork
from .branch import Change

if TYPE_CHECKING:
    from ...session.fork import Forced


def asked_change(fork: Fork, heard: int) -> Change:
    """Return the change that a page asks for, in a session that has heard `heard` chunks.

    Raises
    ------
    SessionError
        If the spans of an exchange share a chunk, or a span or its samples go beyond what the session has heard.
    """
    sent = fork.sent
    first, span = sent.chunk, range(sent.chunk, sent.chunk + sent.span)
    if (sent.force or sent.audio) and span.stop > heard:
        raise SessionError(f"The session has heard {heard} chunks; {chunk_names(span)} goes beyond them.")
    force: Forced | dict[int, Forced] | None = None
    if sent.force:
        force = sent.force if sent.span == 1 else dict.fromkeys(span, sent.force)
    audio: dict[int, npt.ArrayLike | int | None] = {}
    others = range(sent.other, sent.other + sent.span)
    if sent.audio in ("swap", "copy") and others.stop > heard:
        raise SessionError(f"The session has heard {heard} chunks; {chunk_names(others)} goes beyond them.")
    if sent.audio == "mute":
        audio = dict.fromkeys(span, None)
    elif sent.audio == "copy":
        audio = dict(zip(span, others, strict=True))
    elif sent.audio == "swap":
        if set(span) & set(others):
            raise SessionError(
                f"{chunk_names(span).capitalize()} and {chunk_names(others)} share a chunk; exchange spans that do not."
            )
        audio = {**dict(zip(span, others, strict=True)), **dict(zip(others, span, strict=True))}
        first = min(first, sent.other)
    elif sent.audio == "samples":
        pieces = range(0, len(fork.samples), CHUNK_SAMPLES)
        if first + len(pieces) > heard:
            raise SessionError(
                f"The audio fills {len(pieces)} chunks; from chunk {first} on the session has heard "
                f"{max(0, heard - first)} ({max(0, heard - first) * CHUNK_SECONDS:.1f} s)."
            )
        audio = {first + at: fork.samples[start : start + CHUNK_SAMPLES] for at, start in enumerate(pieces)}
    return Change(first, sent.until, sent.settings, force, audio or None)
