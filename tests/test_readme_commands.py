"""The two commands of the README, in a clone in which no other command has made a folder before."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tornado.testing import bind_unused_port

ROOT = Path(__file__).parent.parent
ANSWER_SECONDS = 120.0
"""Timeout of a command until its server answers, in seconds: each takes about 5 on two free cores."""
INSTALLED = (".venv", "js/node_modules")
"""What `make setup` installs: linked into the clone, because installing takes minutes and has tests of its own."""
MADE = shutil.ignore_patterns(".git", ".venv", "build", "dist", "node_modules", "__pycache__", ".*_cache")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Copy the files of this project with their times, without what commands make; the bundle counts as built."""
    folder = tmp_path / "clone"
    shutil.copytree(ROOT, folder, ignore=MADE, symlinks=True)
    for name in INSTALLED:
        (folder / name).symlink_to(ROOT / name)
    return folder


def documented() -> dict[str, str]:
    """Return the commands of the README's first block and the path that each serves."""
    block = next(
        block
        for block in re.findall(r"```\w*\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
        if "make " in block
    )
    return {name: {"demo": "/lab", "demo-page": "/"}[name] for name in re.findall(r"^make (\S+)", block, re.M)}


def answer(address: str, process: subprocess.Popen[str]) -> bytes:
    """Return the body that a server gives, as soon as it answers; fail where its process has ended or is late."""
    end = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=ANSWER_SECONDS) as response:
                return bytes(response.read())
        except urllib.error.HTTPError as error:
            return error.read()
        except OSError:
            # No server listens yet. An attempt has no event to wait for but the end of the process.
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
    return b""


def test_the_readme_has_two_commands() -> None:
    assert list(documented()) == ["demo", "demo-page"]


@pytest.mark.parametrize(("command", "path"), documented().items())
def test_a_clean_clone_serves_it(command: str, path: str, clone: Path) -> None:
    listener, port = bind_unused_port()
    listener.close()
    made = ["make", *(f"--assume-old={each}" for each in (".venv/installed", "ai_widgets/widget/static/widget.js"))]
    process = subprocess.Popen(
        [*made, command, f"PORT={port}", "NO_BROWSER=1"],
        cwd=clone,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        body = answer(f"http://127.0.0.1:{port}{path}", process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        printed, _ = process.communicate(timeout=ANSWER_SECONDS)
    assert b"<html" in body.lower(), printed
    assert str(port) in printed
