"""`Socket`: what a connection needs of a WebSocket, and the WebSocket of the package websockets in this form."""

from __future__ import annotations

import asyncio
from typing import Protocol

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed


class SocketClosedError(Exception):
    """End of a socket: nothing more can be received or sent."""


class Socket(Protocol):
    """Open WebSocket of one client. `asgi.AsgiSocket` is the one behind a server that speaks ASGI."""

    @property
    def close_code(self) -> int | None:
        """Code with which the client closed the socket; None while it is open, or if it was lost."""

    async def receive(self) -> str | bytes:
        """Return the next frame.

        Raises
        ------
        SocketClosedError
            If the socket is closed.
        """

    async def send(self, frame: str | bytes) -> None:
        """Send a frame, and wait while the client takes none; raises as `receive`."""

    async def answers(self, seconds: float) -> bool:
        """Ping the client, and return whether it answered in time; raises as `receive`."""

    async def close(self, code: int, reason: str) -> None:
        """Close the socket; a client that does not answer is cut off."""

    def abort(self) -> None:
        """Cut the client off at once."""


class LibrarySocket:
    """WebSocket of the package websockets.

    Parameters
    ----------
    connection
        Open connection.
    """

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    @property
    def close_code(self) -> int | None:
        """Code with which the client closed the socket."""
        return self._connection.close_code

    async def receive(self) -> str | bytes:
        """Return the next frame."""
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            raise SocketClosedError from error

    async def send(self, frame: str | bytes) -> None:
        """Send a frame."""
        try:
            await self._connection.send(frame)
        except ConnectionClosed as error:
            raise SocketClosedError from error

    async def answers(self, seconds: float) -> bool:
        """Ping the client, and return whether it answered in time."""
        try:
            pong = await self._connection.ping()
        except ConnectionClosed as error:
            raise SocketClosedError from error
        answered, _ = await asyncio.wait([asyncio.ensure_future(pong)], timeout=seconds)
        return bool(answered)

    async def close(self, code: int, reason: str) -> None:
        """Close the socket."""
        await self._connection.close(code, reason)

    def abort(self) -> None:
        """Cut the client off at once."""
        self._connection.transport.abort()
