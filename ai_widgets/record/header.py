"""`Header`: facts about the session of a recording besides events and audio (`header.json`, docs/record-format.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..errors import ForeignRecordError, NewerRecordError
from ..protocol import CHUNK_SAMPLES, EVENTS_VERSION, SAMPLE_RATE

FORMAT = "ai_widgets recording"
"""Value of the field `format`, by which a recording is recognised."""
MAJOR, MINOR = 1, 1
"""Version of the format. A reader refuses a newer major version; a newer minor version only adds fields and members.
1.1 adds `audio.au` in a file, which a web page writes in place of `audio.flac`."""
MAX_BYTES = 4_000_000
"""Size of a header, in bytes: a hundred times what a long system prompt needs; more is not a header."""


@dataclass(frozen=True)
class Header:
    """Facts about one session.

    Attributes
    ----------
    created
        Start of the session: UTC, ISO 8601.
    model
        Checkpoint: `name`, `kind` (`model`), `revision`, `fingerprint` (SHA-256 over samples of all weights), `device`,
        `dtype`, `threads`, `traits` (special tokens, framing, as in `audio_interaction.json`), `positions`. Of a policy
        only `name`, `kind` (`policy`) and `detail`. Empty if unknown.
    settings, live
        Settings of the session and of the widget, as they were at the start; changes are notices `settings`.
    framing
        `prefix` and `block` (token ids), `texts` (text of each token of both), `limit` (positions of the context).
    versions
        Versions of Python, ai_widgets, torch, numpy; the operating system.
    sessions
        Number of sessions that wrote into the recording. Only a recording of one session can be replayed.
    first_chunk
        Index of the first chunk of the audio: above 0 if older audio was discarded before the recording was saved.
    rest
        Whether the audio is FLAC with a second member that makes it exact.
    reduced
        Indices of the first event without details and of the first one after them, (0, 0) if all are complete.
    extra
        Fields of a newer minor version, kept as they are.
    """

    created: str = ""
    model: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    live: Mapping[str, Any] = field(default_factory=dict)
    framing: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
    sessions: int = 0
    first_chunk: int = 0
    rest: bool = False
    reduced: tuple[int, int] = 0, 0
    extra: Mapping[str, Any] = field(default_factory=dict)

    def begun(self, facts: Header) -> Header:
        """Return the header after one more session began; the facts of the first session stay."""
        if self.sessions:
            return replace(self, sessions=self.sessions + 1)
        created = facts.created or datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        return replace(facts, created=created, live=self.live, sessions=1)

    def to_json(self) -> dict[str, Any]:
        """Convert the header to the content of `header.json`. `from_json` is the inverse."""
        return {
            "format": FORMAT,
            "version": [MAJOR, MINOR],
            "events_version": EVENTS_VERSION,
            "audio": {"rate": SAMPLE_RATE, "chunk": CHUNK_SAMPLES, "first_chunk": self.first_chunk, "rest": self.rest},
            "created": self.created,
            "model": dict(self.model),
            "settings": dict(self.settings),
            "live": dict(self.live),
            "framing": dict(self.framing),
            "versions": dict(self.versions),
            "sessions": self.sessions,
            "reduced": list(self.reduced),
            **self.extra,
        }

    @staticmethod
    def from_json(values: Any, source: str) -> Header:
        """Build a header; `source` names the recording in errors. Fields of the wrong type are taken as missing.

        Raises
        ------
        ForeignRecordError
            If the values are not a header of this package.
        NewerRecordError
            If the format has a newer major version.
        """
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            raise ForeignRecordError(
                f"{source} is not a recording of ai_widgets: its header does not say so. Audio files are played with "
                "session.play(path)."
            )
        version = values.get("version")
        major = version[0] if isinstance(version, list) and version else None
        if not isinstance(major, int) or major > MAJOR:
            written = _mapping(values, "versions").get("ai_widgets", "a newer version")
            raise NewerRecordError(
                f"{source} has version {major!r} of the recording format, written by ai_widgets {written}; this "
                f"version reads {MAJOR}. Update with pip install -U ai_widgets."
            )
        audio = _mapping(values, "audio")
        known = Header().to_json()
        return Header(
            created=str(values.get("created") or ""),
            model=_mapping(values, "model"),
            settings=_mapping(values, "settings"),
            live=_mapping(values, "live"),
            framing=_mapping(values, "framing"),
            versions=_mapping(values, "versions"),
            sessions=_count(values, "sessions"),
            first_chunk=_count(audio, "first_chunk"),
            rest=audio.get("rest") is True,
            reduced=_span(values.get("reduced")),
            extra={str(name): value for name, value in values.items() if name not in known},
        )

    def write(self, path: Path) -> None:
        """Write `header.json` under a temporary name and rename it, so that a reader finds all of it or none.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_bytes(self.to_bytes())
        temporary.replace(path)

    def to_bytes(self) -> bytes:
        """Return the content of `header.json`."""
        return json.dumps(self.to_json(), indent=1, default=str).encode("ascii") + b"\n"


def _mapping(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = values.get(name)
    return found if isinstance(found, Mapping) else {}


def _count(values: Mapping[str, Any], name: str) -> int:
    found = values.get(name)
    return found if isinstance(found, int) and found >= 0 else 0


def _span(value: Any) -> tuple[int, int]:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(each, int) and each >= 0 for each in value):
        return value[0], value[1]
    return 0, 0
