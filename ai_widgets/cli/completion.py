"""``ai-widgets completion``: a script with which a shell completes commands, options and file names."""

from __future__ import annotations

import argparse
from pathlib import Path

import shtab

SHELLS = ("bash", "zsh", "tcsh")
"""Shells that shtab writes scripts for."""
FILES = {
    *("audio", "json", "save", "html", "recording", "report", "authors", "checkpoint", "config", "data", "extra"),
    *("held_out", "out", "source", "speech", "target", "folder", "clips"),
}
"""Arguments, by their name in the parsed options, whose values are files or folders."""


def print_completion(shell: str, parser: argparse.ArgumentParser) -> int:
    """Print the completion script of the whole command line for a shell, and return the exit code."""
    _mark_files(parser)
    print(shtab.complete(parser, shell))
    return 0


def _mark_files(parser: argparse.ArgumentParser) -> None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _mark_files(command)
        elif (action.dest in FILES or action.type is Path) and action.nargs != 0 and action.choices is None:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
