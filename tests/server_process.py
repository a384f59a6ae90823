"""A server that a test starts on the loopback interface."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

START_SECONDS = 60


def free_port() -> int:
    """Return a port of the loopback interface on which no program listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def serving(
    command: Sequence[str],
    health: str,
    log: Path,
    *,
    environment: Mapping[str, str],
    folder: Path | None = None,
    start_seconds: float = START_SECONDS,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server in `folder`, wait until the address `health` answers, and stop the server afterwards.

    The processes that the command has started, such as those of `make`, are stopped with it.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_until_up(health, process, log, start_seconds)
            yield process
        finally:
            _send(process, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                _send(process, signal.SIGKILL)
                process.wait()


def _send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a process and to those of its group; nothing where all of them have ended."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _wait_until_up(health: str, process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"The server ended at once:\n{log.read_text()}")
        try:
            with urllib.request.urlopen(health, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            # There is nothing to wait on but the server's answer.
            time.sleep(0.2)
    raise RuntimeError(f"The server did not answer within {seconds:g} s:\n{log.read_text()}")
