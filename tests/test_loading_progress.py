"""How far loading is reaches the page, often enough to be seen and not more often."""

from __future__ import annotations

from threading import Event

import pytest

from ai_widgets.inference import Model
from ai_widgets.model.hub import Progress
from ai_widgets.widget import loading
from ai_widgets.widget.loading import ModelSource


def test_progress_is_told_while_it_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(loading, "monotonic", lambda: now[0])
    told: list[tuple[int, int] | None] = []
    ended = Event()

    def load(progress: Progress) -> Model:
        for step in range(1, 11):
            progress(step, 10)
            now[0] += 0.1
        raise OSError("The disk is gone.")

    def changed() -> None:
        told.append(source.progress)
        if source.failure is not None:
            ended.set()

    source = ModelSource(load, changed)
    source.start()
    assert ended.wait(10)
    # Every 0.25 s at most, and once more at the end.
    assert told == [(1, 10), (4, 10), (7, 10), (10, 10), (10, 10)]
    assert source.status == "failed"
