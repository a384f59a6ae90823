"""`ClassApp`: a class behind a server that speaks ASGI, such as the proxy of Ray Serve.

An ASGI server answers pings by itself and cannot be made to stop reading, so `AsgiSocket` bounds what is unread, and
such a server must ping its clients and cut those off that do not answer (uvicorn and Ray Serve do, after 40 s).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any, TypeAlias

from websockets.frames import CloseCode

from .classroom import UNKNOWN_TOKEN, Classroom
from .limits import MAX_FRAME_BYTES, PATH, UNREAD_BYTES, UNREAD_MESSAGES
from .metrics import PROMETHEUS
from .plain_response import headers_of
from .socket import SocketClosedError

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Answers: TypeAlias = Callable[[], Awaitable[bytes]]
TEXT, JSON = "text/plain; charset=utf-8", "application/json"

logger = logging.getLogger(__name__)


class AsgiSocket:
    """Accepted WebSocket of an ASGI server; see `socket.Socket`.

    Parameters
    ----------
    receive, send
        As ASGI gives them.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._unread: deque[str | bytes] = deque()
        self._size = 0
        self._changed = asyncio.Event()
        self._code: int | None = None
        self._closed = False
        self._reading = asyncio.create_task(self._read())
        self._closing: asyncio.Task[None] | None = None

    @property
    def close_code(self) -> int | None:
        """Code with which the client closed the socket."""
        return self._code

    async def receive(self) -> str | bytes:
        """Return the next frame; after the end of the socket nothing that is unread."""
        while not self._unread and not self._closed:
            self._changed.clear()
            await self._changed.wait()
        if self._closed:
            raise SocketClosedError
        frame = self._unread.popleft()
        self._size -= len(frame)
        return frame

    async def send(self, frame: str | bytes) -> None:
        """Send a frame."""
        if self._closed:
            raise SocketClosedError
        await self._give({"type": "websocket.send", "text" if isinstance(frame, str) else "bytes": frame})

    async def answers(self, seconds: float) -> bool:  # noqa: ARG002 - as `Socket`
        """Return True: the ASGI server pings the client."""
        return True

    async def close(self, code: int, reason: str) -> None:
        """Close the socket."""
        if not self._closed:
            self._end()
            with suppress(SocketClosedError):
                await self._give({"type": "websocket.close", "code": code, "reason": reason})
        self._reading.cancel()

    def abort(self) -> None:
        """Close the socket without waiting for the client, whose connection the ASGI server then ends."""
        self._closing = asyncio.create_task(self.close(CloseCode.INTERNAL_ERROR, "cut off"))

    async def _give(self, message: Message) -> None:
        try:
            await self._send(message)
        except Exception as error:
            # Each ASGI server has its own classes for a client that is gone.
            self._end()
            raise SocketClosedError from error

    async def _read(self) -> None:
        try:
            while not self._closed:
                message = await self._receive()
                if message["type"] == "websocket.disconnect":
                    self._code = message.get("code")
                    self._end()
                elif message["type"] == "websocket.receive":
                    await self._take(message.get("text") or message.get("bytes") or "")
        except Exception as error:  # noqa: BLE001 - of a server whose own connection to the client is lost
            logger.info("A client's messages cannot be received any more: %s", type(error).__name__)
            self._end()

    async def _take(self, frame: str | bytes) -> None:
        self._unread.append(frame)
        self._size += len(frame)
        self._changed.set()
        if len(frame) > MAX_FRAME_BYTES:
            await self.close(CloseCode.MESSAGE_TOO_BIG, "message too big")
        elif self._size > UNREAD_BYTES or len(self._unread) > UNREAD_MESSAGES:
            await self.close(CloseCode.POLICY_VIOLATION, "too much at once")

    def _end(self) -> None:
        self._closed = True
        self._changed.set()


class ClassApp:
    """ASGI application of a class.

    Parameters
    ----------
    room
        The class.
    origins
        Origins of web pages that may connect. Programs send none, and are admitted by their token.
    health, figures
        Return what `/health` and `/metrics` say; those of the class alone by default.

    Examples
    --------
    >>> uvicorn.run(ClassApp(Classroom(aiw.load_model("tiny"), Tokens.read(path))))
    """

    def __init__(
        self,
        room: Classroom,
        origins: Sequence[str] = (),
        health: Answers | None = None,
        figures: Answers | None = None,
    ) -> None:
        self._room, self._origins = room, set(origins)
        self._health, self._figures = health or self._own_health, figures or self._own_figures

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, WebSocket or lifespan."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope["path"], send)
        elif scope["type"] == "websocket":
            await self._open(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Run the rounds between the start and the end of the ASGI server."""
        await receive()
        self._room.driver.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.to_thread(self._room.driver.stop)
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, path: str, send: Send) -> None:
        if path == "/health":
            await _respond(send, HTTPStatus.OK, JSON, await self._health())
        elif path == "/metrics":
            await _respond(send, HTTPStatus.OK, PROMETHEUS, await self._figures())
        else:
            await _respond(send, HTTPStatus.NOT_FOUND, TEXT, f"Sessions are at {PATH}.".encode())

    async def _open(self, scope: Message, receive: Receive, send: Send) -> None:
        """Check path, origin and token before the socket is opened. No path is logged: it may hold a token."""
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        await receive()
        origin = headers.get(b"origin")
        if scope["path"] != PATH:
            await _refuse(scope, send, HTTPStatus.NOT_FOUND, f"Sessions are at {PATH}.")
        elif origin is not None and origin not in self._origins:
            await _refuse(scope, send, HTTPStatus.FORBIDDEN, "Pages of this origin may not connect.")
        elif (learner := self._room.learner(headers.get(b"authorization"))) is None:
            await _refuse(scope, send, HTTPStatus.UNAUTHORIZED, UNKNOWN_TOKEN)
        else:
            await send({"type": "websocket.accept"})
            socket = AsgiSocket(receive, send)
            try:
                await self._room.serve(socket, learner)
            finally:
                await socket.close(CloseCode.NORMAL_CLOSURE, "")

    async def _own_health(self) -> bytes:
        return json.dumps(self._room.health()).encode()

    async def _own_figures(self) -> bytes:
        return self._room.figures()


async def _respond(send: Send, status: HTTPStatus, kind: str, body: bytes, of: str = "http") -> None:
    listed = [(name.encode(), value.encode()) for name, value in headers_of(kind, body).items()]
    await send({"type": f"{of}.response.start", "status": status.value, "headers": listed})
    await send({"type": f"{of}.response.body", "body": body})


async def _refuse(scope: Message, send: Send, status: HTTPStatus, sentence: str) -> None:
    """Refuse to open a socket; a server without the extension for statuses answers 403."""
    if "websocket.http.response" in scope.get("extensions", {}):
        await _respond(send, status, TEXT, sentence.encode(), "websocket.http")
    else:
        await send({"type": "websocket.close", "code": int(CloseCode.POLICY_VIOLATION), "reason": sentence})
