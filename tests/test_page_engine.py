"""A widget with ``engine="page"``: its page runs the session, and the kernel offers the engine and has the record."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.errors import (
    SessionError,
    SettingError,
)
from ai_widgets.inference import Model
from ai_widgets.record.record import SessionRecord
from ai_widgets.widget.history import History
from ai_widgets.widget.page_engine import presenter
from ai_widgets.widget.page_engine.channel import BEGIN_BURST, TOO_MANY
from tests.engine_page import EnginePage, Run, run, same
from tests.page import Build
from tests.page_engine_widgets import Show, widgets, without_build
from tests.test_fuzz_messages import ODD


@pytest.fixture(scope="module")
def made(toy: Model) -> Run:
    return run(toy)


@pytest.fixture(autouse=True)
def _front_end_and_export(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_build(monkeypatch, tmp_path)


@pytest.fixture
def shown(toy: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[Show]:
    with widgets(toy, monkeypatch) as make:
        yield make


@pytest.fixture
def page(shown: Show) -> EnginePage:
    page = shown()
    page.hello()
    return page


def test_a_session_of_the_page_is_the_record_of_the_widget(page: EnginePage, made: Run, tmp_path: Path) -> None:
    page.deliver(made)
    widget = page.widget
    same(widget.record, made)
    assert page.taken == {
        "type": "engine_taken",
        "page": "one",
        "session": 1,
        "begun": True,
        "events": len(made.events),
        "chunks": made.chunks,
        "problem": "",
        "refused": False,
    }
    assert widget.record.replay(widget.model).reproduced
    same(SessionRecord.load(widget.record.save(tmp_path / "page.aiw")), made)
    assert page.of("events") == []


def test_traits_show_the_session_that_runs_in_the_page(page: EnginePage, made: Run) -> None:
    widget = page.widget
    assert (widget.state, widget.model_info["status"]) == ("idle", "ready")
    page.begin(made, arrival="drop")
    assert widget.live["arrival"] == "drop"
    page.send({"type": "state", "state": "listening", "problem": "", "message": ""})
    assert widget.state == "listening"
    begins = next(place for place, event in enumerate(made.events) if event.get("choice") == "TEXT_BEGIN")
    page.events_of(made, 0, begins + 1, mode="pause", phase="decide", chunk=3, waiting=2)
    assert (widget.state, widget.waiting, widget.counters["waiting"], widget.counters["lag_s"]) == (
        "speaking",
        2,
        2,
        0.8,
    )
    assert widget.loop == {"mode": "pause", "phase": "decide", "chunk": 3}
    page.events_of(made, begins + 1)
    for index in range(made.chunks):
        page.sound(made, index)
    page.send({"type": "state", "state": "stopped", "problem": "", "message": ""})
    assert widget.state == "stopped"
    assert widget.history == History(widget.record, 2).to_json()
    assert "6 replies" in repr(widget)


def test_the_record_is_kept_on_disk_while_it_arrives(shown: Show, made: Run, tmp_path: Path) -> None:
    page = shown(keep=tmp_path)
    page.deliver(made)
    same(SessionRecord.load(page.widget.record.path), made)
    page.deliver(made)
    page.widget.close()
    assert len(list(tmp_path.glob("*.aiw"))) == 2


def test_settings_of_the_page_are_taken_over_and_not_sent_back(page: EnginePage, made: Run) -> None:
    page.begin(made)
    page.send({"type": "set", "changes": {"bias": 1.5, "arrival": "drop"}, "request": 4})
    assert (page.widget.settings["bias"], page.widget.live["arrival"]) == (1.5, "drop")
    page.send({"type": "set", "changes": {"bias": "much"}, "request": 5})
    assert (page.of("problem")[-1]["code"], page.of("problem")[-1]["request"]) == ("setting", 5)
    assert page.widget.settings["bias"] == 1.5
    assert page.of("engine_set") == []


def test_a_notice_of_changed_settings_changes_the_trait(page: EnginePage, toy: Model) -> None:
    with toy.session(seed=3) as session:
        session.push(np.zeros(6_400, np.float32), rate=16_000)
        session.change(bias=0.5)
        session.push(np.zeros(6_400, np.float32), rate=16_000)
        changed = Run.of(session.record)
    page.deliver(changed)
    assert page.widget.settings["bias"] == 0.5


# Several pages, and pages that come again


def test_a_message_that_was_lost_is_asked_for_again(page: EnginePage, made: Run) -> None:
    page.begin(made)
    page.events_of(made, 20)
    assert (page.taken["events"], page.taken["problem"]) == (0, "")
    page.events_of(made, 0, 30)
    page.events_of(made, 20)
    assert page.taken["events"] == len(made.events)


def test_events_of_a_session_that_the_kernel_does_not_have_are_asked_for_from_its_beginning(
    page: EnginePage, made: Run
) -> None:
    page.session = 1
    page.events_of(made, 50)
    assert (page.taken["begun"], page.taken["events"]) == (False, 0)


def test_a_page_that_comes_again_goes_on_where_the_kernel_is(page: EnginePage, made: Run) -> None:
    page.begin(made)
    page.events_of(made, 0, 40)
    page.hello()
    assert page.taken["events"] == 40
    page.session -= 1
    page.begin(made)
    assert (page.taken["begun"], page.taken["events"]) == (True, 40)
    page.events_of(made, 40)
    assert len(page.widget.record) == len(made.events)


def test_a_second_page_takes_over_and_the_first_is_told(page: EnginePage, made: Run, toy: Model) -> None:
    page.deliver(made)
    first = page.widget.record
    second, other = EnginePage(page.widget, "two"), run(toy, 2.0, seed=1)
    second.hello()
    assert second.of("engine_elsewhere") == []
    second.deliver(other)
    assert page.of("engine_elsewhere") == [{"type": "engine_elsewhere", "page": "one"}]
    same(page.widget.record, other)
    same(first, made)
    page.events_of(made)
    page.sound(made, 0)
    assert [each["page"] for each in page.of("engine_elsewhere")] == ["one"] * 3
    same(page.widget.record, other)


def test_a_page_that_is_opened_later_fetches_the_record(page: EnginePage, made: Run, tmp_path: Path) -> None:
    page.deliver(made)
    late = EnginePage(page.widget, "late")
    late.hello()
    assert late.of("welcome")[-1]["first"] == len(made.events)
    late.send({"type": "save", "format": "aiw", "request": 1, "page": "late"})
    late.until(lambda: bool(late.of("saved")))
    size, whole = late.of("saved")[-1]["size"], b""
    while len(whole) < size:
        late.send({"type": "part", "request": 1, "offset": len(whole), "page": "late"})
        whole += late.buffers_of("part")[-1]
    (tmp_path / "late.aiw").write_bytes(whole)
    same(SessionRecord.load(tmp_path / "late.aiw"), made)
    late.send({"type": "release", "request": 1, "page": "late"})


def test_there_is_nothing_to_save_before_a_session(page: EnginePage) -> None:
    page.send({"type": "save", "format": "aiw", "request": 1, "page": "one"})
    assert "nothing to save" in page.of("saved")[-1]["problem"]


def test_sessions_without_end_do_not_fill_the_disk(page: EnginePage, made: Run, shown: Show) -> None:
    for _ in range(BEGIN_BURST + 1):
        page.begin(made)
    assert (page.taken["begun"], page.taken["refused"], page.taken["problem"]) == (False, False, TOO_MANY)
    page.session -= 1
    page.events_of(made)
    assert page.taken["events"] == len(made.events)


# Python


def test_python_asks_the_page(page: EnginePage, made: Run) -> None:
    page.deliver(made)
    widget = page.widget
    widget.pause(), widget.resume(), widget.step(), widget.interrupt(), widget.reset()
    asked = [(each["page"], each["action"]) for each in page.of("engine_control")]
    assert asked == [("one", action) for action in ("pause", "run", "step", "interrupt", "reset")]
    widget.set(bias=0.25, arrival="drop")
    widget.settings = {"temperature": 0.5}
    changes = [each["changes"] for each in page.of("engine_set")]
    assert changes == [{"bias": 0.25, "arrival": "drop"}, {"temperature": 0.5}]
    assert (widget.settings["bias"], widget.settings["temperature"]) == (0.25, 0.5)
    same(widget.record, made)


def test_settings_that_are_not_possible_are_refused_before_the_page_has_them(page: EnginePage) -> None:
    with pytest.raises(SettingError, match="temperature"):
        page.widget.set(temperature=-1)
    with pytest.raises(SettingError, match="context_limit"):
        page.widget.set(context_limit=3)
    assert page.of("engine_set") == []


# Hostile pages


def test_a_false_event_ends_the_session_with_a_sentence_and_a_new_one_begins(page: EnginePage, made: Run) -> None:
    page.begin(made)
    page.events_of(made, 0, 30)
    page.send(
        page.message("engine_events", first=30, events=[{"type": "chunk"}], mode="run", phase="", chunk=0, waiting=0)
    )
    assert (page.taken["events"], page.taken["refused"]) == (30, True)
    assert (page.widget.state, str(page.widget.error)) == ("error", page.taken["problem"])
    assert len(page.widget.record) == 30
    page.deliver(made)
    assert (page.widget.state, page.widget.error) == ("stopped", None)
    same(page.widget.record, made)


@pytest.mark.parametrize(
    ("kind", "fields", "size"),
    [
        ("engine_events", {"first": 0, "events": [{}] * 501}, None),
        ("engine_events", {"first": 0, "events": [{"type": "x" * 1_000_001}]}, None),
        ("engine_events", {"first": -1, "events": []}, None),
        ("engine_chunk", {"chunk": 0}, 4),
        ("engine_chunk", {"chunk": 0}, 25_604),
        ("engine_chunk", {"chunk": 0}, None),
        ("engine_begin", {"settings": {"system_prompt": "x" * 70_000}}, None),
        ("fork", {"chunk": 0}, None),
        ("open", {"stream": 1, "source": "mic", "name": "x", "rate": 16_000, "tail_s": 0.0}, None),
    ],
)
def test_a_message_that_is_not_allowed_is_answered_and_changes_nothing(
    page: EnginePage, made: Run, kind: str, fields: dict[str, Any], size: int | None
) -> None:
    page.begin(made)
    page.events_of(made, 0, 30)
    loop = {"mode": "run", "phase": "", "chunk": 0, "waiting": 0} if kind == "engine_events" else {}
    page.send(page.message(kind, **{**loop, **fields}), [] if size is None else [b"\0" * size])
    assert page.of("problem")[-1]["code"] == "message"
    assert len(page.widget.record) == 30


def test_sound_that_is_no_number_is_not_recorded(page: EnginePage, made: Run) -> None:
    page.begin(made)
    page.events_of(made)
    for value in (np.nan, np.inf, 1e30):
        page.send(page.message("engine_chunk", chunk=0), [np.full(6_400, value, "<f4").tobytes()])
    assert (page.taken["chunks"], len(page.widget.record.audio)) == (0, 0)
    assert "magnitude" in page.of("problem")[-1]["message"]


@given(data=st.data())
def test_no_message_raises_out_of_the_channel(toy: Model, made: Run, data: st.DataObject) -> None:
    channel = _channel(toy)
    valid = [
        {"type": "engine_begin", "page": "a", "session": 1, "settings": made.settings, "live": {}, "runtime": ""},
        {"type": "engine_events", "page": "a", "session": 1, "first": 0, "events": made.events[:40], **LOOP},
        {"type": "engine_chunk", "page": "a", "session": 1, "chunk": 0, "missing": True},
        {"type": "engine_file", "page": "a", "name": "model/step.onnx", "offset": 0},
        {"type": "set", "changes": {"bias": 1.0}, "request": 1},
        {"type": "state", "state": "listening", "problem": "", "message": ""},
    ]
    for _ in range(data.draw(st.integers(1, 6))):
        message = dict(data.draw(st.sampled_from(valid)))
        for _ in range(data.draw(st.integers(0, 2))):
            message[data.draw(st.sampled_from(sorted(message)))] = data.draw(st.sampled_from(ODD))
        channel.receive(message, [b"\0" * data.draw(st.sampled_from([0, 3, 25_600]))] * data.draw(st.integers(0, 2)))
    # All that was taken, and at most one notice of the kernel, that a chunk's sound is missing.
    taken = len(channel.record)
    channel.receive(valid[0] | {"page": "b"})
    channel.receive(valid[1] | {"page": "b"})
    assert taken <= 41
    assert len(channel.record) == 40
    channel.close()


LOOP = {"mode": "run", "phase": "", "chunk": -1, "waiting": 0}


def _channel(model: Model) -> Any:
    """A channel whose model is loaded, with a screen that shows nothing."""
    from ai_widgets.settings import Settings
    from ai_widgets.widget.live_settings import LiveSettings
    from ai_widgets.widget.page_engine.channel import PageChannel
    from tests.test_channel import Screen

    channel = PageChannel(Screen(), "toy", lambda _: model, Settings(), LiveSettings(), SessionRecord)
    channel.start()
    assert channel.model is model
    return channel


def test_a_host_that_shows_only_answers_gets_the_acknowledgement_with_the_message(
    toy: Model, made: Run, monkeypatch: pytest.MonkeyPatch, shown: Show
) -> None:
    monkeypatch.setattr("ai_widgets.widget.app.shows_only_answers", lambda: True)
    page = shown()
    page.hello()
    assert page.of("welcome")[-1]["pull"]
    page.deliver(made)
    assert page.taken["events"] == len(made.events)
    page.widget.pause()
    assert page.of("engine_control") == []
    page.send({"type": "poll"})
    assert page.of("engine_control")[-1]["action"] == "pause"


def test_a_widget_whose_session_runs_in_the_kernel_takes_none_of_a_page(build: Build, made: Run) -> None:
    page = EnginePage(build().widget)
    page.deliver(made)
    assert "runs in the kernel" in page.problems()[-1]
    assert len(page.widget.record) == 0


def test_the_history_is_written_when_a_page_is_gone(shown: Show, made: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presenter, "QUIET_SECONDS", 0.0)
    page = shown()
    page.deliver(made)
    page.until(lambda: page.widget.history == History(page.widget.record, 2).to_json())


def test_a_closed_channel_is_freed_with_its_model_and_files(toy: Model) -> None:
    channel = _channel(toy)
    channel.receive({"type": "engine_begin", "page": "a", "session": 1})
    known = weakref.ref(channel)
    channel.close()
    del channel
    gc.collect()
    assert known() is None


def test_a_closed_widget_keeps_the_record_and_offers_nothing(page: EnginePage, made: Run) -> None:
    page.deliver(made)
    page.widget.close()
    same(page.widget.record, made)
    assert "closed" in repr(page.widget)
    with pytest.raises(SessionError, match="closed"):
        _ = page.widget.model
