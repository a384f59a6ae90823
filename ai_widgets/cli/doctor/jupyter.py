"""Checks of Jupyter: JupyterLab, subshells, the server extension, and whether a page may use the microphone."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from packaging.version import Version

from .finding import Finding, Surroundings

SUBSHELLS = {"jupyterlab": "4.4", "ipykernel": "7.0.1"}
"""Versions from which on messages of a widget are handled while a cell runs."""
EXTENSION = "ai_widgets.server_extension"
LAB = "pip install 'ai_widgets[lab]'"
HOSTS = {
    "COLAB_RELEASE_TAG": (
        "Colab",
        "Use Chrome for the microphone; the page fetches messages, so decisions arrive late.",
    ),
    "KAGGLE_KERNEL_RUN_TYPE": ("Kaggle", "Play a file or a clip where the page's frame blocks the microphone."),
    "VSCODE_PID": ("VS Code", "Its web views refuse the microphone: play a file or a clip, or open JupyterLab."),
}
"""Hosts by an environment variable that each sets in its kernels: name, and what to know."""


def lab(around: Surroundings) -> Iterator[Finding]:
    """Look at JupyterLab and the kernel, and at subshells, which need both."""
    there = {name: around.version(name) for name in SUBSHELLS}
    if there["jupyterlab"] is None:
        advice = f"For notebooks and `ai-widgets demo` install it: {LAB}; the command line works without."
        yield Finding("jupyterlab", "note", "not installed in this environment", advice)
    else:
        yield Finding("jupyterlab", "ok", there["jupyterlab"])
    if there["ipykernel"] is None:
        advice = f"For notebooks install it in the kernel's environment: {LAB}."
        yield Finding("ipykernel", "note", "not installed in this environment", advice)
        return
    old = [
        f"{name} {version} (from {SUBSHELLS[name]} on)"
        for name, version in there.items()
        if version is not None and Version(version) < Version(SUBSHELLS[name])
    ]
    if old:
        advice = f"Upgrade for audio that flows while a cell runs: {LAB.replace('install', 'install --upgrade')}."
        yield Finding("subshells", "note", f"not available: {', '.join(old)}; audio waits while a cell runs", advice)
    elif there["jupyterlab"] is not None:
        found = f"ipykernel {there['ipykernel']} and JupyterLab {there['jupyterlab']}: audio flows while a cell runs"
        yield Finding("subshells", "ok", found)


def extension(around: Surroundings) -> Iterator[Finding]:
    """Look whether the server extension is enabled in this environment's configuration."""
    if around.version("jupyter_server") is None:
        return
    if enabled(EXTENSION):
        yield Finding("extension", "ok", f"{EXTENSION} is enabled")
        return
    found = "the server extension is off: decisions arrive about 20 ms later, and the kernel's status flickers"
    advice = f"Turn it on: jupyter server extension enable {EXTENSION}; then restart the server."
    yield Finding("extension", "note", found, advice)


def enabled(name: str) -> bool:
    """Return whether the configuration of this environment's Jupyter servers enables an extension."""
    from jupyter_core.paths import jupyter_config_path
    from jupyter_server.extension.config import ExtensionConfigManager

    manager = ExtensionConfigManager(read_config_path=jupyter_config_path())
    extensions: dict[str, Any] = manager.get_jpserver_extensions()
    return bool(extensions.get(name, False))


def microphone(around: Surroundings) -> Iterator[Finding]:
    """Judge the addresses under which notebooks are opened: browsers give the microphone to secure pages only."""
    for variable, (host, advice) in HOSTS.items():
        if variable in around.environment:
            yield Finding("host", "note", f"this runs in {host}", advice)
    if around.asked.url:
        yield _address(around.asked.url, asked=True)
        return
    urls = [str(server.get("url", "")) for server in around.servers()]
    for url in urls:
        yield _address(url, asked=False)
    if not urls:
        found = "no Jupyter server of yours runs here; browsers give the microphone to https and localhost"
        yield Finding("microphone", "ok", found)


def _address(url: str, *, asked: bool) -> Finding:
    if secure(url):
        return Finding("microphone", "ok", f"a browser may use it at {_shown(url)}")
    port = urlsplit(url).port or 80
    found = f"browsers refuse it at {_shown(url)}, which is plain http and not localhost"
    advice = (
        f"Open the notebook over https, or through a tunnel as http://localhost:{port} "
        f"(ssh -L {port}:localhost:{port} HOST); files and clips work in any case."
    )
    return Finding("microphone", "fault" if asked else "note", found, advice)


def secure(url: str) -> bool:
    """Return whether a browser takes an address for a secure context, in which pages may use the microphone.

    Source: https://www.w3.org/TR/secure-contexts/#is-origin-trustworthy
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme == "https" or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _shown(url: str) -> str:
    """Return an address without its query, which holds the server's token."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{place}{parts.path}"
