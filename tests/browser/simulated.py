"""A simulated notebook host with the limits that Colab has and that Kaggle may have, around a real kernel and page.

Real: the kernel (ipykernel), its messages, the widget's front end, Chromium and its permissions policy.
Simulated, by this module: the host's page, its widget manager and the way of messages between page and kernel:

- What the kernel sends while it handles neither a cell nor a message never reaches the page (no background sends).
- Buffers are removed from messages, in both directions.
- Messages of the page are handled between cells: the kernel is not asked to use subshells.
- Outputs are in a frame of another origin. It may use the microphone only if the host's page allows it.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import tornado.web
import tornado.websocket
from jupyter_client.manager import AsyncKernelManager
from playwright.sync_api import Frame

from tests.server_process import free_port

from .page import PATIENCE_MS, Notebook

VIEW = "application/vnd.jupyter.widget-view+json"
SECONDS = PATIENCE_MS / 1000

OFFLINE = {"PIP_NO_INDEX": "1", "HF_HUB_OFFLINE": "1"}
"""Environment of the kernels: the first cell of a notebook finds the package installed, and asks no registry."""


@dataclass(frozen=True)
class Kind:
    """What distinguishes a host: its name, what it sets in its kernels, and whether its frame has the microphone."""

    name: str
    environment: dict[str, str]
    startup: str = ""
    microphone: bool = False


COLAB = Kind(
    "Colab",
    environment={"COLAB_RELEASE_TAG": "release-colab"},
    startup="import sys, types; sys.modules['google.colab'] = types.ModuleType('google.colab')",
    microphone=True,
)
KAGGLE = Kind("Kaggle", environment={"KAGGLE_KERNEL_RUN_TYPE": "Interactive"})

AROUND = """<!doctype html><title>{name}</title>
<iframe name=output width=1250 height=2400 {allow} src="http://localhost:{port}/output"></iframe>"""

OUTPUT = """<!doctype html><title>Output</title><body><script type=module>
const line = new WebSocket(`ws://${location.host}/line`);
const models = {};
class Model {
  handlers = {};
  constructor(id, state) { this.id = id; this.state = state; }
  get(name) { return this.state[name]; }
  on(name, handler) { (this.handlers[name] ??= new Set()).add(handler); }
  off(name, handler) { this.handlers[name]?.delete(handler); }
  emit(name, ...values) { for (const handler of [...this.handlers[name] ?? []]) handler(...values); }
  // The third argument, the buffers, is not sent on.
  send(content) { line.send(JSON.stringify({comm: this.id, content})); }
}
async function show(model) {
  // Views of ipywidgets, such as sliders, are not drawn.
  if (!model.get('_esm')) return;
  const style = document.createElement('style');
  style.textContent = model.get('_css');
  const module = await import(URL.createObjectURL(new Blob([model.get('_esm')], {type: 'text/javascript'})));
  const widget = typeof module.default === 'function' ? await module.default() : module.default;
  const el = document.createElement('div');
  document.body.append(style, el);
  await widget.initialize?.({model});
  await widget.render({model, el});
}
line.onmessage = ({data}) => {
  const {kind, comm, state, content} = JSON.parse(data);
  const model = models[comm];
  if (kind === 'open') models[comm] = new Model(comm, state);
  else if (kind === 'view') void show(model);
  else if (kind === 'update') {
    Object.assign(model.state, state);
    for (const name of Object.keys(state)) model.emit(`change:${name}`);
  } else if (kind === 'custom') model.emit('msg:custom', content, []);
  else if (kind === 'close') model.emit('comm:close');
};
</script>"""


@dataclass
class Outputs:
    """What a cell has written, and the values that it has shown."""

    texts: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class SimulatedHost:
    """One notebook of a simulated host.

    Attributes
    ----------
    withheld
        Number of messages that never reached the page, because the kernel sent them while it handled nothing.
    stripped
        Number of buffers that were removed from messages of the kernel.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind, self.port = kind, free_port()
        self.withheld = self.stripped = 0
        self._busy = False
        self._running: dict[str, tuple[Future[Outputs], Outputs]] = {}
        self._lines: list[tornado.websocket.WebSocketHandler] = []
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="simulated host")
        self._manager = AsyncKernelManager(kernel_name="python3")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self, folder: Path) -> None:
        """Start kernel and server; the kernel's IPython has `folder` to itself."""
        self._thread.start()
        self._do(self._start({**os.environ, **OFFLINE, "IPYTHONDIR": str(folder), **self.kind.environment}))
        if self.kind.startup:
            self.run(self.kind.startup)

    def end(self) -> None:
        """End kernel and server."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()

    def begin(self, code: str) -> Future[Outputs]:
        """Run a cell without waiting."""
        future: Future[Outputs] = Future()
        self._loop.call_soon_threadsafe(self._execute, code, future)
        return future

    def run(self, code: str) -> Outputs:
        """Run a cell until its end."""
        return self.begin(code).result(SECONDS)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)

    async def _start(self, environment: dict[str, str]) -> None:
        await self._manager.start_kernel(env=environment)
        self._client = self._manager.client()
        self._client.start_channels()
        await self._client.wait_for_ready(timeout=SECONDS)
        self._reader = asyncio.ensure_future(self._read())
        allow = 'allow="microphone"' if self.kind.microphone else ""
        around = AROUND.format(name=self.kind.name, allow=allow, port=self.port)
        pages = [("/", Text, {"text": around}), ("/output", Text, {"text": OUTPUT}), ("/line", Line, {"host": self})]
        self._server = tornado.web.Application(pages).listen(self.port, "127.0.0.1")

    async def _end(self) -> None:
        self._reader.cancel()
        self._server.stop()
        for line in self._lines:
            line.close()
        await self._server.close_all_connections()
        self._client.stop_channels()
        await self._manager.shutdown_kernel(now=True)

    def _execute(self, code: str, future: Future[Outputs]) -> None:
        self._running[self._client.execute(code, store_history=False)] = future, Outputs()

    def from_page(self, text: str) -> None:
        """Queue a message of the page behind the running cell, without the buffers that it had."""
        message = json.loads(text)
        content = {"comm_id": message["comm"], "data": {"method": "custom", "content": message["content"]}}
        self._client.shell_channel.send(self._client.session.msg("comm_msg", content))

    async def _read(self) -> None:
        while True:
            message = await self._client.get_iopub_msg()
            kind, content = message["msg_type"], message["content"]
            if kind.startswith("comm_"):
                self._pass_on(kind, content, message["buffers"])
                continue
            parent = message["parent_header"].get("msg_id")
            future, outputs = self._running.get(parent, (None, None))
            if kind == "status":
                self._busy = content["execution_state"] == "busy"
                if future is not None and outputs is not None and not self._busy:
                    del self._running[parent]
                    future.set_result(outputs)
            elif outputs is not None:
                self._show(kind, content, outputs)

    def _pass_on(self, kind: str, content: dict[str, Any], buffers: list[Any]) -> None:
        if not self._busy:
            self.withheld += 1
            return
        self.stripped += len(buffers)
        data = content.get("data", {})
        what = {"comm_open": "open", "comm_close": "close"}.get(kind) or data["method"]
        self._tell(kind=what, comm=content["comm_id"], state=data.get("state"), content=data.get("content"))

    def _show(self, kind: str, content: dict[str, Any], outputs: Outputs) -> None:
        if kind == "stream":
            outputs.texts.append(content["text"])
        elif kind == "error":
            outputs.errors.append("\n".join(content["traceback"]))
        elif kind in ("display_data", "execute_result"):
            if VIEW in content["data"]:
                self._tell(kind="view", comm=content["data"][VIEW]["model_id"])
            outputs.texts.append(content["data"].get("text/plain", ""))

    def _tell(self, **message: Any) -> None:
        for line in self._lines:
            line.write_message(json.dumps(message))

    def opened(self, line: tornado.websocket.WebSocketHandler) -> None:
        """Pass messages on to a page from now on."""
        self._lines.append(line)

    def closed(self, line: tornado.websocket.WebSocketHandler) -> None:
        """Pass nothing on to a page that is gone."""
        self._lines.remove(line)


class Text(tornado.web.RequestHandler):
    """A page of fixed text."""

    def initialize(self, text: str) -> None:
        self._text = text

    def get(self) -> None:
        self.write(self._text)


class Line(tornado.websocket.WebSocketHandler):
    """The way of messages between page and kernel."""

    def initialize(self, host: SimulatedHost) -> None:
        self._host = host

    def open(self, *_: str, **__: str) -> None:
        self._host.opened(self)

    def on_message(self, message: str | bytes) -> None:
        self._host.from_page(str(message))

    def on_close(self) -> None:
        self._host.closed(self)


class Output(Notebook):
    """The frame of a simulated host's outputs."""

    def __init__(self, frame: Frame, artifacts: Path, host: SimulatedHost) -> None:
        self.page: Any = frame
        self.artifacts, self.name, self.host = artifacts, host.kind.name, host

    def ask(self, expression: str) -> Any:
        """Value of a Python expression in the kernel, by way of JSON."""
        outputs = self.host.run(f"import json as _json; print(_json.dumps({expression}))")
        assert outputs.errors == []
        return json.loads("".join(outputs.texts))


@contextmanager
def simulated(kind: Kind, folder: Path) -> Iterator[SimulatedHost]:
    """Start a simulated host; end it afterwards."""
    host = SimulatedHost(kind)
    host.start(folder)
    try:
        yield host
    finally:
        host.end()
