"""A browser page without a browser: a comm that keeps what the kernel sends, and the messages a page would send."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from threading import Condition
from typing import Any

import numpy as np
from comm.base_comm import BaseComm

from ai_widgets.protocol import CHUNK_SAMPLES, Event
from ai_widgets.widget.app import AudioInteraction
from ai_widgets.widget.wire import limits
from tests.signals import Array

PATIENCE = 120.0
RULES: dict[str, Any] = {"seed": 3, "max_reply_tokens": 12}
"""Settings of the widgets that tests build."""
HANDLER: ContextVar[str] = ContextVar("handler", default="nobody")
"""What ipykernel keeps in the context of a message: where it came from."""


Build = Callable[..., "Page"]


class Comm(BaseComm):  # type: ignore[misc]
    """Keeps every message, with the context it was sent in, and remembers the sender's shell as ipykernel 7.4 does."""

    def __init__(self, **options: Any) -> None:
        self.sent: list[dict[str, Any]] = []
        self.contexts: list[str] = []
        self.changed = Condition()
        self.listeners: list[Callable[[dict[str, Any]], object]] = []
        super().__init__(**options)

    def publish_msg(self, msg_type: str, data: Any = None, buffers: Any = None, **_: Any) -> None:
        self._reply_subshell_id = "main"
        with self.changed:
            self.contexts.append(HANDLER.get())
            self.sent.append({"msg_type": msg_type, "data": data, "buffers": list(buffers or ())})
            self.changed.notify_all()
        if msg_type == "comm_msg" and data["method"] == "custom":
            for listener in self.listeners:
                listener(data["content"])


class Page:
    """What the front end does with one widget."""

    def __init__(self, widget: AudioInteraction, name: str = "one") -> None:
        self.widget, self.comm, self.name = widget, widget.comm, name
        self.stream = 0
        self.seq = 0

    # From the kernel

    @property
    def received(self) -> list[dict[str, Any]]:
        """Custom messages in order."""
        with self.comm.changed:
            data = [message["data"] for message in self.comm.sent if message["msg_type"] == "comm_msg"]
        return [each["content"] for each in data if each["method"] == "custom"]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.received if message["type"] == kind]

    def buffers_of(self, kind: str) -> list[bytes]:
        """Buffers that came with custom messages of one type."""
        with self.comm.changed:
            sent = [message for message in self.comm.sent if message["msg_type"] == "comm_msg"]
        custom = [message for message in sent if message["data"]["method"] == "custom"]
        of_kind = [message for message in custom if message["data"]["content"]["type"] == kind]
        return [bytes(buffer) for message in of_kind for buffer in message["buffers"]]

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the kernel has sent what makes `condition` true."""
        with self.comm.changed:
            assert self.comm.changed.wait_for(condition, PATIENCE)

    def events(self) -> list[Event]:
        """Events of the newest session as a page gathers them: each at its own index."""
        gathered: list[dict[str, Any]] = []
        for message in self.received:
            if message["type"] == "reset":
                gathered = []
            elif message["type"] == "events":
                assert message["first"] <= len(gathered), "a gap in the events"
                gathered[message["first"] : message["first"] + len(message["events"])] = message["events"]
        return [Event.from_json(values) for values in gathered]

    def states(self) -> list[str]:
        """Values of the trait `state`, as the kernel sent them."""
        with self.comm.changed:
            data = [message["data"] for message in self.comm.sent if message["msg_type"] == "comm_msg"]
        updates = [each["state"] for each in data if each["method"] == "update"]
        return [update["state"] for update in updates if "state" in update]

    def problems(self) -> list[str]:
        return [message["message"] for message in self.of("problem")]

    # To the kernel

    def send(self, content: Any, buffers: Sequence[bytes] = ()) -> None:
        data = {"method": "custom", "content": content}
        views = [memoryview(buffer) for buffer in buffers]
        self.comm.handle_msg({"content": {"data": data}, "buffers": views})

    def hello(
        self, seen: int = 0, protocol: int = limits.PROTOCOL_VERSION, session: int | None = 1, binary: bool = True
    ) -> None:
        content = {"type": "hello", "protocol": protocol, "seen": seen, "page": self.name, "session": session}
        self.send(content, [limits.HANDSHAKE] if binary else [])

    def open(self, rate: int = 16_000, tail_s: float = 1.0, track: Any = None) -> None:
        self.stream, self.seq = self.stream + 1, 0
        opening = {"stream": self.stream, "source": "mic", "name": "x", "rate": rate, "tail_s": tail_s}
        self.send({"type": "open", "page": self.name, "track": track or {}, **opening})

    def block(
        self, samples: Array, rate: int = 16_000, seq: int | None = None, stream: int | None = None, **header: Any
    ) -> None:
        """Send one block; by default the next one of the open stream."""
        number = self.seq if seq is None else seq
        self.send({**self.block_header(number, rate, stream), **header}, [samples.astype("<f4").tobytes()])
        self.seq = number + 1

    def block_header(self, seq: int, rate: int = 16_000, stream: int | None = None) -> dict[str, Any]:
        which = self.stream if stream is None else stream
        placed = {"type": "block", "stream": which, "seq": seq, "rate": rate, "format": "float32", "time_s": seq / 10}
        return {**placed, "sent_ms": 1e12 + seq * 100, "gated": False, "page": self.name}

    def close(self, reason: str = "stopped", blocks: int | None = None) -> None:
        count = self.seq if blocks is None else blocks
        self.send({"type": "close", "stream": self.stream, "blocks": count, "reason": reason, "page": self.name})

    def record(self, samples: Array, rate: int = 16_000, **opening: Any) -> None:
        """A whole recording, in blocks of 100 ms."""
        self.open(rate, **opening)
        for block in np.array_split(samples, max(1, len(samples) * 10 // rate)):
            self.block(block, rate)
        self.close()


def silence(chunks: float) -> Array:
    return np.zeros(round(chunks * CHUNK_SAMPLES), np.float32)


def settled(page: Page) -> list[Event]:
    """The page's events after everything is answered."""
    assert page.widget.wait(PATIENCE)
    return page.events()
