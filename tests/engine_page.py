"""A page that runs the engine, without a browser: it delivers a session that Python ran, whose events are the engine's.

tests/test_engine_vectors.py and its counterpart in js/ hold the events of both equal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ai_widgets.inference import Model
from ai_widgets.protocol import Chunk
from ai_widgets.record.record import SessionRecord
from ai_widgets.widget.app import AudioInteraction
from ai_widgets.widget.wire.engine_messages import EngineBegin, EngineChunk, EngineEvents
from tests.page import Page
from tests.signals import Array, babble

MODEL_FILES = {
    "manifest.json": b'{"format": 1}',
    "step.onnx": np.random.default_rng(0).bytes(700_000),
    "tower.onnx": b"tower" * 40_000,
}
"""What an export returns, in small; tests/test_onnx.py exports real models."""
LIVE: dict[str, Any] = {"arrival": "keep"}


@dataclass(frozen=True)
class Run:
    """A session as a page has it: settings at its beginning, events as JSON that went over the wire, and audio."""

    settings: dict[str, Any]
    events: list[dict[str, Any]]
    audio: Array

    @property
    def chunks(self) -> int:
        return len(self.audio) // 6_400

    def chunk(self, index: int) -> Array:
        return self.audio[index * 6_400 : (index + 1) * 6_400]

    @staticmethod
    def of(record: SessionRecord) -> Run:
        events = json.loads(json.dumps([event.to_json() for event in record.events]))
        return Run(dict(record.header.settings), events, record.audio)


def run(model: Model, seconds: float = 4.0, seed: int = 0, **settings: Any) -> Run:
    """A session of the toy that replies now and then."""
    with model.session(**{"seed": 3, "max_reply_tokens": 12, **settings}) as session:
        session.push(babble(seconds, seed), rate=16_000)
        session.finish(tail_silence=0.4)
        return Run.of(session.record)


def begin(made: Run, page: str = "one", session: int = 1, **live: Any) -> EngineBegin:
    return EngineBegin(page, session, made.settings, {**LIVE, **live}, "onnxruntime-web 1.30.0")


def events(made: Run, first: int, last: int | None = None, page: str = "one", session: int = 1) -> EngineEvents:
    return EngineEvents(page, session, first, "run", "decide", 0, 0, made.events[first:last])


def chunk(made: Run, index: int, page: str = "one", session: int = 1, *, missing: bool = False) -> EngineChunk:
    return EngineChunk(page, session, index, None if missing else made.chunk(index))


class EnginePage(Page):
    """A page that delivers runs to a widget with ``engine="page"``."""

    def __init__(self, widget: AudioInteraction, name: str = "one") -> None:
        super().__init__(widget, name)
        self.session = 0

    @property
    def taken(self) -> dict[str, Any]:
        """The newest acknowledgement of this page's newest session."""
        return [
            each for each in self.of("engine_taken") if (each["page"], each["session"]) == (self.name, self.session)
        ][-1]

    def message(self, kind: str, **fields: Any) -> dict[str, Any]:
        return {"type": kind, "page": self.name, "session": self.session, **fields}

    def begin(self, made: Run, **live: Any) -> None:
        self.session += 1
        self.send(
            self.message("engine_begin", settings=made.settings, live={**LIVE, **live}, runtime="onnxruntime-web")
        )

    def events_of(self, made: Run, first: int = 0, last: int | None = None, **loop: Any) -> None:
        state: Mapping[str, Any] = {"mode": "run", "phase": "respond", "chunk": 0, "waiting": 0, **loop}
        self.send(self.message("engine_events", first=first, events=made.events[first:last], **state))

    def sound(self, made: Run, index: int) -> None:
        self.send(self.message("engine_chunk", chunk=index, missing=False), [made.chunk(index).astype("<f4").tobytes()])

    def missing(self, index: int) -> None:
        self.send(self.message("engine_chunk", chunk=index, missing=True))

    def deliver(self, made: Run) -> None:
        """Begin a session and send all of it, chunk by chunk as it happens."""
        self.begin(made)
        starts = [place for place, event in enumerate(made.events) if event["type"] == "chunk"]
        for index, (start, end) in enumerate(zip(starts, [*starts[1:], len(made.events)], strict=True)):
            self.events_of(made, 0 if index == 0 else start, end, chunk=index)
            self.sound(made, index)

    def fetch(self, name: str) -> bytes:
        """Fetch a file part by part."""
        whole = b""
        while True:
            before = len(self.buffers_of("engine_part"))
            self.send({"type": "engine_file", "page": self.name, "name": name, "offset": len(whole)})
            answer = self.of("engine_part")[-1]
            assert answer["ok"]
            assert (answer["name"], answer["offset"]) == (name, len(whole))
            whole += self.buffers_of("engine_part")[before]
            if answer["last"]:
                return whole


def same(record: SessionRecord, made: Run) -> None:
    """Check that a record is the whole of a run."""
    assert [event.to_json() for event in record.events] == made.events
    assert record.count(Chunk) == record.chunks_heard == made.chunks
    np.testing.assert_array_equal(record.audio, made.audio)
