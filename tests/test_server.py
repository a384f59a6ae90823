"""The Jupyter server extension: small messages from a kernel do not wait for one another."""

from __future__ import annotations

import asyncio
import logging
import socket
from types import SimpleNamespace

from jupyter_server.extension.manager import ExtensionPackage
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from tornado.websocket import WebSocketClosedError, WebSocketHandler, websocket_connect

from ai_widgets.server import SETTING, _load_jupyter_server_extension, prompt


class Connection:
    """As the server's own: made by the handler, connected once its line is open."""

    log = logging.getLogger("test")

    def __init__(self, websocket_handler: WebSocketHandler) -> None:
        self.websocket_handler = websocket_handler
        self.connected = False

    def connect(self) -> str:
        self.connected = True
        return "connected"


def test_the_line_to_a_page_sends_at_once() -> None:
    seen: list[int] = []

    class Handler(WebSocketHandler):
        def open(self) -> None:
            connection = prompt(Connection)(self)
            assert connection.connect() == "connected"
            stream = self.ws_connection.stream.socket
            seen.append(stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    async def visit() -> None:
        listener, port = bind_unused_port()
        server = HTTPServer(Application([("/", Handler)]))
        server.add_socket(listener)
        page = await websocket_connect(f"ws://127.0.0.1:{port}/")
        page.close()
        await page.read_message()
        server.stop()

    asyncio.run(visit())
    assert seen == [1]


def test_a_page_that_left_already_is_no_error() -> None:
    def gone(_: bool) -> None:
        raise WebSocketClosedError

    connection = prompt(Connection)(SimpleNamespace(set_nodelay=gone))
    assert connection.connect() == "connected"


def test_the_server_finds_the_extension_and_its_connections_are_prompt() -> None:
    point = ExtensionPackage(name="ai_widgets.server", enabled=True)
    assert point.validate()
    settings = {SETTING: Connection}
    _load_jupyter_server_extension(SimpleNamespace(web_app=SimpleNamespace(settings=settings)))
    assert issubclass(settings[SETTING], Connection)
    assert settings[SETTING] is not Connection
