"""A Jupyter server extension that sends what kernels say at once.

jupyter_server leaves Nagle's algorithm on for the line between it and the page: of several small messages only the
first goes out, the others wait until the browser has acknowledged it, which it does up to 40 ms later. A microphone
makes such messages ten times a second (each block sets the kernel busy and idle), so a decision that takes 20 ms
arrived 25 ms late. Installed with the package, for the server to load; ``jupyter server extension disable
ai_widgets.server`` turns it off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado.websocket import WebSocketClosedError

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

SETTING = "kernel_websocket_connection_class"
"""Where the server keeps the class of a connection between a page and a kernel; its documented configuration."""


def prompt(connection: type[Any]) -> type[Any]:
    """Derive a connection class whose messages do not wait for one another."""

    class PromptConnection(connection):  # type: ignore[misc]
        def connect(self) -> Any:
            try:
                self.websocket_handler.set_nodelay(True)
            except WebSocketClosedError:
                self.log.debug("The page left before its line was set up.")
            return super().connect()

    return PromptConnection


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "ai_widgets.server"}]


def _load_jupyter_server_extension(serverapp: ServerApp) -> None:
    settings = serverapp.web_app.settings
    settings[SETTING] = prompt(settings[SETTING])
