"""A JupyterLab server with a configuration of its own, and notebooks made for one test each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat

from ai_widgets.cli.demo import SERVER_EXTENSION
from tests.server_process import free_port, serving

NO_NEWS = {"fetchNews": "false", "checkForUpdates": False}


@dataclass(frozen=True)
class Lab:
    """A running server: its address, the folder it serves, and the folder of its kernels' connection files."""

    url: str
    root: Path
    runtime: Path
    process: subprocess.Popen[bytes]

    def notebook(self, name: str, cells: Sequence[str]) -> str:
        """Write a notebook of code cells and return its address."""
        book = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(book, self.root / name)
        return self.address(name)

    def address(self, name: str) -> str:
        """Where a notebook is opened."""
        return f"{self.url}/lab/tree/{name}?reset"

    def end_kernel(self, name: str) -> None:
        """End the kernel of a notebook, if it has one: each holds some hundred megabytes."""
        with urllib.request.urlopen(f"{self.url}/api/sessions", timeout=20) as answer:
            sessions = json.load(answer)
        for session in sessions:
            if session["path"] == name:
                address = f"{self.url}/api/sessions/{session['id']}"
                urllib.request.urlopen(urllib.request.Request(address, method="DELETE"), timeout=60).close()


@contextmanager
def running_lab(folder: Path, root: Path) -> Iterator[Lab]:
    """Start JupyterLab with fresh settings below `folder`, serving `root`; stop it afterwards."""
    settings = folder / "lab-settings"
    news = settings / "@jupyterlab" / "apputils-extension"
    news.mkdir(parents=True)
    (news / "notification.jupyterlab-settings").write_text(json.dumps(NO_NEWS))
    manager = settings / "@jupyter-widgets" / "jupyterlab-manager"
    manager.mkdir(parents=True)
    # As the menu's Settings → Save Widget State Automatically.
    (manager / "plugin.jupyterlab-settings").write_text(json.dumps({"saveState": True}))
    environment = dict(os.environ)
    environment.update(
        JUPYTER_CONFIG_DIR=str(folder / "config"),
        JUPYTER_DATA_DIR=str(folder / "data"),
        JUPYTER_RUNTIME_DIR=str(folder / "runtime"),
        JUPYTERLAB_SETTINGS_DIR=str(settings),
        JUPYTERLAB_WORKSPACES_DIR=str(folder / "workspaces"),
        IPYTHONDIR=str(folder / "ipython"),
    )
    port = free_port()
    # These options are for tests on the loopback interface only: no token, no password.
    command = [
        *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1"),
        *(f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={root}"),
        *("--IdentityProvider.token=", "--ServerApp.password=", "--ServerApp.disable_check_xsrf=True"),
        *("--LabApp.expose_app_in_browser=True", "--JupyterNotebookApp.expose_app_in_browser=True"),
        *("--ServerApp.allow_remote_access=True", SERVER_EXTENSION),
    ]
    url = f"http://127.0.0.1:{port}"
    with serving(command, f"{url}/api/status", folder / "lab.log", environment=environment) as process:
        yield Lab(url, root, folder / "runtime", process)
