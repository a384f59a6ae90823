"""Notices of what a record discards to stay within its memory, or can no longer write to disk."""

from __future__ import annotations

from ..protocol import CHUNK_SECONDS, Notice


def audio_discarded(chunk: int, seconds: float) -> Notice:
    """Return the notice that audio older than `seconds` is discarded from a chunk on."""
    length = f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"
    message = f"Audio older than {length} is discarded from this chunk on. All events are kept."
    return Notice(chunk, "audio_discarded", message, {"seconds": seconds})


def events_reduced(chunk: int, events: int) -> Notice:
    """Return the notice that only the newest `events` events keep their details."""
    message = (
        f"Of events older than the newest {events:,}, the details (alternatives, envelopes, log-mels) are discarded "
        "from this chunk on; their numbers stay in the tables. keep='folder' keeps all."
    )
    return Notice(chunk, "events_reduced", message, {"events": events})


def not_written(chunk: int, where: str, error: OSError, chunks: int) -> Notice:
    """Return the notice that the recording `where` ends on disk after `chunks` chunks."""
    why = error.strerror or str(error)
    message = f"The recording can no longer be written to {where} ({why}). From here on it is in memory only."
    return Notice(chunk, "not_written", message, {"path": where, "why": why, "seconds": chunks * CHUNK_SECONDS})
