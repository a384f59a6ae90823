"""Address and token of a class server, as they are given to `AudioInteraction`."""

from __future__ import annotations

import os
from ipaddress import ip_address
from urllib.parse import urlsplit

from ...errors import SettingError

SCHEMES = ("ws://", "wss://")
TOKEN_VARIABLE = "AI_WIDGETS_TOKEN"  # noqa: S105 - the name of a variable
"""Environment variable that holds the token where a notebook should not."""
SESSION_PATH = "/session"
"""Path of the server's WebSocket, where an address names none."""


def is_address(model: object) -> bool:
    """Return whether a model is named by the address of a class server."""
    return isinstance(model, str) and model.lower().startswith(SCHEMES)


def checked_address(address: str) -> str:
    """Return the address of a class server's WebSocket.

    Raises
    ------
    SettingError
        If the address is none, contains a secret, or would send sound unencrypted over a network.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SettingError(f"The address of the class server is none: {error}.", ("model",)) from None
    if not host:
        raise SettingError("The address of a class server is wss://HOST or ws://localhost:PORT.", ("model",))
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        # The address is shown as the model's name and is saved with notebooks, so it is not quoted here either.
        raise SettingError(
            "The address of a class server must hold no user name, password or query, because addresses are shown and "
            "saved; give the token as token=….",
            ("model", "token"),
        )
    if parts.scheme.lower() == "ws" and not _is_loopback(host):
        raise SettingError(
            f"ws://{host} would send sound and token unencrypted; use wss:// (see docs/serving.md), or an SSH "
            "tunnel to ws://localhost.",
            ("model",),
        )
    path = parts.path if parts.path not in ("", "/") else SESSION_PATH
    return f"{parts.scheme.lower()}://{parts.netloc}{path}"


def checked_token(token: str | None) -> str:
    """Return the token given, or that of the environment variable `AI_WIDGETS_TOKEN`.

    Raises
    ------
    SettingError
        If there is none, or it cannot be a token.
    """
    found = os.environ.get(TOKEN_VARIABLE, "") if token is None else token
    if not isinstance(found, str) or not found:
        raise SettingError(
            f"A class server needs your token: give it as token=…, or set the variable {TOKEN_VARIABLE}.", ("token",)
        )
    if not found.isascii() or not found.isprintable() or " " in found:
        raise SettingError("token must be the one from your teacher: letters, digits, - and _.", ("token",))
    return found


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
