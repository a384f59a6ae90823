"""`ClassServer`: a class on one model in one process: WebSockets, `/health`, `/metrics`, and an orderly end."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from ..session.listening import ListeningModel
from .classroom import UNKNOWN_TOKEN, Classroom
from .limits import CLOSE_SECONDS, HELLO_SECONDS, MAX_FRAME_BYTES, PATH, READ_AHEAD
from .metrics import PROMETHEUS
from .plain_response import headers_of
from .socket import LibrarySocket
from .tokens import Tokens


class ClassServer:
    """A class on one model.

    Parameters
    ----------
    model
        Model or policy, loaded.
    tokens
        Tokens of the learners.
    host, port
        Address to listen at; port 0 for any free one.
    origins
        Origins of web pages that may connect. Programs send none, and are admitted by their token.
    **options
        Those of `Classroom`: `places`, `each`, `slow_s`, `drain_s`.

    Examples
    --------
    >>> server = ClassServer(aiw.load_model("tiny"), Tokens.generate(30))
    >>> await server.start()
    >>> await server.drain()
    """

    def __init__(
        self,
        model: ListeningModel,
        tokens: Tokens,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        origins: Sequence[str] = (),
        **options: Any,
    ) -> None:
        self._host, self._port, self._origins = host, port, origins
        self.room = Classroom(model, tokens, **options)
        self._server: Server | None = None

    @property
    def address(self) -> str:
        """Address for `AudioInteraction`, with the port in use."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"ws://{host}:{self._port}{PATH}"

    async def start(self) -> None:
        """Listen at the address, and start the driver.

        Raises
        ------
        OSError
            If the address cannot be used.
        """
        # At the level DEBUG the library writes headers, and so tokens.
        logging.getLogger("websockets").setLevel(logging.INFO)
        self._server = await serve(
            self._serve,
            self._host,
            self._port,
            process_request=self._process,
            origins=[None, *self._origins],  # type: ignore[list-item]
            compression=None,
            max_size=MAX_FRAME_BYTES,
            max_queue=READ_AHEAD,
            # A connection pings by itself (`Connection._watch`).
            ping_interval=None,
            open_timeout=HELLO_SECONDS,
            close_timeout=CLOSE_SECONDS,
            server_header=None,
        )
        self._port = next(iter(self._server.sockets)).getsockname()[1]
        self.room.driver.start()

    async def drain(self) -> None:
        """End the server as `Classroom.drain` does."""
        await self.room.drain()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        await asyncio.to_thread(self.room.driver.stop)

    # Of the library --------------------------------------------------------------------------------------------------

    async def _serve(self, connection: ServerConnection) -> None:
        # `_process` refuses a client without a token before this.
        request = connection.request
        learner = None if request is None else self.room.learner(request.headers.get("Authorization"))
        if learner is not None:
            await self.room.serve(LibrarySocket(connection), learner)

    def _process(self, _: ServerConnection, request: Request) -> Response | None:
        """Answer plain requests, and check the token of one for a WebSocket. No path is logged: it may hold a token."""
        path = request.path.partition("?")[0]
        if path == "/health":
            return _response(HTTPStatus.OK, "application/json", json.dumps(self.room.health()).encode())
        if path == "/metrics":
            return _response(HTTPStatus.OK, PROMETHEUS, self.room.figures())
        if path != PATH:
            return _response(HTTPStatus.NOT_FOUND, "text/plain", f"Sessions are at {PATH}.".encode())
        if self.room.learner(request.headers.get("Authorization")) is None:
            return _response(HTTPStatus.UNAUTHORIZED, "text/plain", UNKNOWN_TOKEN.encode())
        return None


def _response(status: HTTPStatus, kind: str, body: bytes) -> Response:
    return Response(status.value, status.phrase, Headers({**headers_of(kind, body), "connection": "close"}), body)
