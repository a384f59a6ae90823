"""Jupyter server extension: kernel messages are sent without delay, and `busy` messages for audio blocks are dropped.

Blocks of a microphone arrive ten times a second, and for each one the kernel reports `busy` and `idle`.

jupyter_server leaves Nagle's algorithm on for the connection to the page: of several small messages only the first is
sent at once; the others wait for its acknowledgement, up to 40 ms. With the algorithm on, a decision that took 20 ms
arrived 25 ms late.

JupyterLab shows `busy` in the tab's icon, the status bar and the toolbar. Twenty changes a second took a tenth of the
page's time, and the status flickered. A kernel only queues a block, so its `busy` message for a block is dropped. Its
`idle` message is forwarded, because the page waits for it.

The extension is installed with the package, but off, because it changes all kernel connections of a server:
``jupyter server extension enable ai_widgets.server_extension`` enables it for the servers of an environment.
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
"""Documented setting of the server: the class of a connection between a page and a kernel."""
PROTOCOL = "v1.kernel.websocket.jupyter.org"
"""Wire protocol of JupyterLab 4; messages of an older page are forwarded unchanged."""
MOST_BLOCKS = 1000
"""Number of the newest blocks whose status messages may still arrive: those of 100 s."""
BLOCK_FIELDS = {"stream", "seq", "rate", "time_s", "captured_ms"}
"""Fields that distinguish a block of audio from other widgets' messages."""


def block_id(message: bytes) -> str | None:
    """Return the id of a page's message that is a block of audio; None for other messages."""
    if b'"comm_msg"' not in message[:4096]:
        return None
    try:
        _, (header, _, _, content, *_) = deserialize_msg_from_ws_v1(message)
        block = json.loads(content)["data"]["content"]
        of_sound = block["type"] == "block" and block.keys() >= BLOCK_FIELDS
        return str(json.loads(header)["msg_id"]) if of_sound else None
    except (ValueError, LookupError, TypeError):
        # Another widget's message, or a malformed one, which the server handles.
        return None


def busy_with(header: bytes, parent: bytes, content: bytes) -> str | None:
    """Return the id of the message that a kernel is busy with, from its `busy` message; None for other messages."""
    if b'"status"' not in header or b'"busy"' not in content:
        return None
    return str(json.loads(parent).get("msg_id", ""))


def prompt(connection: type[Any]) -> type[Any]:
    """Derive a connection class that sends messages without delay and drops `busy` messages for audio blocks.

    Parameters
    ----------
    connection
        The server's class: `connect`, `handle_incoming_message` and `handle_outgoing_message` are called, and
        `websocket_handler`, `session` and `subprotocol` read.
    """
    # Shared by all connections: a second page receives the status messages of the first page's blocks too.
    blocks: deque[str] = deque(maxlen=MOST_BLOCKS)

    class PromptConnection(connection):  # type: ignore[misc]
        def connect(self) -> Any:
            try:
                self.websocket_handler.set_nodelay(True)
            except WebSocketClosedError:
                self.log.debug("The page closed the connection before it was set up.")
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
