"""A Jupyter server extension for a stream of small messages: what kernels say goes out at once, and not more than that.

Blocks of a microphone come ten times a second, and each sets the kernel busy and idle.

jupyter_server leaves Nagle's algorithm on for the line between it and the page: of several small messages only the
first goes out, the others wait until the browser has acknowledged it, which it does up to 40 ms later. Without it a
decision that takes 20 ms arrived 25 ms late.

JupyterLab shows a kernel that turns busy in the tab's icon, the status bar and the toolbar, which for twenty changes a
second took a tenth of the page's time, and flickers. That a kernel is busy with a block of sound, which it only puts
aside, is therefore not passed on; that it is idle is, since the page waits for it.

Installed with the package, and off, since every kernel connection of a server would pass through it:
``jupyter server extension enable ai_widgets.server_extension`` turns it on for the servers of an environment.
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1
from tornado.websocket import WebSocketClosedError

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

SETTING = "kernel_websocket_connection_class"
"""Where the server keeps the class of a connection between a page and a kernel; its documented configuration."""
PROTOCOL = "v1.kernel.websocket.jupyter.org"
"""The wire protocol of JupyterLab 4; messages of an older page pass as they are."""
MOST_BLOCKS = 1000
"""Newest blocks whose answer may be on its way: those of 100 s."""
BLOCK_FIELDS = {"stream", "seq", "rate", "time_s", "captured_ms"}
"""What tells a block of sound from other widgets' messages."""


def block_id(message: bytes) -> str | None:
    """Id of a message from a page that is a block of sound, or None."""
    if b'"comm_msg"' not in message[:4096]:
        return None
    try:
        _, (header, _, _, content, *_) = deserialize_msg_from_ws_v1(message)
        block = json.loads(content)["data"]["content"]
        of_sound = block["type"] == "block" and block.keys() >= BLOCK_FIELDS
        return str(json.loads(header)["msg_id"]) if of_sound else None
    except (ValueError, LookupError, TypeError):
        # Another widget's message, or none at all; what is to be said of it the server says.
        return None


def busy_with(header: bytes, parent: bytes, content: bytes) -> str | None:
    """Id of the message with which a kernel says it is busy, where that is what it says; or None."""
    if b'"status"' not in header or b'"busy"' not in content:
        return None
    return str(json.loads(parent).get("msg_id", ""))


def prompt(connection: type[Any]) -> type[Any]:
    """Derive a connection class whose messages do not wait, and that keeps to itself what nobody needs.

    Parameters
    ----------
    connection
        The server's class: `connect`, `handle_incoming_message` and `handle_outgoing_message` are called, and
        `websocket_handler`, `session` and `subprotocol` read.
    """
    # Of all connections: a second page is told of the first one's blocks too.
    blocks: deque[str] = deque(maxlen=MOST_BLOCKS)

    class PromptConnection(connection):  # type: ignore[misc]
        def connect(self) -> Any:
            try:
                self.websocket_handler.set_nodelay(True)
            except WebSocketClosedError:
                self.log.debug("The page left before its line was set up.")
            return super().connect()

        def handle_incoming_message(self, incoming_msg: Any) -> None:
            if self.subprotocol == PROTOCOL and isinstance(incoming_msg, bytes):
                message = block_id(incoming_msg)
                if message is not None:
                    blocks.append(message)
            super().handle_incoming_message(incoming_msg)

        def handle_outgoing_message(self, stream: Any, outgoing_msg: list[Any]) -> None:
            if self.subprotocol == PROTOCOL:
                _, (_, header, parent, _, content, *_) = self.session.feed_identities(outgoing_msg)
                if busy_with(bytes(header), bytes(parent), bytes(content)) in blocks:
                    return
            super().handle_outgoing_message(stream, outgoing_msg)

    return PromptConnection


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "ai_widgets.server_extension"}]


def _load_jupyter_server_extension(serverapp: ServerApp) -> None:
    settings = serverapp.web_app.settings
    settings[SETTING] = prompt(settings[SETTING])
