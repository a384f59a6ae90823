"""`ServerConnection`: the WebSocket of one client, which is opened again where it is lost.

All calls block, and are made on the thread that decides; only `interrupt` and `close` may be called on another one.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import suppress
from http import HTTPStatus
from threading import Event as Flag
from threading import RLock
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ...errors import MessageError, MissingPackageError, ServerError, SessionError, SettingError
from ...protocol import Event
from ..wire.frames import pack, unpack
from ..wire.limits import PROTOCOL_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from websockets.sync.client import ClientConnection

OPEN_SECONDS = 10.0
"""Time for the opening of a connection."""
ANSWER_SECONDS = 30.0
"""Time for an answer: a server that decides nothing for so long is taken as lost."""
RECONNECT_SECONDS = 30.0
"""Time in which a lost connection is tried again: the server keeps the place for a minute."""
PAUSE_SECONDS = (0.2, 0.5, 1.0, 2.0)
"""Pauses between the attempts; the last one repeats."""
CLOSE_SECONDS = 1.0
"""Time in which the server must answer the closing, since a widget is closed on the main thread."""
MAX_FRAME_BYTES = 8 * 1024 * 1024
"""Size of a message of the server: 500 events with all their alternatives take about 1 MB."""
FINAL = ("full", "draining", "message")
"""Codes of problems after which the server closes a connection for good."""
logger = logging.getLogger(__name__)


class ServerConnection:
    """A connection to a class server.

    Parameters
    ----------
    address, token
        Checked address and token.

    Attributes
    ----------
    welcome
        The server's answer to the hello.
    session
        Number of the session at the server.
    renewed
        Whether the server began another session, because it had given the place away when the client came again.

    Raises
    ------
    ServerError
        If the server cannot be reached, or does not admit this client.
    MissingPackageError
        If the package websockets is not installed.
    """

    def __init__(self, address: str, token: str) -> None:
        self.address, self._token = address, token
        self._page = uuid4().hex
        self._socket: ClientConnection | None = None
        self._closed = Flag()
        self._sending = RLock()
        self._events: deque[Event] = deque()
        self._answers: deque[Mapping[str, Any]] = deque()
        self._seen = 0
        self.session: int | None = None
        self.welcome: Mapping[str, Any] = {}
        self.renewed = False
        self._again(BusyError)

    @property
    def takes_pasts(self) -> bool:
        """Whether the server can go on with a session of another one."""
        return "resumed" in self.welcome

    def send(self, message: Mapping[str, Any], buffers: Sequence[bytes] = ()) -> bool:
        """Send a message. Return False where the connection was lost, and was opened again in place of that.

        Raises
        ------
        ServerError
            If it cannot be opened again.
        """
        from websockets.exceptions import ConnectionClosed

        try:
            self._live().send(pack(message, buffers))
        except ConnectionClosed:
            self._reopen()
            return False
        return True

    def interrupt(self) -> None:
        """Ask the server to end the running reply; do nothing where the connection is lost."""
        from websockets.exceptions import ConnectionClosed

        with suppress(ConnectionClosed, ServerError):
            self._live().send(pack({"type": "interrupt"}))

    def next_event(self) -> Event | None:
        """Return the next event; None where the connection was opened again, and what was sent may be lost."""
        event: Event | None = self._next(self._events)
        return event

    def answer(self) -> Mapping[str, Any]:
        """Return the next answer that is no event; an empty one where the connection was opened again."""
        return self._next(self._answers) or {}

    def forget_events(self) -> None:
        """Discard received events, before a new session."""
        self._events.clear()

    def close(self) -> None:
        """Leave the server, which frees the place at once. A call that waits on another thread ends with an error."""
        self._closed.set()
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.close()

    # The socket ------------------------------------------------------------------------------------------------------

    def _next(self, received: deque[Any]) -> Any:
        from websockets.exceptions import ConnectionClosed

        end = monotonic() + ANSWER_SECONDS
        while not received:
            try:
                self._take(self._live().recv(max(0.0, end - monotonic())))
                end = monotonic() + ANSWER_SECONDS
            except TimeoutError:
                raise ServerError(
                    f"The class server at {self.address} did not answer for {ANSWER_SECONDS:g} s."
                ) from None
            except ConnectionClosed:
                self._reopen()
                return None
        return received.popleft()

    def _live(self) -> ClientConnection:
        socket = self._socket
        if socket is None or self._closed.is_set():
            raise ServerError("The connection to the class server is closed; make a new widget to continue.")
        return socket

    def _take(self, frame: str | bytes) -> None:
        try:
            content, _ = unpack(frame)
            kind = content["type"]
            if kind == "events":
                self._take_events(content)
            elif kind == "reset":
                self.session, self._seen = int(content["session"]), 0
            elif kind == "problem" and content["code"] == "busy":
                raise BusyError(str(content["message"]))
            elif kind == "problem" and content["code"] in FINAL:
                raise ServerError(str(content["message"]))
            elif kind == "problem" and content["code"] == "resume":
                self._answers.append({"refused": SessionError(str(content["message"]))})
            elif kind == "problem" and content["code"] == "setting":
                self._answers.append({"refused": SettingError(str(content["message"]), tuple(content["names"]))})
            elif kind == "problem":
                logger.warning("The class server: %s", content["message"])
            elif kind == "model":
                self._answers.append(content)
        except (MessageError, KeyError, TypeError, ValueError) as error:
            raise ServerError(f"The class server sent something that this version cannot read: {error}") from error

    def _take_events(self, content: Mapping[str, Any]) -> None:
        if content["session"] != self.session:
            return
        events = [Event.from_json(each) for each in content["events"]]
        self._events.extend(events[max(0, self._seen - content["first"]) :])
        self._seen = max(self._seen, content["first"] + len(events))

    def _open(self) -> None:
        try:
            from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
            from websockets.sync.client import connect
        except ImportError as error:
            raise MissingPackageError(
                "A class server is reached with the package websockets: pip install 'ai_widgets[serve]'."
            ) from error
        try:
            socket = connect(
                self.address,
                additional_headers={"Authorization": f"Bearer {self._token}"},
                compression=None,
                open_timeout=OPEN_SECONDS,
                close_timeout=CLOSE_SECONDS,
                max_size=MAX_FRAME_BYTES,
                # A server that waits for its model answers no pings; `ANSWER_SECONDS` ends the wait for it.
                ping_timeout=None,
            )
            self._socket = socket
            socket.send(pack(self._hello()))
            while not self._welcomed(socket.recv(ANSWER_SECONDS)):
                pass
        except ServerError:
            # What the server told, which is an OSError too.
            raise
        except InvalidStatus as error:
            status = error.response.status_code
            # A proxy answers with a status from 500 on while no replica is there.
            kind = UnreachableError if status >= HTTPStatus.INTERNAL_SERVER_ERROR else ServerError
            raise kind(_refusal(self.address, status)) from None
        except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed) as error:
            raise UnreachableError(f"The class server at {self.address} cannot be reached: {error}.") from error

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello",
            "protocol": PROTOCOL_VERSION,
            "seen": self._seen,
            "session": self.session,
            "page": self._page,
        }

    def _welcomed(self, frame: str | bytes) -> bool:
        """Take a message; return whether it was the welcome."""
        content, _ = unpack(frame)
        if not isinstance(content, dict) or content.get("type") != "welcome":
            self._take(frame)
            return False
        number, before = content["session"], self.session
        lost = not content.get("resumed", True) or number != before or content["first"] < self._seen
        if before is not None and lost:
            self.renewed, self._seen = True, 0
            self._events.clear()
        self._answers.clear()
        self.session, self.welcome = number, content
        return True

    def _reopen(self) -> None:
        """Open the connection again, for as long as the server may keep the place.

        Raises
        ------
        ServerError
            If that fails, or the server refuses.
        """
        self._check_told()
        try:
            self._again(UnreachableError)
        except UnreachableError as error:
            raise ServerError(
                f"The connection to the class server was lost and not restored in {RECONNECT_SECONDS:g} s; "
                f"what was heard is kept. Begin a new session (reset) when the server is back. ({error})"
            ) from error

    def _again(self, while_: type[ServerError]) -> None:
        """Open the connection, and try again for `RECONNECT_SECONDS` while an attempt raises an error of this class."""
        end, attempt = monotonic() + RECONNECT_SECONDS, 0
        while True:
            try:
                self._open()
                return
            except while_:
                if monotonic() >= end or self._closed.is_set():
                    raise
            self._closed.wait(PAUSE_SECONDS[min(attempt, len(PAUSE_SECONDS) - 1)])
            attempt += 1

    def _check_told(self) -> None:
        """Take the messages that came before the end of the connection: one may say why it ended."""
        from websockets.exceptions import ConnectionClosed

        with suppress(ConnectionClosed, TimeoutError):
            while True:
                self._take(self._live().recv(0))


class UnreachableError(ServerError):
    """Error for an attempt that may succeed later."""


class BusyError(UnreachableError):
    """Refusal by a replica without a free place, where another one may have one, or may be starting."""


def _refusal(address: str, status: int) -> str:
    if status == HTTPStatus.UNAUTHORIZED:
        return f"The class server at {address} does not know this token; ask the teacher for yours (token=…)."
    if status == HTTPStatus.NOT_FOUND:
        return f"There is no class server at {address}; check the address that the teacher gave."
    return f"The class server at {address}, or a proxy before it, refused the connection with the status {status}."
