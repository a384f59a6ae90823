"""`Connection`: one WebSocket of one learner: messages are checked and queued, events are sent as they come.

Nothing is decided here. Both directions are bounded: nothing more is read while much of the client's audio is
undecided, and a client that does not take its messages is disconnected, so that neither costs the others anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from websockets.frames import CloseCode

from ..errors import AiWidgetsError, MessageError
from ..widget.wire import messages, outgoing
from ..widget.wire.frames import pack, unpack
from ..widget.wire.limits import PROTOCOL_VERSION
from ..widget.wire.outbox import MAX_BATCH
from . import incoming
from .driver import Driver
from .limits import HELLO_SECONDS, MESSAGE_SECONDS, PING_SECONDS, SLOW_SECONDS
from .metrics import Metrics
from .place import Place
from .places import Places, RefusedError
from .socket import Socket, SocketClosedError

logger = logging.getLogger(__name__)

TELL_SECONDS = 1.0
"""Seconds for a message after which the socket is closed anyway."""
TOO_SLOW = "This client took no message for {:g} s, so that the class server closed the connection; it goes on now."
LEFT = (CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY)
"""Codes with which a client says that it will not come again."""


class Connection:
    """A client, from its hello to the end of its socket.

    Parameters
    ----------
    socket
        Open WebSocket of a learner whose token was right.
    learner
        Name of the learner.
    places, driver, metrics
        Parts of the server.
    others
        All connections of the server.
    slow_s, ping_s
        Time in which the client must take a message; time between two pings, and in which one must be answered.

    Attributes
    ----------
    place
        Place of the client; None until it is admitted.
    """

    def __init__(
        self,
        socket: Socket,
        learner: str,
        places: Places,
        driver: Driver,
        metrics: Metrics,
        others: Iterable[Connection],
        slow_s: float = SLOW_SECONDS,
        ping_s: float = PING_SECONDS,
    ) -> None:
        self._socket, self.learner, self._slow_s = socket, learner, slow_s
        self._places, self._driver, self._metrics = places, driver, metrics
        self._others, self._ping_s = others, ping_s
        self._held = self._closing = False
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._number = self._sent = 0
        self._room, self._caught_up, self._moved = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._ending: asyncio.Future[None] | None = None
        self.place: Place | None = None

    async def run(self) -> None:
        """Serve the client until its socket is closed."""
        try:
            await self._admit(await asyncio.wait_for(self._hello(), HELLO_SECONDS))
        except (MessageError, RefusedError, asyncio.TimeoutError) as error:
            await self._refuse(error)
            return
        except SocketClosedError:
            return
        place = self.place
        if place is None:
            return
        tasks = [asyncio.create_task(each) for each in (self._write(place), self._watch())]
        try:
            await self._read(place)
        except SocketClosedError:
            pass
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._leave(place)

    async def tell(self, code: str, sentence: str) -> None:
        """Send a problem out of turn; do nothing where the client takes nothing."""
        try:
            await asyncio.wait_for(self._socket.send(pack(outgoing.problem(code, sentence))), TELL_SECONDS)
        except (SocketClosedError, asyncio.TimeoutError):
            logger.debug("A client could not be told: %s", code)

    async def settled(self) -> None:
        """Wait until all audio so far is decided, and the client has been sent all events."""
        place = self.place
        if place is None or place.changed != self._wake:
            return
        while not place.idle:
            self._moved.clear()
            # The driver tells after each round, also of one that ended since `idle` was read.
            if not place.idle:
                await self._moved.wait()
        self._caught_up.clear()
        self._changed.set()
        await self._caught_up.wait()

    async def close(self, code: int, reason: str) -> None:
        """Close the socket; a client that does not answer is cut off."""
        # Reading may be held, and would not notice the end of the socket.
        self._closing = True
        self._notice()
        await self._socket.close(code, reason)

    def end(self, reason: str) -> None:
        """Begin to close the socket, and return at once."""
        self._notice()
        self._ending = asyncio.ensure_future(self.close(CloseCode.POLICY_VIOLATION, reason))

    # Hello -----------------------------------------------------------------------------------------------------------

    async def _hello(self) -> messages.Hello:
        message = incoming.parse(*unpack(await self._socket.receive()))
        if not isinstance(message, messages.Hello):
            raise MessageError("The first message must be a hello.")
        if message.protocol != PROTOCOL_VERSION:
            raise MessageError(
                f"The client uses protocol {message.protocol}, the server {PROTOCOL_VERSION}; install the version of "
                "ai_widgets that the server has."
            )
        return message

    async def _admit(self, hello: messages.Hello) -> None:
        place, resumed = self._places.admit(self.learner, hello.page)
        self.place = place
        # Another socket of this client may not have noticed yet that its network is gone.
        replaced = [other for other in self._others if other is not self and other.place is place]
        place.changed = self._wake
        # What a client that comes again lacks is sent without anything new.
        self._changed.set()
        for other in replaced:
            other.end("replaced")
        number, record = place.shown
        again = resumed and hello.session == number and hello.seen <= len(record)
        self._number, self._sent = number, hello.seen if again else 0
        welcome = outgoing.welcome(
            hello, False, number, place.describe(), place.settings.to_json(), {}, {"mode": "run"}, {}, {}, {}
        )
        await self._socket.send(pack({**welcome, "first": self._sent, "resumed": resumed}))
        logger.info("%s has a place (%d of %d taken).", self.learner, len(self._places.taken), self._places.limit)

    async def _refuse(self, error: Exception) -> None:
        code, sentence, close = "message", str(error), CloseCode.POLICY_VIOLATION
        if isinstance(error, RefusedError):
            code, close = error.code, CloseCode.TRY_AGAIN_LATER
        elif isinstance(error, asyncio.TimeoutError):
            sentence = f"No hello came within {HELLO_SECONDS:.0f} s."
        self._metrics.refused.labels(code).inc()
        await self.tell(code, sentence)
        await self._socket.close(close, code)

    def _leave(self, place: Place) -> None:
        if place.changed != self._wake:
            # The client has come again on another socket, which holds the place now.
            return
        place.changed = _nothing
        if self._socket.close_code in LEFT:
            self._metrics.forget(place)
            self._places.leave(place)
        else:
            self._places.vanished(place)

    # From the client -------------------------------------------------------------------------------------------------

    async def _read(self, place: Place) -> None:
        while True:
            frame = await self._socket.receive()
            if place.changed != self._wake:
                return
            try:
                seconds = place.put(incoming.parse(*unpack(frame)))
            except AiWidgetsError as error:
                self._metrics.problems.inc()
                place.answer(outgoing.problem("message", str(error), page=place.page))
                seconds = place.pace.take(MESSAGE_SECONDS)
                self._changed.set()
            self._driver.wake()
            if seconds:
                self._held = True
                await asyncio.sleep(seconds)
            while (place.full or self._places.draining) and place.changed == self._wake and not self._closing:
                self._held = True
                self._room.clear()
                await self._room.wait()

    async def _watch(self) -> None:
        """Cut off a client that answers no ping, except where its answers were not read.

        The library's own pings know nothing of that, and would end a session that waits for a slow model.
        """
        with suppress(SocketClosedError):
            while True:
                await asyncio.sleep(self._ping_s)
                self._held = self._place_full
                if not await self._socket.answers(self._ping_s) and not self._held:
                    self._socket.abort()

    @property
    def _place_full(self) -> bool:
        return self.place is not None and self.place.full

    # To the client ---------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Look for something to send, or for room to read; called on the driver's thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._notice)

    def _notice(self) -> None:
        self._changed.set()
        self._room.set()
        self._moved.set()

    async def _write(self, place: Place) -> None:
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                for message in place.answers():
                    await self._send(message)
                await self._send_events(place)
                self._caught_up.set()
        except asyncio.TimeoutError:
            self._metrics.slow.inc()
            logger.info("%s was disconnected: the client took nothing for %g s.", self.learner, self._slow_s)
            # The socket is full; the client is told when it comes again.
            place.answer(outgoing.problem("slow", TOO_SLOW.format(self._slow_s), page=place.page))
            self._socket.abort()
        except SocketClosedError:
            pass

    async def _send_events(self, place: Place) -> None:
        number, record = place.shown
        if number != self._number:
            self._number, self._sent = number, 0
        while batch := record.since(self._sent, MAX_BATCH):
            await self._send(outgoing.events(number, self._sent, batch, place.waiting))
            self._sent += len(batch)

    async def _send(self, message: dict[str, Any]) -> None:
        await asyncio.wait_for(self._socket.send(pack(message)), self._slow_s)


def _nothing() -> None:
    pass
