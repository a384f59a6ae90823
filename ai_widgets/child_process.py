"""Programs that are run for what they print: a failure is one sentence with the program's own last words."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .errors import ChildError, printable

RAISED = re.compile(r"^(?:\w+\.)*\w+(?:Error|Exception|Interrupt): ")
"""How Python's traceback begins its last line; the sentence follows."""


def output_of(command: Sequence[str], doing: str, *, cwd: Path | None = None, timeout: float | None = None) -> bytes:
    """Run a program to its end and return its standard output.

    Parameters
    ----------
    command
        The program and its arguments.
    doing
        What it is run for, as the beginning of a sentence: ``Measuring the first decision``.
    cwd, timeout
        Folder it runs in, and seconds it may take.

    Raises
    ------
    ChildError
        It is not there, took too long, or ended with another code than 0.
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
    """The last line of what a program said, which in a traceback of Python is the error."""
    lines = [line.strip() for line in stderr.decode("utf-8", errors="replace").splitlines() if line.strip()]
    said = RAISED.sub("", lines[-1]) if lines else "it said nothing"
    return printable(said if said.endswith(".") else f"{said}.")
