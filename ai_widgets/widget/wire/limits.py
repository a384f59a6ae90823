"""Limits and words of the wire protocol, and the types of fields that carry them.

The page's constants are generated from this module (`tests/wire_schema.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

import numpy.typing as npt
from msgspec import Meta

from ...audio.intake import MAX_RATE, MIN_RATE

PROTOCOL_VERSION = 3
"""Version of the messages, equal in page and kernel; a page of another version is told to reload."""
HANDSHAKE = bytes((1, 2, 3, 4))
"""Buffer of a hello. Some hosts drop binary buffers; then the browser sends base64."""
MAX_TEXT = 500
"""Characters of a text field: longer than any file name or label, and short enough to record."""
MAX_COUNT = 2**53
"""Largest whole number that JavaScript represents exactly."""
MAX_BLOCK_BYTES = 2 * 1024 * 1024
"""Bytes of a block, which is about 100 ms of audio; a message above 10 MB would break the websocket."""
MAX_RANGE_BYTES = 512 * 1024
"""Bytes of a page's file in one message: below the websocket limit of 10 MB with base64's third added, and less than
0.5 s at 10 Mbit/s, so that the first part of a file arrives soon."""
MAX_TAIL_S = 10.0
"""Seconds of silence that may follow a stream: enough for the model to answer, and a bound on added chunks."""
MAX_TRACK_BYTES = 2048
"""Bytes of a track's settings as JSON; a browser reports about 300."""
MAX_CHANGES_BYTES = 65_536
"""Bytes of changed settings as JSON; a system prompt is the longest setting."""
MAX_SECONDS = 1e9
"""Seconds on an audio clock: 30 years."""
MAX_MS = 1e14
"""Milliseconds of a time: the year 5138."""

Pace = Literal["fast", "realtime"]
"""Pace of a file: as fast as chunks are decided, or no faster than it would be spoken."""
PACES: tuple[Pace, ...] = get_args(Pace)
FileState = Literal["opening", "playing", "paused", "ended", "stopped", "failed"]
"""State of a file as the page shows it."""
RecordingFormat = Literal["aiw", "html"]
"""Format in which a page saves what is shown: a recording with audio, or an HTML page."""
RECORDING_SUFFIX = ".aiw"
MAX_RECORDING_BYTES = 2 << 30
"""Bytes of a recording that a page sends: some 20 hours with audio. It is copied to the kernel's temporary folder; a
larger one is opened from the kernel's disk."""
Mode = Literal["run", "pause", "step"]
"""Mode of the loop: run freely, pause before the next phase, or do one phase for each `step`."""
LOOP_MODES: tuple[Mode, ...] = get_args(Mode)
CloseReason = Literal["stopped", "ended", "track_ended", "view_removed", "kernel_lost", "reset", "stalled", "error"]
MAX_ENGINE_EVENTS = 500
"""Events in one message of a page that runs the engine, as many as the kernel sends in one (`outbox.MAX_BATCH`)."""
MAX_ENGINE_BYTES = 1_000_000
"""Bytes of these events as JSON; a page fills a message up to half of it, and an event has about 1 kB."""
MAX_SAMPLE = 1e6
"""Largest magnitude of a sample that a page sends as the model heard it: full scale is 1, and a louder file is kept."""
MAX_UNDER_WAY = 8
"""Messages with events or audio that such a page sends before the first of them is acknowledged: 3.2 s of audio, while
a busy kernel answers none; the rest stays in the page."""
MAX_SEEDS = 100
"""Seeds of one raster: more rows than a screen shows, and 100 times the cost of the session."""
MAX_ANALYSED_CHUNKS = 9000
"""Chunks of a record that a page may have analysed (one hour): the answer is one message, and the
cost that of a session or more."""
MAX_SPAN = 1500
"""Chunks that a branch changes: those before which the state of the session is kept."""
AnalysisKind = Literal["onset", "seeds"]
"""Analysis that runs the model: the probability of a first reply after each chunk, or the decisions by seed."""
AnalysisState = Literal["none", "running", "done", "cancelled", "failed"]
AudioChange = Literal["", "mute", "swap", "copy", "samples"]
"""Change of a span's audio in a branch: none, silence, exchange with another span, that of another span, or samples."""
BranchStatus = Literal["queued", "running", "done", "cancelled", "failed"]
"""State of a branch: it waits for the session or for another branch, it decides, or it has ended."""
MicPhase = Literal["idle", "asking", "listening", "paused", "stopped", "error"]
SampleFormat = Literal["int16", "float32"]
DTYPES: Mapping[SampleFormat, npt.DTypeLike] = {"int16": "<i2", "float32": "<f4"}

Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
StreamNumber = Annotated[int, Meta(ge=1, le=MAX_COUNT)]
Rate = Annotated[int, Meta(ge=MIN_RATE, le=MAX_RATE)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Base64 = Annotated[str, Meta(description="base64 text")]
TailSeconds = Annotated[float, Meta(ge=0.0, le=MAX_TAIL_S)]
Milliseconds = Annotated[float, Meta(ge=0.0, le=MAX_MS)]
SeedCount = Annotated[int, Meta(ge=1, le=MAX_SEEDS)]
Span = Annotated[int, Meta(ge=1, le=MAX_SPAN)]
SessionNumber = Annotated[Any, Meta(extra_json_schema={"type": ["integer", "string", "null"]})]
"""Number of a session, or any value that another kernel gave; what is no number is a session that never existed."""
