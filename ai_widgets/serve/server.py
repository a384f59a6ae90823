"""`ClassServer`: one model, many learners: WebSockets, `/health`, `/metrics`, and an orderly end."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from ..session.listening import ListeningModel
from .connection import Connection
from .driver import Driver
from .limits import (
    DRAIN_SECONDS,
    HELLO_SECONDS,
    MAX_FRAME_BYTES,
    PATH,
    PLACES,
    PLACES_EACH,
    READ_AHEAD,
    SLOW_SECONDS,
)
from .metrics import Metrics
from .places import Places
from .tokens import Tokens

CLOSE_SECONDS = 2.0
"""Seconds in which a client must answer the closing of its socket."""
UNKNOWN_TOKEN = "The token is missing or not one of this class server's; ask the teacher for yours."  # noqa: S105
logger = logging.getLogger(__name__)


class ClassServer:
    """A class on one model.

    Parameters
    ----------
    model
        Model or policy, loaded.
    tokens
        Tokens of the learners.
    places, each
        Sessions at a time, and of one learner.
    host, port
        Address to listen at; port 0 for any free one.
    origins
        Origins of web pages that may connect. Programs send none, and are admitted by their token.
    slow_s, drain_s
        Seconds in which a client must take a message, and in which replies may end before the server ends.

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
        places: int = PLACES,
        each: int = PLACES_EACH,
        host: str = "127.0.0.1",
        port: int = 0,
        origins: Sequence[str] = (),
        slow_s: float = SLOW_SECONDS,
        drain_s: float = DRAIN_SECONDS,
    ) -> None:
        self._tokens, self._host, self._port, self._origins = tokens, host, port, origins
        self._slow_s, self._drain_s = slow_s, drain_s
        self.metrics = Metrics()
        self.driver = Driver(self.metrics.measured)
        self.places = Places(model, self.driver, places, each)
        self.connections: set[Connection] = set()
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
        self.driver.start()

    async def drain(self) -> None:
        """End the server: admit no one, finish what is pending, tell the clients, and close; in `drain_s` seconds.

        Replies that are not complete then end as interrupted, which their clients are sent.
        """
        self.places.draining = True
        connections = list(self.connections)
        logger.info("The server is draining: %d clients.", len(connections))
        if await self._unsettled(connections, self._drain_s):
            for place in self.places.taken:
                if place.session is not None:
                    place.session.interrupt()
            await self._unsettled(connections, CLOSE_SECONDS)
        await asyncio.gather(*(self._dismiss(each) for each in connections))
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        await asyncio.to_thread(self.driver.stop)

    @staticmethod
    async def _unsettled(connections: Sequence[Connection], seconds: float) -> bool:
        """Wait until all audio is decided and all events are sent. Return whether that took too long for some."""
        if not connections:
            return False
        waits = [asyncio.ensure_future(each.settled()) for each in connections]
        _, late = await asyncio.wait(waits, timeout=seconds)
        for each in late:
            each.cancel()
        return bool(late)

    async def _dismiss(self, connection: Connection) -> None:
        await connection.tell("draining", "The class server is shutting down; the session ends here.")
        await connection.close(CloseCode.GOING_AWAY, "draining")

    # Of the library --------------------------------------------------------------------------------------------------

    async def _serve(self, socket: ServerConnection) -> None:
        learner = None if socket.request is None else self._learner(socket.request)
        if learner is None:
            # `_process` lets no such client through.
            return
        connection = Connection(socket, learner, self.places, self.driver, self.metrics, self.connections, self._slow_s)
        self.connections.add(connection)
        try:
            await connection.run()
        except ConnectionClosed:
            logger.debug("A client closed its socket.")
        except Exception:
            # A fault of this program; the other clients are not affected, and this one may connect again.
            logger.exception("The connection of %s failed.", connection.learner)
            raise
        finally:
            self.connections.discard(connection)

    def _process(self, _: ServerConnection, request: Request) -> Response | None:
        """Answer plain requests, and check the token of one for a WebSocket. No path is logged: it may hold a token."""
        path = request.path.partition("?")[0]
        if path == "/health":
            return _response(HTTPStatus.OK, "application/json", json.dumps(self.health()).encode())
        if path == "/metrics":
            page = self.metrics.page(self.places.limit, self.places.taken)
            return _response(HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", page)
        if path != PATH:
            return _response(HTTPStatus.NOT_FOUND, "text/plain", f"Sessions are at {PATH}.".encode())
        if self._learner(request) is None:
            self.metrics.refused.labels("token").inc()
            return _response(HTTPStatus.UNAUTHORIZED, "text/plain", UNKNOWN_TOKEN.encode())
        return None

    def _learner(self, request: Request) -> str | None:
        """Return the name of the learner whose token a request holds, or None."""
        return self._tokens.learner(request.headers.get("Authorization"))

    def health(self) -> dict[str, Any]:
        """Return what `/health` says: whether learners are admitted, and how many places are taken."""
        return {
            "status": "draining" if self.places.draining else "ok",
            "places": self.places.limit,
            "taken": len(self.places.taken),
        }


def _response(status: HTTPStatus, kind: str, body: bytes) -> Response:
    headers = Headers(
        {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Connection": "close",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
    )
    return Response(status.value, status.phrase, headers, body)
