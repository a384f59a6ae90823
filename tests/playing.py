"""A page that plays a file: what it has been told."""

from __future__ import annotations

from typing import Any

from ai_widgets.protocol import Decision, Notice
from ai_widgets.widget.files.file_player import AHEAD_CHUNKS
from tests.held_files import HeldFile, Hold, beeps, wav_bytes
from tests.page import Build, Page


def notices(page: Page, kind: str) -> list[Notice]:
    return [event for event in page.events() if isinstance(event, Notice) and event.kind == kind]


def chunks(page: Page) -> int:
    return sum(isinstance(event, Decision) for event in page.events())


def until_state(page: Page, state: str) -> dict[str, Any]:
    """Wait until the page is told that its file is in a state; the message."""
    page.until(lambda: any(each["state"] == state for each in page.of("playing")))
    return next(each for each in page.of("playing") if each["state"] == state)


def read_ahead(page: Page) -> Page:
    """Wait until a paused page's file was read as far ahead of the decisions as it may be."""
    page.until(lambda: any(each["waiting"] >= AHEAD_CHUNKS for each in page.of("events")))
    return page


def paused_in_a_file(build: Build, hold: Hold) -> tuple[Page, HeldFile]:
    """A page that holds a file of ten minutes, and a widget that is paused before its first decision."""
    page = build()
    page.widget.pause()
    file = hold(page, wav_bytes(beeps(600.0)))
    file.announce()
    return read_ahead(page), file
