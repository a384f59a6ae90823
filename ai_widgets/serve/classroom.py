"""`Classroom`: one model with its places, rounds and clients, behind any server of WebSockets.

What a client is told, admission, limits and the orderly end are here and in `connection`, once for the server of this
package (`server.ClassServer`) and for servers that speak ASGI, such as a replica of Ray Serve (`asgi.ClassApp`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from websockets.frames import CloseCode

from ..session.listening import ListeningModel
from .connection import Connection
from .driver import Driver
from .limits import CLOSE_SECONDS, DRAIN_SECONDS, PLACES, PLACES_EACH, SLOW_SECONDS
from .metrics import Metrics
from .places import Places
from .socket import Socket, SocketClosedError
from .tokens import Tokens

UNKNOWN_TOKEN = "The token is missing or not one of this class server's; ask the teacher for yours."  # noqa: S105
logger = logging.getLogger(__name__)


class Classroom:
    """A class on one model.

    Parameters
    ----------
    model
        Model or policy, loaded.
    tokens
        Tokens of the learners.
    places, each
        Sessions at a time, and of one learner.
    slow_s, drain_s
        Seconds in which a client must take a message, and in which replies may end before the end.
    full
        Code with which a client is refused where all places are taken; see `Places`.
    """

    def __init__(
        self,
        model: ListeningModel,
        tokens: Tokens,
        *,
        places: int = PLACES,
        each: int = PLACES_EACH,
        slow_s: float = SLOW_SECONDS,
        drain_s: float = DRAIN_SECONDS,
        full: str = "full",
    ) -> None:
        self._tokens, self._slow_s, self._drain_s = tokens, slow_s, drain_s
        self.metrics = Metrics()
        self.driver = Driver(self.metrics.measured)
        self.places = Places(model, self.driver, places, each, full=full)
        self.connections: set[Connection] = set()

    def learner(self, authorization: str | None) -> str | None:
        """Return the name of the learner whose token a header `Authorization` holds; None, counted, where it does not.

        Nothing of the header is logged.
        """
        found = self._tokens.learner(authorization)
        if found is None:
            self.metrics.refused.labels("token").inc()
        return found

    async def serve(self, socket: Socket, learner: str) -> None:
        """Serve a client whose token was right, until its socket is closed."""
        connection = Connection(socket, learner, self.places, self.driver, self.metrics, self.connections, self._slow_s)
        self.connections.add(connection)
        try:
            await connection.run()
        except SocketClosedError:
            logger.debug("A client closed its socket.")
        except Exception:
            # A fault of this program; the other clients are not affected, and this one may connect again.
            logger.exception("The connection of %s failed.", connection.learner)
            raise
        finally:
            self.connections.discard(connection)

    async def drain(self) -> None:
        """Admit no one, finish what is pending, tell the clients, and close their sockets; in `drain_s` seconds.

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

    def health(self) -> dict[str, Any]:
        """Return what `/health` says: whether learners are admitted, and how many places are taken."""
        return {
            "status": "draining" if self.places.draining else "ok",
            "places": self.places.limit,
            "taken": len(self.places.taken),
        }

    def figures(self) -> bytes:
        """Return what `/metrics` says, in the format of Prometheus."""
        return self.metrics.page(self.places.limit, self.places.taken)

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
