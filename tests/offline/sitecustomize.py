"""A Python that reaches this machine only: it imports this module at its start where the folder is on PYTHONPATH."""

import ipaddress
import sys


def is_here(host: object) -> bool:
    """Whether a host is this machine."""
    try:
        return host in (None, "", "localhost") or ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def refuse(event: str, arguments: tuple) -> None:
    """Raise where a program looks up or connects to another machine."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if not is_here(host):
        raise OSError(f"There is no network: {host} is another machine.")


sys.addaudithook(refuse)
