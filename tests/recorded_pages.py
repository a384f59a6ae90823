"""Recordings in a widget: a page with a session, a recording of another one, and what the page is told."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ai_widgets.inference import Model
from ai_widgets.record.record import SessionRecord
from tests.page import Page, settled
from tests.signals import babble

LeftOver = Callable[[], set[Path]]


@pytest.fixture(scope="module")
def talk(toy: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of the toy."""
    session = toy.session(seed=1, max_reply_tokens=10)
    session.push_clip(babble(4))
    return session.record.save(tmp_path_factory.mktemp("talk") / "talk.aiw")


@pytest.fixture
def heard(page: Page) -> Page:
    """A page whose widget has heard something."""
    page.record(babble(3))
    settled(page)
    return page


def until(page: Page, kind: str, /, **fields: Any) -> dict[str, Any]:
    """The newest message of a type, once it has these fields."""

    def is_it() -> bool:
        return bool(page.of(kind)) and {**page.of(kind)[-1], **fields} == page.of(kind)[-1]

    page.until(is_it)
    return page.of(kind)[-1]


def stories(record: SessionRecord) -> list[dict[str, Any]]:
    return [event.to_json() for event in record.events]


@pytest.fixture
def left_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LeftOver:
    """What the kernel left among the temporary files, in a folder that no other run of the tests uses."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return lambda: set(folder.iterdir())
