"""Notices of the loop, and how a value or an error is written in one."""

from __future__ import annotations

from ..protocol import Notice
from ..settings import Settings
from .listening import TurnProgress

LONGEST_VALUE = 60
"""Maximum length of a setting's value in a notice, in characters; a longer value is truncated."""
LONGEST_ERROR = 300
"""Maximum length of an error's message in a notice, in characters; a longer message is truncated."""


def lost_context(progress: TurnProgress, chunk: int) -> tuple[TurnProgress, Notice]:
    """Return the state after an interrupt lost the content of the context, and the notice."""
    message = "The context was reset: an interrupt stopped the move of its keys and values, so their content is lost."
    data = {"used": progress.positions, "why": "interrupted"}
    return progress.forgotten(), Notice(chunk, "context_reset", message, data)


def undecided(chunk: int, error: BaseException | None) -> Notice:
    """Build the notice of a chunk that an error left without a decision."""
    why = f"{type(error).__name__}: {error}"
    message = f"This chunk has no decision and is not in the context: {why[:LONGEST_ERROR]}"
    return Notice(chunk, "undecided", message, {"error": type(error).__name__})


def settings_changed(chunk: int, before: Settings, chosen: Settings) -> Notice:
    """Build the notice of settings that apply from a chunk on."""
    old, new = before.to_json(), chosen.to_json()
    changed = {name: value for name, value in new.items() if value != old[name]}
    words = ", ".join(f"{name} is {short(value)}" for name, value in changed.items())
    message = f"Settings changed from this chunk on: {words}."
    return Notice(chunk, "settings", message, {"changed": changed, "settings": new})


def short(value: object) -> str:
    """Format a setting's value for a sentence, truncated to `LONGEST_VALUE` characters."""
    text = "the default" if value is None else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
