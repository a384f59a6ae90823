"""A hundred thousand messages of any kind: none raises out of the handler, and none makes anything grow."""

from __future__ import annotations

import json
import random
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_widgets.inference import Model
from ai_widgets.widget.wire.outbox import MAX_QUEUED
from tests.page import PATIENCE, Build, Page
from tests.scripted import scripted

MESSAGES = 100_000
BATCH = 2_000
MOST_AUDIO = 640
"""Samples of a valid block: state may grow with the audio that was taken, and with nothing else."""

ODD: list[Any] = [
    *[None, True, False, 0, -1, 1, 3.0, 0.5, 2**31, 2**53, 2**53 + 1, 10**400, -(10**400)],
    *[float("nan"), float("inf"), "", "x", "audio", "run", "mic", "\x00", "\ud800", "x" * 600, b"1", [], {}, [1], (1,)],
    *[{"a": 1}, {"__class__": "x"}, {1: 2}, {"seed": 5}, {"arrival": "drop"}, {"overload": 3}, object(), set()],
]
FIELDS = [
    *["type", "protocol", "seen", "page", "session", "stream", "source", "name", "rate", "tail_s", "track", "seq"],
    *["format", "time_s", "captured_ms", "sent_ms", "gated", "data", "blocks", "reason", "state", "problem"],
    *["message", "changes", "what", "chunk", "mode", "later"],
]
CHANGES: list[Any] = [
    *[{"temperature": 0.5}, {"bias": -3.0}, {"seed": 7}, {"arrival": "interrupt"}, {"overload": "drop_oldest"}],
    *[{"overload_chunks": 5}, {"temperature": -1}, {"nothing": 1}, {"context_limit": 2}, {"arrival": "keep"}],
]


class Sender:
    """Valid messages by a seeded generator, and mutations of them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - the same in every run

    def message(self) -> tuple[Any, list[bytes]]:
        choose = self.random
        if choose.random() < 0.05:
            return choose.choice(ODD), self.buffers()
        content, buffers = self.valid()
        if choose.random() < 0.6:
            for _ in range(choose.randint(1, 3)):
                name = choose.choice([*content, choose.choice(FIELDS)])
                content[name] = choose.choice(ODD)
        if choose.random() < 0.15:
            content.pop(choose.choice(list(content)), None)
        return content, self.buffers() if choose.random() < 0.1 else buffers

    def valid(self) -> tuple[dict[str, Any], list[bytes]]:
        choose = self.random
        page, stream = choose.choice(["a", "a", "b", ""]), choose.randint(1, 3)
        kind = choose.choices(
            [
                *("hello", "open", "block", "close", "state", "set", "fetch", "loop", "step", "interrupt", "reset"),
                *("poll", "play", "bytes", "file"),
            ],
            [1, 3, 12, 2, 2, 2, 2, 1, 3, 2, 1, 1, 1, 2, 3],
        )[0]
        content: dict[str, Any] = {"type": kind}
        buffers: list[bytes] = []
        if kind == "hello":
            content |= {
                "protocol": 3,
                "seen": choose.randint(0, 50),
                "page": page,
                "session": choose.choice([None, 1, 2]),
            }
            buffers = [bytes((1, 2, 3, 4))]
        elif kind == "open":
            opening = {"stream": stream, "source": "mic", "name": "x", "rate": 16_000}
            content |= {**opening, "tail_s": 0.0, "page": page, "track": {"sampleRate": 48_000}}
        elif kind == "block":
            content |= {"stream": stream, "seq": choose.randint(0, 40), "rate": choose.choice([16_000, 48_000])}
            clocks = {"time_s": choose.uniform(0, 9), "captured_ms": choose.uniform(0, 1e4)}
            clocks |= {"sent_ms": 1.7e12, "offset_ms": choose.uniform(-1e4, 1e4)}
            content |= {"format": "int16", **clocks, "gated": False, "page": page}
            buffers = [choose.randbytes(2 * choose.choice([0, 1, MOST_AUDIO]))]
        elif kind == "close":
            content |= {"stream": stream, "blocks": choose.randint(0, 60), "reason": "stopped", "page": page}
        elif kind == "play":
            announced = {"stream": stream, "name": "x", "size": choose.choice([0, 44, 1000]), "tail_s": 0.0}
            content |= {**announced, "pace": choose.choice(["fast", "realtime"]), "page": page}
        elif kind == "bytes":
            content |= {"stream": stream, "offset": choose.choice([0, 44, 10**9]), "problem": "", "page": page}
            buffers = [choose.randbytes(choose.choice([0, 44, 1000]))]
        elif kind == "file":
            reason = choose.choice(["stopped", "stopped", "view_removed"])
            content |= {"action": choose.choice(["pause", "resume", "stop"]), "reason": reason, "page": page}
        elif kind == "state":
            content |= {"state": choose.choice(["idle", "listening", "error", "paused"]), "problem": "", "message": ""}
        elif kind == "set":
            content |= {"changes": choose.choice(CHANGES), "request": choose.randint(0, 9)}
        elif kind == "fetch":
            content |= {"what": "audio", "chunk": choose.randint(0, 30), "request": choose.randint(0, 9)}
        elif kind == "loop":
            content |= {"mode": choose.choice(["run", "run", "pause", "step"])}
        return content, buffers

    def buffers(self) -> list[bytes]:
        return [self.random.randbytes(self.random.choice([0, 1, 3, 8])) for _ in range(self.random.randint(0, 3))]


@pytest.fixture
def quick(build: Build, toy: Model) -> Page:
    """A page on a model that decides at once, whose comm keeps nothing: what is sent is counted only."""
    encoder: Any = type("Instant", (), {"encode": staticmethod(lambda _: np.zeros((1, 10, 1), np.float32))})()
    loaded, _ = scripted(toy)
    object.__setattr__(loaded, "encoder", encoder)
    return build(loaded)


def test_a_hundred_thousand_messages(quick: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    widget, sender = quick.widget, Sender(20_261_122)
    sent: list[int] = []

    def count(_: object, msg: Any, buffers: Any = None) -> None:
        sent.append(len(json.dumps(msg, default=str)) + sum(len(buffer) for buffer in buffers or ()))

    monkeypatch.setattr(type(widget), "_send", count)
    threads = threading.active_count()
    for number in range(MESSAGES):
        content, buffers = sender.message()
        widget._handle_custom_msg(content, [memoryview(buffer) for buffer in buffers])
        if number % BATCH == BATCH - 1:
            assert len(widget._channel.presenter.outbox._queued) <= MAX_QUEUED
            assert widget._channel.presenter.pipeline.queued <= BATCH
            # Two stages, two timers and a file.
            assert threading.active_count() <= threads + 5
    widget._handle_custom_msg({"type": "loop", "mode": "run"}, [])
    widget._handle_custom_msg({"type": "file", "action": "stop", "reason": "stopped"}, [])
    assert widget.wait(PATIENCE)
    # What is left is one session's record, a stream at most, and no queue.
    assert widget._channel.presenter.pipeline.queued == 0
    assert widget._channel.presenter.outbox._queued == []
    assert len(widget.record) < BATCH
    assert widget.error is None
    # And it still works.
    widget._handle_custom_msg({"type": "reset"}, [])
    stream = widget._channel.presenter.receiver.stream
    if stream is not None:
        close = {"type": "close", "stream": stream.number, "blocks": 0, "reason": "stopped", "page": ""}
        widget._handle_custom_msg(close, [])
    widget.set(overload="lag", arrival="keep", greedy=True)
    widget.feed(np.zeros(12_800, np.float32), 16_000)
    assert len(widget.record.decisions) == 2
    assert max(sent) < 600_000


anything = st.recursive(
    st.sampled_from(ODD) | st.integers() | st.floats() | st.text(max_size=10) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300)
@given(st.lists(st.tuples(anything, st.lists(st.binary(max_size=20), max_size=3)), max_size=10))
def test_anything_at_all(quick: Page, messages: list[Any]) -> None:
    for content, buffers in messages:
        quick.send(content, buffers)
    assert {problem["code"] for problem in quick.of("problem")} <= {"message"}
    assert len(quick.widget.record) == 0
