"""A class behind uvicorn, which is also the proxy of Ray Serve: the same protocol on another server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import uvicorn

from ai_widgets.serve.asgi import ClassApp
from ai_widgets.serve.classroom import Classroom
from ai_widgets.serve.limits import PATH
from ai_widgets.serve.tokens import Tokens
from ai_widgets.session.listening import ListeningModel


class AsgiServer:
    """What the tests use of `ClassServer`."""

    def __init__(self, model: ListeningModel, tokens: Tokens, *, origins: Sequence[str] = (), **options: Any) -> None:
        self.room = Classroom(model, tokens, **options)
        self._socket = socket.create_server(("127.0.0.1", 0))
        app = ClassApp(self.room, origins)
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
        self._task: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        return f"ws://127.0.0.1:{self._socket.getsockname()[1]}{PATH}"

    async def start(self) -> None:
        self._task = asyncio.create_task(self._server.serve([self._socket]))
        while not self._server.started:
            await asyncio.sleep(0.001)

    async def drain(self) -> None:
        await self.room.drain()
        self._server.should_exit = True
        if self._task is not None:
            await self._task
