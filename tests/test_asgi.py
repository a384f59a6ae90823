"""The WebSocket of a server that speaks ASGI, which cannot make a client wait."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from ai_widgets.inference import Model
from ai_widgets.serve.asgi import AsgiSocket, ClassApp
from ai_widgets.serve.classroom import Classroom
from ai_widgets.serve.limits import MAX_FRAME_BYTES, UNREAD_BYTES, UNREAD_MESSAGES
from ai_widgets.serve.socket import SocketClosedError
from ai_widgets.serve.tokens import Tokens


class Client:
    """The other end of an ASGI socket."""

    def __init__(self) -> None:
        self.coming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.got: list[dict[str, Any]] = []
        self.gone = False
        self.taken = asyncio.Event()

    async def receive(self) -> Any:
        return await self.coming.get()

    async def send(self, message: Any) -> None:
        if self.gone:
            raise OSError("gone")
        self.got.append(message)
        self.taken.set()

    def say(self, frame: bytes) -> None:
        self.coming.put_nowait({"type": "websocket.receive", "bytes": frame, "text": None})

    async def closed(self) -> int:
        while not self.got or self.got[-1]["type"] != "websocket.close":
            self.taken.clear()
            await self.taken.wait()
        return int(self.got[-1]["code"])


def run(steps: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(steps, 10))


@pytest.mark.parametrize(
    ("frame", "count", "code"),
    [
        (bytes(MAX_FRAME_BYTES), UNREAD_BYTES // MAX_FRAME_BYTES + 1, 1008),
        (b"x", UNREAD_MESSAGES + 1, 1008),
        (bytes(MAX_FRAME_BYTES + 1), 1, 1009),
    ],
)
def test_a_client_that_sends_more_than_is_kept_unread_is_disconnected(frame: bytes, count: int, code: int) -> None:
    async def steps() -> None:
        client = Client()
        socket = AsgiSocket(client.receive, client.send)
        for _ in range(count):
            client.say(frame)
        assert await client.closed() == code
        with pytest.raises(SocketClosedError):
            await socket.receive()

    run(steps())


def test_frames_that_are_read_in_time_do_not_count() -> None:
    async def steps() -> None:
        client = Client()
        socket = AsgiSocket(client.receive, client.send)
        for _ in range(3 * UNREAD_BYTES // MAX_FRAME_BYTES):
            client.say(bytes(MAX_FRAME_BYTES))
            assert len(await socket.receive()) == MAX_FRAME_BYTES
        await socket.close(1000, "")

    run(steps())


def test_a_client_that_is_gone_closes_the_socket_whatever_the_server_raises() -> None:
    async def steps() -> None:
        client = Client()
        socket = AsgiSocket(client.receive, client.send)
        client.gone = True
        for _ in range(2):
            with pytest.raises(SocketClosedError):
                await socket.send(b"event")
        await socket.close(1000, "")

    run(steps())


def test_a_server_that_can_receive_no_more_closes_the_socket() -> None:
    async def steps() -> None:
        async def lost() -> Any:
            raise OSError("the proxy is gone")

        with pytest.raises(SocketClosedError):
            await AsgiSocket(lost, Client().send).receive()

    run(steps())


def test_a_client_that_leaves_says_so_with_its_code() -> None:
    async def steps() -> None:
        client = Client()
        socket = AsgiSocket(client.receive, client.send)
        client.coming.put_nowait({"type": "websocket.disconnect", "code": 1001})
        with pytest.raises(SocketClosedError):
            await socket.receive()
        assert socket.close_code == 1001

    run(steps())


@pytest.mark.parametrize(("extensions", "kind"), [({"websocket.http.response": {}}, "start"), ({}, "close")])
def test_a_wrong_token_opens_no_socket_on_any_server(toy: Model, extensions: dict[str, Any], kind: str) -> None:
    async def steps() -> None:
        client = Client()
        client.coming.put_nowait({"type": "websocket.connect"})
        scope = {"type": "websocket", "path": "/session", "extensions": extensions}
        scope["headers"] = [(b"authorization", b"Bearer wrong")]
        await ClassApp(Classroom(toy, Tokens.generate(1)))(scope, client.receive, client.send)
        assert client.got[0]["type"].rpartition(".")[2] == kind
        assert client.got[0].get("status", 401) == 401

    run(steps())
