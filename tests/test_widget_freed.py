"""A closed widget frees its model; open and close leave nothing behind."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
import weakref
from dataclasses import replace
from statistics import median
from typing import Any

import comm
import pytest
from ipywidgets.widgets.widget import _instances

from ai_widgets.errors import SessionError
from ai_widgets.inference import Model
from ai_widgets.protocol import Decision, Notice
from ai_widgets.widget.app import AudioInteraction
from tests.page import HANDLER, PATIENCE, Build, Comm, Page, silence
from tests.scripted import scripted, spell
from tests.signals import babble


@pytest.fixture
def used(toy: Model, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a widget with a model of its own, on which everything was used that could hold it."""
    monkeypatch.setattr(comm, "create_comm", Comm)

    def make() -> tuple[AudioInteraction, dict[str, weakref.ref[Any]]]:
        model = replace(toy)
        page = Page(AudioInteraction(model, seed=3))
        page.until(lambda: bool(page.of("model")))
        page.hello()
        page.record(babble(1))
        widget = page.widget
        assert widget.wait(PATIENCE)
        widget.set(bias=0.5)
        widget.settings = {"bias": 1.0}
        widget.observe(lambda _: None, "state")
        widget.feed(silence(2), 16_000, end=True)
        pipeline = widget._channel.presenter.pipeline
        held = {"widget": widget, "pipeline": pipeline, "session": pipeline._running.session, "model": model}
        return widget, {name: weakref.ref(each) for name, each in held.items()} | {"loaded": weakref.ref(model)}

    return make


def alive(references: dict[str, weakref.ref[Any]]) -> list[str]:
    gc.collect()
    return [name for name, reference in references.items() if reference() is not None]


class TestClosed:
    def test_widget_worker_session_and_model_are_freed(self, used: Any) -> None:
        widget, references = used()
        assert alive(references) == list(references)
        widget.close()
        del widget
        assert alive(references) == []

    def test_eleven_closed_widgets_leave_no_model_alive(self, used: Any) -> None:
        left = []
        for _ in range(11):
            widget, references = used()
            widget.close()
            left.append(references)
        del widget
        gc.collect()
        assert [name for each in left for name, reference in each.items() if reference() is not None] == []

    def test_model_and_session_are_freed_while_the_widget_is_still_held(self, used: Any) -> None:
        """As IPython's `Out` holds what a cell has shown."""
        widget, references = used()
        decisions = len(widget.record.of_type(Decision))
        widget.close()
        assert alive(references) == ["widget", "pipeline"]
        assert len(widget.record.of_type(Decision)) == decisions > 0
        with pytest.raises(SessionError, match="closed"):
            widget.model  # noqa: B018

    def test_a_widget_that_was_not_closed_is_held_by_ipywidgets(self, used: Any) -> None:
        """Its pages may speak to it still: README says that `close` frees it."""
        widget, references = used()
        before = len(_instances)
        del widget
        assert alive(references) == list(references)
        references["widget"]().close()
        assert alive(references) == []
        assert len(_instances) == before - 2  # its layout too

    def test_the_context_of_the_last_message_is_freed(self, build: Build) -> None:
        """ipykernel keeps a message's buffers in its context."""

        class Parent(str):
            __slots__ = ("__weakref__",)

        parent = Parent("message")
        page = build()
        token = HANDLER.set(parent)
        page.hello()
        HANDLER.reset(token)
        reference = weakref.ref(parent)
        page.comm.contexts.clear()
        del parent, token
        page.widget.close()
        gc.collect()
        assert reference() is None

    def test_a_failed_load_does_not_hold_what_it_had_read(self, build: Build) -> None:
        class Weights:
            pass

        references: list[weakref.ref[Any]] = []

        def load(*_: Any, **__: Any) -> Model:
            weights = Weights()
            references.append(weakref.ref(weights))
            raise OSError("disk on fire")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ai_widgets.inference.load_model", load)
            page = build("tiny")
        with pytest.raises(OSError, match="disk on fire"):
            page.widget.feed(silence(1), 16_000)
        gc.collect()
        assert references[0]() is None

    def test_what_was_not_answered_is_a_notice(self, build: Build, toy: Model) -> None:
        speaking = threading.Event()
        model, _ = scripted(toy, "T" * 9, [spell("on and on " * 20)] * 9, lambda _: speaking.set())
        page = build(model, max_reply_tokens=None)
        page.widget.feed(silence(9), 16_000, wait=False)
        assert speaking.wait(PATIENCE)
        page.widget.close()
        decided = len(page.widget.record.of_type(Decision))
        notices = page.widget.record.count(Notice)
        notice = page.widget.record.of_type(Notice)[-1]
        assert (notice.kind, notice.data["why"], notice.data["chunks"]) == ("dropped", "closed", 9 - decided)
        page.widget.close()
        assert page.widget.record.of_type(Notice)[-1] == notice
        assert page.widget.record.count(Notice) == notices


CYCLES = """
import ctypes, gc, json, sys, threading
import numpy as np, psutil, comm
from ipywidgets.widgets.widget import _instances
import ai_widgets as aiw

count, shared = int(sys.argv[1]), sys.argv[2] == "shared"
model = aiw.load_model("tiny") if shared else None
process = psutil.Process()

def cycles(number):
    for _ in range(number):
        w = aiw.AudioInteraction(model or "tiny")
        w.feed(np.zeros(6400, np.float32), 16000)
        w.close()

def reading():
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)  # glibc keeps freed pages, as many as its threads happened to interleave
    return {
        "memory": process.memory_info().rss,
        "objects": len(gc.get_objects()),
        "threads": threading.active_count(),
        "comms": len(comm.get_comm_manager().comms),
        "widgets": len(_instances),
    }

cycles(count // 5)
readings = [reading()]
for _ in range(10):
    cycles(count // 10)
    readings.append(reading())
print(json.dumps(readings))
"""


@pytest.mark.parametrize(("model", "count"), [("shared", 100), ("loaded", 30)])
def test_a_hundred_cycles_keep_memory_threads_and_comms_flat(model: str, count: int) -> None:
    """Loading costs a second each, so of those there are fewer."""
    arguments = [sys.executable, "-c", CYCLES, str(count), model]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    readings = json.loads(done.stdout)
    # An allocator gives memory back when it likes, so single readings differ by a percent.
    early, late = (median(each["memory"] for each in half) for half in (readings[:5], readings[6:]))
    assert abs(late / early - 1) <= 0.02
    before, after = readings[0], readings[-1]
    assert after["objects"] - before["objects"] < count
    for name in ("threads", "comms", "widgets"):
        assert after[name] == before[name]
    assert after["widgets"] == after["comms"] == 0
