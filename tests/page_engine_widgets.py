"""Widgets with ``engine="page"`` for tests: a front end that needs no build, an export that takes no seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import comm
import pytest

from ai_widgets.inference import Model
from ai_widgets.page import contents
from ai_widgets.widget import front_end
from ai_widgets.widget.app import AudioInteraction
from ai_widgets.widget.page_engine import offered_files
from tests.engine_page import MODEL_FILES, EnginePage
from tests.page import Comm

Show = Callable[..., EnginePage]


def without_build(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Offer a front end that needs no build of js/, and an export that takes no seconds."""
    script, style = folder / "page_widget.js", folder / "widget.css"
    script.write_text("export default {};", encoding="utf-8")
    style.write_text("p {}", encoding="utf-8")
    monkeypatch.setattr(front_end, "FRONT_ENDS", {**front_end.FRONT_ENDS, "page": (script, style)})
    monkeypatch.setattr(contents, "export", lambda *_: MODEL_FILES)
    monkeypatch.setattr(offered_files, "_PACKED", WeakKeyDictionary())


@contextmanager
def widgets(toy: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[Show]:
    """Give a function that makes a widget with a loaded and exported model and a page that shows it; close all."""
    monkeypatch.setattr(comm, "create_comm", Comm)
    made: list[AudioInteraction] = []

    def make(model: Any = toy, **options: Any) -> EnginePage:
        widget = AudioInteraction(model, engine="page", **options)
        made.append(widget)
        page = EnginePage(widget)
        page.until(lambda: widget.model_info["status"] != "loading")
        return page

    yield make
    for widget in made:
        widget.close()
