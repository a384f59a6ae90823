"""Child processes that are run for their output; a failure becomes one sentence with the program's error message."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ai_widgets.errors import ChildError, printable

RAISED = re.compile(r"^(?:\w+\.)*\w+(?:Error|Exception|Interrupt): ")
"""Start of the last line of a Python traceback: the exception's class, before its message."""


def output_of(command: Sequence[str], doing: str, *, cwd: Path | None = None, timeout: float | None = None) -> bytes:
    """Run a program until it exits and return its standard output.

    Parameters
    ----------
    command
        Program and arguments.
    doing
        Purpose of the run, as the start of an error message: ``Measuring the first decision``.
    cwd
        Working folder; None for the current one.
    timeout
        Maximum duration, in seconds; None for no limit.

    Raises
    ------
    ChildError
        If the program is not found, exceeds `timeout`, or exits with a code other than 0.
    """
    try:
        done = subprocess.run(command, capture_output=True, cwd=cwd, timeout=timeout, check=False)  # noqa: S603 - callers
    except subprocess.TimeoutExpired as error:
        raise ChildError(f"{doing} did not finish within {timeout:g} s.") from error
    except OSError as error:
        raise ChildError(f"{doing} failed: {command[0]} cannot be run ({error.strerror}).") from error
    if done.returncode:
        raise ChildError(f"{doing} failed: {last_words(done.stderr)}")
    return done.stdout


def last_words(stderr: bytes) -> str:
    """Return the last line that a program wrote to standard error; in a Python traceback that is the error message."""
    lines = [line.strip() for line in stderr.decode("utf-8", errors="replace").splitlines() if line.strip()]
    said = RAISED.sub("", lines[-1]) if lines else "it printed no error message"
    return printable(said if said.endswith(".") else f"{said}.")
