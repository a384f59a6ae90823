"""``ai-widgets demo``: open the quick-start notebook in JupyterLab."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from ..errors import AiWidgetsError

NOTEBOOK = "01_quickstart.ipynb"
FOLDER = "ai_widgets_demo"
SERVER_EXTENSION = "--ServerApp.jpserver_extensions=ai_widgets.server_extension=True"
"""Option that enables the server extension (`server_extension.py`) for this server only, whose notebooks are ours."""


def notebook_source() -> Path:
    """Find the shipped notebook: inside an installed package, or beside the package in a clone.

    Raises
    ------
    AiWidgetsError
        Where the installation lacks the notebook.
    """
    package = Path(str(resources.files("ai_widgets")))
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / NOTEBOOK).exists():
            return folder / NOTEBOOK
    raise AiWidgetsError(f"This installation lacks {NOTEBOOK}; reinstall ai_widgets.")


def open_demo(port: int, browser: bool, folder: str | None) -> int:
    """Copy the notebook into `folder` unless it is there, and run JupyterLab on it until JupyterLab is stopped.

    Raises
    ------
    AiWidgetsError
        Where JupyterLab is not installed.
    """
    if find_spec("jupyterlab") is None:
        raise AiWidgetsError("The demo needs JupyterLab; install it with: pip install 'ai_widgets[lab]'.")
    source = notebook_source()
    home = Path(folder or FOLDER)
    home.mkdir(parents=True, exist_ok=True)
    notebook = home / NOTEBOOK
    if not notebook.exists():
        shutil.copy(source, notebook)
    command = [
        *(sys.executable, "-m", "jupyterlab", f"--port={port}"),
        *(f"--ServerApp.root_dir={home.resolve()}", f"--LabApp.default_url=/lab/tree/{NOTEBOOK}"),
        SERVER_EXTENSION,
    ]
    if not browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Jupyter refuses to run as root without this option; in a container root is often the only user.
        command.append("--allow-root")
    print("Starting JupyterLab; its address is printed below. Press Ctrl-C twice to stop it.", flush=True)
    server = subprocess.Popen(command)  # noqa: S603 - our own interpreter and arguments
    while True:
        try:
            return server.wait()
        except KeyboardInterrupt:
            # JupyterLab receives the signal too, and asks for confirmation.
            continue
