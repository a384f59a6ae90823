"""The two commands of the README, in a clone in which no other command has made a folder before."""

from __future__ import annotations

import os
import re
import shutil
import urllib.request
from pathlib import Path

import pytest

from tests.server_process import free_port, serving

ROOT = Path(__file__).parent.parent
START_SECONDS = 120.0
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


def test_the_readme_has_two_commands() -> None:
    assert list(documented()) == ["demo", "demo-page"]


@pytest.mark.parametrize(("command", "path"), documented().items())
def test_a_clean_clone_serves_it(command: str, path: str, clone: Path, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    address = f"http://127.0.0.1:{port}{path}"
    made = ["make", *(f"--assume-old={each}" for each in (".venv/installed", "ai_widgets/widget/static/widget.js"))]
    made += [command, f"PORT={port}", "NO_BROWSER=1"]
    with (
        serving(made, address, log, environment=os.environ, folder=clone, start_seconds=START_SECONDS),
        urllib.request.urlopen(address) as response,
    ):
        assert b"<html" in response.read().lower()
    assert str(port) in log.read_text(encoding="utf-8")
