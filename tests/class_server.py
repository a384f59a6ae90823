"""A class server on an event loop of its own thread, and learners that speak to it over real WebSockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import Any, TypeVar

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from ai_widgets.protocol import Event
from ai_widgets.serve.server import ClassServer
from ai_widgets.serve.tokens import Tokens
from ai_widgets.session.listening import ListeningModel
from ai_widgets.widget.wire.frames import pack, unpack
from ai_widgets.widget.wire.limits import PROTOCOL_VERSION

T = TypeVar("T")


def asgi_server(*arguments: Any, **options: Any) -> Any:
    """Return a server of `asgi_server`, where uvicorn is installed: it comes with Ray Serve."""
    pytest.importorskip("uvicorn")
    from tests.asgi_server import AsgiServer

    return AsgiServer(*arguments, **options)


KINDS = {"websockets": ClassServer, "asgi": asgi_server}
on_both_servers = pytest.mark.parametrize("kind", KINDS, indirect=True)
"""Runs a test on the server of this package and behind one that speaks ASGI."""
PATIENCE_S = 30.0
"""Seconds after which a test fails where an answer is missing."""


class Reached:
    """A class at an address, and the clients that a test connects to it."""

    def __init__(self, address: str, tokens: Tokens) -> None:
        self.address, self.tokens = address, tokens
        self.names = list(tokens.by_name)
        self.clients: list[ClientConnection] = []

    def token(self, learner: int = 0) -> str:
        return self.tokens.by_name[self.names[learner]]

    def connect(self, learner: int = 0, **options: Any) -> ClientConnection:
        headers = {"Authorization": f"Bearer {self.token(learner)}"}
        options = {"additional_headers": headers, "compression": None, "close_timeout": 1, **options}
        client = connect(self.address, **options)
        self.clients.append(client)
        return client

    def leave(self) -> None:
        for client in self.clients:
            client.close()


class Class(Reached):
    """A running class server."""

    def __init__(
        self, model: ListeningModel, learners: int, kind: Callable[..., Any] = ClassServer, **options: Any
    ) -> None:
        tokens = Tokens.generate(learners)
        self.loop = asyncio.new_event_loop()
        self._thread = Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.server = kind(model, tokens, **options)
        self.run(self.server.start())
        super().__init__(self.server.address, tokens)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE_S)

    def until(self, holds: Callable[[], bool]) -> None:
        """Let the server go on until a condition holds."""

        async def look() -> None:
            while not holds():
                await asyncio.sleep(0.001)

        self.run(asyncio.wait_for(look(), PATIENCE_S))

    @property
    def taken(self) -> int:
        return len(self.server.room.places.taken)

    def end(self) -> None:
        self.run(self.server.drain())
        self.leave()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@contextmanager
def class_of(model: ListeningModel, learners: int, **options: Any) -> Iterator[Class]:
    served = Class(model, learners, **{"drain_s": 1.0, **options})
    try:
        yield served
    finally:
        served.end()


class Learner:
    """A client that speaks the wire messages itself."""

    def __init__(
        self,
        served: Reached,
        learner: int = 0,
        page: str = "page",
        session: int | None = None,
        seen: int = 0,
        **options: Any,
    ) -> None:
        self.socket = served.connect(learner, **options)
        self.events: list[Event] = []
        self.told: list[dict[str, Any]] = []
        self.sent = 0
        hello = {"type": "hello", "protocol": PROTOCOL_VERSION, "seen": seen, "session": session, "page": page}
        self.socket.send(pack(hello))

    def send(self, message: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        self.socket.send(pack(message, buffers))

    def take(self) -> dict[str, Any]:
        """Receive the next message; events are collected."""
        message, _ = unpack(self.socket.recv(PATIENCE_S))
        if message["type"] == "events":
            self.events += [Event.from_json(event) for event in message["events"]]
        else:
            self.told.append(message)
        return message

    def hear(self, kind: str) -> dict[str, Any]:
        """Receive messages up to one of a type."""
        while (message := self.take())["type"] != kind:
            pass
        return message

    def until(self, holds: Callable[[list[Event]], bool]) -> list[Event]:
        while not holds(self.events):
            self.take()
        return self.events

    def until_closed(self) -> int:
        """Receive everything until the server closes, and return its code."""
        try:
            while True:
                self.take()
        except ConnectionClosed:
            return self.socket.close_code or 0

    def set(self, **changes: Any) -> dict[str, Any]:
        self.send({"type": "set", "changes": changes, "request": 1})
        return self.hear("model")

    def open(self, rate: int = 16_000, tail_s: float = 0.0) -> None:
        self.send({"type": "open", "stream": 1, "source": "mic", "name": "test", "rate": rate, "tail_s": tail_s})

    def block(self, samples: np.ndarray, rate: int = 16_000, seq: int | None = None) -> None:
        number = self.sent if seq is None else seq
        self.send(
            {"type": "block", "stream": 1, "seq": number, "rate": rate, "format": "float32", "time_s": 0.0},
            [np.ascontiguousarray(samples, "<f4").tobytes()],
        )
        self.sent = number + 1

    def vanish(self) -> None:
        """Lose the network: the socket ends without a closing handshake."""
        self.socket.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
