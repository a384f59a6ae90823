"""The history: the newest part of a session, small enough for a synced trait.

A reloaded page, a second view and a saved notebook show the history without a request to the kernel. As JSON it is at
most `MOST_BYTES` long, for every session. A history is the tail of the record: all events from index `first` on, in a
compact form.

Schema, version 1
-----------------
version    1
session    number of the session
first      index of the first event kept; events before it are not in the history
count      events kept, so `first + count` is the index of the next one
chunks     {chunk: [int], clip: [int], start_s: [float], rms_db: [float], flags: [[str]],
           env: base64 of 16 bytes a chunk, 0…255 for a peak of 0…1,
           mel: base64 of the 320 bytes of `Chunk.mel` for each chunk from row `mel_from` on, zeros where it has none}
decisions  columns of `Decision` but for `start_s`, `alternatives` and `rule`
timings    columns of `Timing`
rules      [[row, rule], …]: `Decision.rule` from that row of `decisions` on
tokens, turns, notices   events as `Event.to_json` writes them; a token has at most three alternatives, and long texts,
           lists and data are cut

Floats are rounded to seven significant digits, times in ms to a thousandth.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..audio.intake import ENVELOPE_POINTS
from ..protocol import Chunk, Decision, Event, Timing
from ..record.record import SessionRecord

VERSION = 1
"""Version of the trait's format; a page ignores a history of another version."""
MOST_BYTES = 400_000
"""Bytes of a history as JSON: Jupyter syncs and saves it whole at every change."""
BUDGET = 270_000
"""Estimated bytes of all rows without log-mels; those of the newest chunks take another 107 kB."""
MEL_CHUNKS = 250
"""Newest chunks that keep their log-mels: 1.7 minutes, about a quarter of the history's bytes."""
MEL_BYTES = 320
"""Bytes of the reduced log-mel of one chunk (`Chunk.mel`)."""
MOST_ALTERNATIVES = 3
"""Alternatives kept of each token: the likeliest."""
MOST_TEXT, MOST_ITEMS, MOST_DATA = 2000, 500, 4000
"""Characters of a text, items of a list, bytes of a notice's data; longer values are truncated."""

DECISION_COLUMNS = (
    "chunk",
    "clip",
    "token",
    "choice",
    "p_keep",
    "p_text",
    "p_other",
    "logit_keep",
    "logit_text",
    "p_drawn",
    "draw",
    "argmax",
    "position",
    "oldest",
    "used",
    "limit",
    "before",
)
TIMING_COLUMNS = (
    "chunk",
    "features_ms",
    "tower_ms",
    "decide_ms",
    "reply_ms",
    "queue_ms",
    "stream",
    "seq",
    "arrived_ms",
    "decided_ms",
    "encode_wait_ms",
    "capture_ms",
    "network_ms",
)


@dataclass(frozen=True)
class _Row:
    """One event in its compact form, and an estimate of its bytes."""

    type: str
    value: Any
    bytes: int


class History:
    """The newest part of one record, in compact form.

    Parameters
    ----------
    record
        Record to follow.
    session
        Number of the session.
    """

    def __init__(self, record: SessionRecord, session: int) -> None:
        self._record, self._session = record, session
        self._rows: deque[_Row] = deque()
        self._bytes = 0
        self._next = 0

    @property
    def behind(self) -> bool:
        """Whether the record has events that the history lacks."""
        return self._next < len(self._record)

    def to_json(self) -> dict[str, Any]:
        """Add new events, evict the oldest beyond the budget, and return the schema above."""
        self._follow()
        most = BUDGET
        written = self._write()
        # The bytes of a row are an estimate; the limit holds for the JSON that is sent.
        while (size := len(json.dumps(written))) > MOST_BYTES and self._rows:
            most = int(most * 0.9 * MOST_BYTES / size)
            self._shorten(most)
            written = self._write()
        return written

    def _follow(self) -> None:
        while batch := self._record.since(self._next, 500):
            for event in batch:
                row = _row(event)
                self._rows.append(row)
                self._bytes += row.bytes
            self._next += len(batch)
            self._shorten(BUDGET)

    def _shorten(self, most: int) -> None:
        rows = self._rows
        while rows and self._bytes > most:
            self._bytes -= rows.popleft().bytes
        # A history begins with a chunk, except within a reply that is longer than the whole history.
        if rows and self._next > len(rows) and any(row.type == "chunk" for row in rows):
            while rows[0].type != "chunk":
                self._bytes -= rows.popleft().bytes

    def _write(self) -> dict[str, Any]:
        rows = list(self._rows)
        chunks: list[Chunk] = [row.value for row in rows if row.type == "chunk"]
        decisions: list[Decision] = [row.value for row in rows if row.type == "decision"]
        timings: list[Timing] = [row.value for row in rows if row.type == "timing"]
        mel_from = max(0, len(chunks) - MEL_CHUNKS)
        mels = b"".join(_mel_bytes(chunk) for chunk in chunks[mel_from:])
        return {
            "version": VERSION,
            "session": self._session,
            "first": self._next - len(rows),
            "count": len(rows),
            "chunks": {
                **_columns(chunks, ("chunk", "clip", "start_s", "rms_db")),
                "flags": [list(chunk.flags) for chunk in chunks],
                "env": _base64(b"".join(_peak_bytes(chunk) for chunk in chunks)),
                "mel": _base64(mels),
                "mel_from": mel_from,
            },
            "decisions": _columns(decisions, DECISION_COLUMNS),
            "timings": _columns(timings, TIMING_COLUMNS),
            "rules": _rules(decisions),
            "tokens": [row.value for row in rows if row.type == "token"],
            "turns": [row.value for row in rows if row.type == "turn"],
            "notices": [row.value for row in rows if row.type == "notice"],
        }


def _row(event: Event) -> _Row:
    if isinstance(event, Chunk):
        return _Row("chunk", event, 110 + sum(len(flag) + 4 for flag in event.flags) + 22)
    if isinstance(event, Decision):
        return _Row("decision", event, 190 + 7 * min(len(event.before), MOST_ITEMS))
    if isinstance(event, Timing):
        return _Row("timing", event, 130)
    value = compact(event)
    return _Row(event.type, value, len(json.dumps(value)) + 2)


def compact(event: Event) -> dict[str, Any]:
    """Return an event as JSON of bounded length."""
    values = event.to_json()
    if "alternatives" in values:
        likeliest = sorted(values["alternatives"], key=lambda each: each["p"], reverse=True)[:MOST_ALTERNATIVES]
        values["alternatives"] = [_shortened(each) for each in likeliest]
    short: dict[str, Any] = _shortened(values)
    data = short.get("data")
    if data is not None and len(json.dumps(data, default=str)) > MOST_DATA:
        short["data"] = {"cut": True}
    return short


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= MOST_TEXT else value[: MOST_TEXT - 1] + "…"
    if isinstance(value, float):
        return _rounded(value)
    if isinstance(value, Mapping):
        return {str(name): _shortened(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shortened(part) for part in value[:MOST_ITEMS]]
    return value


def _columns(events: Sequence[Event], names: Sequence[str]) -> dict[str, list[Any]]:
    return {name: [_cell(name, getattr(event, name)) for event in events] for name in names}


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3) if name.endswith("_ms") else _rounded(value)
    return list(value[:MOST_ITEMS]) if isinstance(value, tuple) else value


def _rounded(value: float) -> float:
    return float(f"{value:.7g}")


def _peak_bytes(chunk: Chunk) -> bytes:
    peaks = np.zeros(ENVELOPE_POINTS)
    given = chunk.envelope[:ENVELOPE_POINTS]
    peaks[: len(given)] = given
    return np.rint(np.clip(peaks, 0, 1) * 255).astype(np.uint8).tobytes()


def _mel_bytes(chunk: Chunk) -> bytes:
    raw = b64decode(chunk.mel) if chunk.mel else b""
    return raw if len(raw) == MEL_BYTES else bytes(MEL_BYTES)


def _base64(raw: bytes) -> str:
    return b64encode(raw).decode("ascii")


def _rules(decisions: Sequence[Decision]) -> list[list[Any]]:
    changes: list[list[Any]] = []
    for place, decision in enumerate(decisions):
        if not changes or changes[-1][1] != decision.rule:
            changes.append([place, dict(decision.rule)])
    return changes
