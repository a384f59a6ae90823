"""The Jupyter server extension: what a kernel says goes out at once, and blocks of sound do not make it look busy."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_client.session import Session
from jupyter_server.extension.manager import ExtensionPackage
from jupyter_server.services.kernels.connection.base import serialize_msg_to_ws_v1
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from tornado.websocket import WebSocketClosedError, WebSocketHandler, websocket_connect

from ai_widgets import server_extension as server
from ai_widgets.cli.demo import SERVER_EXTENSION, open_demo
from ai_widgets.server_extension import PROTOCOL, SETTING, _load_jupyter_server_extension, prompt


class Connection:
    """As the server's own: made by the handler, connected once its line is open; it keeps what passes it."""

    log = logging.getLogger("test")
    session = Session(key=b"")
    subprotocol = PROTOCOL

    def __init__(self, websocket_handler: Any) -> None:
        self.websocket_handler = websocket_handler
        self.connected = False
        self.to_kernel: list[Any] = []
        self.to_page: list[str] = []

    def connect(self) -> str:
        self.connected = True
        return "connected"

    def handle_incoming_message(self, incoming_msg: Any) -> None:
        self.to_kernel.append(incoming_msg)

    def handle_outgoing_message(self, _stream: Any, outgoing_msg: list[bytes]) -> None:
        _, parts = self.session.feed_identities(outgoing_msg)
        message = self.session.deserialize(parts)
        self.to_page.append(message["content"].get("execution_state", message["msg_type"]))


SESSION = Session(key=b"")


def from_page(content: Any, kind: str = "comm_msg") -> tuple[Any, bytes]:
    """A message of a page, as the kernel understands it and as it comes over the line."""
    message = SESSION.msg(kind, content)
    parts = [SESSION.pack(message[part]) for part in ("header", "parent_header", "metadata", "content")]
    return message, serialize_msg_to_ws_v1([*parts, bytes(8)], "shell")


def comm(content: Any) -> Any:
    return {"comm_id": "c", "data": {"method": "custom", "content": content}}


def answers(parent: Any) -> list[list[bytes]]:
    """What a kernel says while it takes a message up."""
    said = [("status", {"execution_state": "busy"}), ("stream", {}), ("status", {"execution_state": "idle"})]
    return [[b"topic", *SESSION.serialize(SESSION.msg(kind, content, parent))] for kind, content in said]


def passed(connection: Any, content: Any, kind: str = "comm_msg") -> list[str]:
    """What of a kernel's answers to a message reaches the page."""
    message, line = from_page(content, kind)
    connection.handle_incoming_message(line)
    assert connection.to_kernel[-1] is line
    for answer in answers(message):
        connection.handle_outgoing_message("iopub", answer)
    return connection.to_page[-3:]


BLOCK = {"type": "block", "stream": 1, "seq": 0, "rate": 48_000, "time_s": 0.0, "captured_ms": 1.0, "sent_ms": 2.0}


def test_a_kernel_that_takes_up_a_block_of_sound_is_not_shown_as_busy() -> None:
    assert passed(prompt(Connection)(None), comm(BLOCK)) == ["stream", "idle"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (comm({"type": "hello"}), "comm_msg"),
        (comm({"type": "block", "text": "comm_msg"}), "comm_msg"),
        (comm("block"), "comm_msg"),
        ({"comm_id": "c", "data": {"method": "update", "state": {"value": 3}}}, "comm_msg"),
        ({"comm_id": "c", "data": []}, "comm_msg"),
        (comm(BLOCK), "comm_open"),
        ({"code": '"comm_msg"'}, "execute_request"),
    ],
)
def test_all_else_passes_as_it_is(content: Any, kind: str) -> None:
    assert passed(prompt(Connection)(None), content, kind) == ["busy", "stream", "idle"]


def test_what_is_no_message_passes_too() -> None:
    connection = prompt(Connection)(None)
    counted = (5).to_bytes(8, "little")
    for line in (b"", counted + b'"comm_msg"', counted + bytes(48) + b'"comm_msg"', "text"):
        connection.handle_incoming_message(line)
    assert len(connection.to_kernel) == 4


def test_a_second_page_is_spared_the_first_ones_blocks() -> None:
    derived = prompt(Connection)
    first, second = derived(None), derived(None)
    message, line = from_page(comm(BLOCK))
    first.handle_incoming_message(line)
    for answer in answers(message):
        second.handle_outgoing_message("iopub", answer)
    assert second.to_page == ["stream", "idle"]


def test_a_page_of_an_older_protocol_gets_all() -> None:
    connection = prompt(Connection)(None)
    connection.subprotocol = None
    assert passed(connection, comm(BLOCK)) == ["busy", "stream", "idle"]


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
    point = ExtensionPackage(name="ai_widgets.server_extension", enabled=True)
    assert point.validate()
    settings = {SETTING: Connection}
    _load_jupyter_server_extension(SimpleNamespace(web_app=SimpleNamespace(settings=settings)))
    assert issubclass(settings[SETTING], Connection)
    assert settings[SETTING] is not Connection


ASK = """
import sys
from jupyter_server.serverapp import ServerApp
app = ServerApp()
app.initialize(argv=sys.argv[1:], new_httpserver=False)
print("ai_widgets.server_extension is", app.jpserver_extensions.get("ai_widgets.server_extension"), file=sys.stderr)
"""
# The command writes into the environment; here that is a folder of the test.
ENABLE = """
import sys
import jupyter_core.paths
from jupyter_server.extension.serverextension import main
jupyter_core.paths.ENV_CONFIG_PATH[:] = [sys.argv.pop(1)]
main()
"""


class TestOptIn:
    """The wheel puts `server.json` into the environment's `jupyter_server_config.d`."""

    @pytest.fixture
    def environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        folder = tmp_path / "etc"
        (folder / "jupyter_server_config.d").mkdir(parents=True)
        shutil.copy(Path(server.__file__).with_name("server.json"), folder / "jupyter_server_config.d/ai_widgets.json")
        for name, value in (
            ("CONFIG_PATH", folder),
            ("CONFIG_DIR", tmp_path / "user"),
            ("RUNTIME_DIR", tmp_path / "run"),
        ):
            monkeypatch.setenv(f"JUPYTER_{name}", str(value))
        return folder

    def run(self, script: str, *arguments: str) -> str:
        done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    @pytest.mark.usefixtures("environment")
    def test_installed_it_is_off(self) -> None:
        assert "ai_widgets.server_extension is False" in self.run(ASK, "--allow-root")

    @pytest.mark.usefixtures("environment")
    def test_the_demo_and_the_measurements_switch_it_on_for_their_server(self) -> None:
        assert "ai_widgets.server_extension is True" in self.run(ASK, "--allow-root", SERVER_EXTENSION)

    def test_the_demo_does(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        commands: list[list[str]] = []
        monkeypatch.setattr(subprocess, "Popen", lambda command: commands.append(command) or SimpleNamespace(wait=int))
        assert open_demo(8888, browser=False, folder=str(tmp_path)) == 0
        assert SERVER_EXTENSION in commands[0]

    def test_one_command_switches_it_on_and_an_upgrade_leaves_it_on(self, environment: Path) -> None:
        assert "successfully enabled" in self.run(ENABLE, str(environment), "enable", "ai_widgets.server_extension")
        shutil.copy(
            Path(server.__file__).with_name("server.json"), environment / "jupyter_server_config.d/ai_widgets.json"
        )
        assert "ai_widgets.server_extension is True" in self.run(ASK, "--allow-root")
