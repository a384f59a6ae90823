"""Loading: how far it is reaches the page often enough to be seen; a closed widget ends it at the next report."""

from __future__ import annotations

import gc
import shutil
import weakref
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from ai_widgets.errors import SessionError
from ai_widgets.inference import Model, load_model
from ai_widgets.model.hub import Progress
from ai_widgets.widget import loading
from ai_widgets.widget.loading import ModelSource
from tests.page import PATIENCE, Build, silence


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


class TestClosed:
    def test_loading_stops_at_the_next_report_and_is_no_failure(
        self, build: Build, toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As with a download of 16 GB, or the reading of its weights."""
        # A folder of its own: what is loaded already is shared, and reads nothing.
        folder = shutil.copytree(toy_folder, tmp_path / "toy")
        reports: list[int] = []
        begun, closed = Event(), Event()

        def load(*arguments: Any, progress: Progress) -> Model:
            def report(done: int, total: int) -> None:
                reports.append(done)
                begun.set()
                assert closed.wait(PATIENCE)
                progress(done, total)

            return load_model(*arguments, progress=report)

        monkeypatch.setattr("ai_widgets.inference.load_model", load)
        monkeypatch.setattr("tests.page.Page.until", lambda *_: None)
        page = build(folder)
        page.hello()
        page.widget.feed(silence(2), 16_000, wait=False)
        assert begun.wait(PATIENCE)
        page.widget.close()
        closed.set()
        page.widget._channel.presenter.source.join(PATIENCE)
        assert len(reports) == 1
        assert page.problems() == []
        assert page.widget.error is None
        assert page.widget.record.notices["kind"].tolist() == ["dropped"]

    def test_before_it_began_nothing_is_loaded(self) -> None:
        source = ModelSource(lambda _: pytest.fail("loaded"), lambda: None)
        source.stop()
        source.start()
        source.join(PATIENCE)
        assert source.status == "loading"

    def test_a_model_that_came_too_late_is_dropped(self, toy: Model) -> None:
        begun, go = Event(), Event()
        loaded: list[weakref.ref[Model]] = []

        def load(_: Progress) -> Model:
            begun.set()
            assert go.wait(PATIENCE)
            model = replace(toy)
            loaded.append(weakref.ref(model))
            return model

        told: list[None] = []
        source = ModelSource(load, lambda: told.append(None))
        source.start()
        assert begun.wait(PATIENCE)
        source.stop()
        go.set()
        source.join(PATIENCE)
        gc.collect()
        assert loaded[0]() is None
        assert told == []

    def test_a_caller_who_waits_for_the_model_is_told(self) -> None:
        begun, go = Event(), Event()

        def load(progress: Progress) -> Model:
            begun.set()
            assert go.wait(PATIENCE)
            progress(1, 2)
            raise AssertionError("went on")

        source = ModelSource(load, lambda: None)
        source.start()
        assert begun.wait(PATIENCE)
        answers: list[Exception] = []

        def ask() -> None:
            try:
                source.wait()
            except SessionError as error:
                answers.append(error)

        asking = Thread(target=ask)
        asking.start()
        source.stop()
        asking.join(PATIENCE)
        assert "closed" in str(answers[0])
        go.set()
        source.join(PATIENCE)

    def test_waiting_has_a_limit(self) -> None:
        source = ModelSource(lambda _: pytest.fail("loaded"), lambda: None)
        with pytest.raises(TimeoutError, match=r"did not finish loading within 0\.01 s"):
            source.wait(0.01)
