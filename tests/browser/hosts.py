"""Hosts other than JupyterLab, as functions that open a page in them and ask their kernel."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from playwright.sync_api import Page

from tests.server_process import free_port, serving

from .lab import Lab
from .page import PATIENCE_MS, Notebook


class VoilaPage(Notebook):
    """A notebook as a dashboard, whose kernel is asked on its own ports."""

    def __init__(self, page: Page, artifacts: Path, name: str, lab: Lab) -> None:
        super().__init__(page, artifacts, name)
        self._lab = lab
        self._before = set(lab.runtime.glob("kernel-*.json"))

    def ask(self, expression: str) -> Any:
        """Value of a Python expression in the kernel that this page started, by way of JSON."""
        (connection,) = set(self._lab.runtime.glob("kernel-*.json")) - self._before
        client = BlockingKernelClient(connection_file=str(connection))
        client.load_connection_file()
        client.start_channels()
        texts: list[str] = []

        def output(message: dict[str, Any]) -> None:
            if message["msg_type"] in ("stream", "error"):
                texts.append(message["content"].get("text") or "\n".join(message["content"]["traceback"]))

        try:
            client.wait_for_ready(timeout=PATIENCE_MS / 1000)
            code = f"import json as _json; print(_json.dumps({expression}))"
            client.execute_interactive(code, store_history=False, output_hook=output, timeout=PATIENCE_MS / 1000)
        finally:
            client.stop_channels()
        return json.loads("".join(texts))


@contextmanager
def running_marimo(files: Path, folder: Path) -> Iterator[str]:
    """Run a folder of marimo files as apps on the loopback interface; yields its address. Logs go into `folder`."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "marimo", "-y", "run", str(files), "--headless", "--no-token"),
        *("--host", "127.0.0.1", "--port", str(port), "--no-check"),
    ]
    # Settings and caches of its own.
    environment = {**os.environ, **dict.fromkeys(("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"), str(folder))}
    url = f"http://127.0.0.1:{port}"
    with serving(command, f"{url}/health", folder / "marimo.log", environment=environment):
        yield url
