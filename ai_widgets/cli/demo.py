"""``ai-widgets demo``: open a notebook of the package in JupyterLab."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from ..errors import AiWidgetsError

NOTEBOOK = "01_quickstart"
FOLDER = "ai_widgets_demo"
SERVER_EXTENSION = "--ServerApp.jpserver_extensions=ai_widgets.server_extension=True"
"""Option that enables the server extension (`server_extension.py`) for this server only, whose notebooks are ours."""


def notebooks() -> dict[str, Path]:
    """List the shipped notebooks by name: those inside an installed package, or beside the package in a clone.

    Raises
    ------
    AiWidgetsError
        Where the installation has none.
    """
    package = Path(str(resources.files("ai_widgets")))
    for folder in (package / "notebooks", package.parent / "notebooks"):
        found = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
        if found:
            return found
    raise AiWidgetsError("This installation lacks the notebooks; reinstall ai_widgets.")


def notebook_named(name: str | None) -> Path:
    """Return the notebook of a name such as `01_quickstart`; a part that only one name has is enough.

    Raises
    ------
    AiWidgetsError
        No notebook or several have this name; the message lists all names.
    """
    there = notebooks()
    wanted = (name or NOTEBOOK).removesuffix(".ipynb")
    fitting = [wanted] if wanted in there else [each for each in there if wanted in each]
    if len(fitting) != 1:
        how_many = "Several notebooks have" if fitting else "There is no notebook with"
        raise AiWidgetsError(f"{how_many} {wanted!r} in the name; --notebook takes one of {', '.join(there)}.")
    return there[fitting[0]]


def open_demo(port: int, browser: bool, folder: str | None, notebook: str | None = None) -> int:
    """Copy a notebook into `folder` unless it is there, and run JupyterLab on it until JupyterLab is stopped.

    Raises
    ------
    AiWidgetsError
        Where there is no such notebook, or JupyterLab is not installed.
    """
    source = notebook_named(notebook)
    if find_spec("jupyterlab") is None:
        raise AiWidgetsError("The demo needs JupyterLab; install it with: pip install 'ai_widgets[lab]'.")
    home = Path(folder or FOLDER)
    home.mkdir(parents=True, exist_ok=True)
    copy = home / source.name
    if not copy.exists():
        shutil.copy(source, copy)
    command = [
        *(sys.executable, "-m", "jupyterlab", f"--port={port}"),
        *(f"--ServerApp.root_dir={home.resolve()}", f"--LabApp.default_url=/lab/tree/{source.name}"),
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
