"""A page's session as it arrives in the kernel: the pure state machine, where messages are lost, repeated or false."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets import __version__
from ai_widgets.errors import SessionError, SettingError
from ai_widgets.inference import Model, load_model
from ai_widgets.protocol import EVENT_TYPES, Notice
from ai_widgets.record.picture import timeline_image
from ai_widgets.record.record import SessionRecord
from ai_widgets.record.saved_viewer import saved_viewer
from ai_widgets.record.transcript import transcript_html, transcript_text
from ai_widgets.session.script import Script
from ai_widgets.widget.history import History
from ai_widgets.widget.page_engine.event_order import FREE_BYTES
from ai_widgets.widget.page_engine.page_session import PageSession
from ai_widgets.widget.wire.engine_messages import EngineBegin, EngineEvents
from tests.engine_page import Run, begin, chunk, events, run, same
from tests.engine_vectors import FOLDER

OURS = [
    each for each in json.loads((FOLDER / "sessions.json").read_text("utf-8"))["sessions"] if "fork" not in each["name"]
]
"""Sessions whose events the engine of the page computes as Python does."""


@pytest.fixture(scope="module")
def made(toy: Model) -> Run:
    return run(toy)


@pytest.fixture
def arriving(toy: Model, made: Run) -> PageSession:
    return PageSession(toy, begin(made), SessionRecord())


def deliver(session: PageSession, made: Run) -> None:
    session.take_events(events(made, 0))
    for index in range(made.chunks):
        session.take_chunk(chunk(made, index))


def read_all(record: SessionRecord) -> None:
    """Read everything that is made of a record without a model."""
    for kind in EVENT_TYPES:
        record.table(kind, details=True)
    transcript_text(record), transcript_html(record, "x"), timeline_image(record), str(record)
    History(record, 1).to_json()
    Script.of(record.events)


# What a page delivers becomes the record


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"greedy": True, "bias": 3.0},
        {"context_limit": 60, "bias": 2.0},
        {"context": "stop", "context_limit": 90},
        {"mask": False, "temperature": 2.0, "top_k": 0},
        {"forget_after_reply": True, "alternatives": 100},
    ],
    ids=lambda settings: ", ".join(settings) or "the defaults",
)
def test_a_session_of_the_page_is_the_kernels_record_and_runs_again(
    toy: Model, settings: dict[str, Any], tmp_path: Path
) -> None:
    made = run(toy, **settings)
    session = PageSession(toy, begin(made), SessionRecord())
    deliver(session, made)
    assert session.refused == ""
    same(session.record, made)
    assert session.record.replay(toy).reproduced
    opened = SessionRecord.load(session.record.save(tmp_path / "page.aiw"))
    same(opened, made)
    read_all(opened)


@pytest.mark.parametrize("made", OURS, ids=lambda made: made["name"])
def test_every_session_that_the_engine_computes_is_taken(made: dict[str, Any]) -> None:
    tiny = load_model("tiny", "cpu")
    session = PageSession(tiny, EngineBegin("one", 1, made["settings"], {}), SessionRecord())
    session.take_events(EngineEvents("one", 1, 0, "run", "", -1, 0, made["events"]))
    assert (session.refused, session.events) == ("", len(made["events"]))


def test_the_heading_says_where_the_session_was_computed_and_with_which_weights(
    arriving: PageSession, toy: Model
) -> None:
    header = arriving.record.header
    assert (header.model["device"], header.model["fingerprint"]) == (
        "page",
        toy.session().record.header.model["fingerprint"],
    )
    assert header.versions == {"ai_widgets": __version__, "engine": "onnxruntime-web 1.30.0"}
    assert (header.settings, header.live["arrival"]) == (arriving.settings.to_json(), "keep")


def test_changed_settings_are_followed(toy: Model) -> None:
    with toy.session(seed=3) as running:
        running.push(np.zeros(6_400, np.float32), rate=16_000)
        running.change(bias=0.5)
        running.push(np.zeros(6_400, np.float32), rate=16_000)
        made = Run.of(running.record)
    session = PageSession(toy, begin(made), SessionRecord())
    deliver(session, made)
    assert session.settings.bias == 0.5
    live = {"changed": {"arrival": "drop"}, "settings": {"arrival": "drop"}}
    session.take_events(
        _more(session, {"type": "notice", "chunk": 1, "kind": "settings", "message": "x", "data": live})
    )
    assert (session.live.arrival, session.refused) == ("drop", "")


@pytest.mark.parametrize("kind", ["audio_discarded", "events_reduced"])
def test_what_the_page_discards_of_its_own_memory_is_no_fact_of_the_kernels_record(
    arriving: PageSession, made: Run, kind: str
) -> None:
    notice = {"type": "notice", "chunk": 0, "kind": kind, "message": "x", "data": {"seconds": 600}}
    arriving.take_events(_more(arriving, notice))
    assert (arriving.events, len(arriving.record), arriving.refused) == (1, 0, "")
    arriving.take_events(EngineEvents("one", 1, 1, "run", "", -1, 0, made.events))
    assert arriving.events == len(made.events) + 1
    assert [event.to_json() for event in arriving.record.events] == made.events


def test_settings_that_are_not_possible_begin_no_session(toy: Model) -> None:
    with pytest.raises(SettingError, match="temperature"):
        PageSession(toy, EngineBegin("one", 1, {"temperature": -1}, {}), SessionRecord())
    with pytest.raises(SettingError, match="context_limit"):
        PageSession(toy, EngineBegin("one", 1, {"context_limit": 3}, {}), SessionRecord())


# Order of messages


@given(data=st.data())
def test_messages_that_are_lost_repeated_and_out_of_order_leave_the_valid_prefix(
    toy: Model, made: Run, data: st.DataObject
) -> None:
    session = PageSession(toy, begin(made), SessionRecord())
    places, audio = st.integers(0, len(made.events)), st.integers(0, made.chunks - 1)
    for _ in range(data.draw(st.integers(0, 12))):
        before = session.events, session.chunks
        if data.draw(st.booleans()):
            first, count = data.draw(places), data.draw(st.integers(0, 60))
            session.take_events(events(made, first, first + count))
            reached = min(first + count, len(made.events))
            assert session.events == (max(before[0], reached) if first <= before[0] else before[0])
        else:
            index = data.draw(audio)
            session.take_chunk(chunk(made, index))
            follows = index == before[1] and index < session.heard
            assert session.chunks == before[1] + follows
        assert [event.to_json() for event in session.record.events] == made.events[: session.events]
    session.take_events(events(made, session.events))
    for index in range(session.chunks, made.chunks):
        session.take_chunk(chunk(made, index))
    same(session.record, made)
    assert session.taken.events == len(made.events)


def test_audio_before_its_event_is_sent_again(arriving: PageSession, made: Run) -> None:
    arriving.take_chunk(chunk(made, 0))
    assert arriving.taken.chunks == 0
    arriving.take_events(events(made, 0))
    arriving.take_chunk(chunk(made, 0))
    assert arriving.taken.chunks == 1


def test_audio_that_the_page_kept_no_longer_is_silence_with_two_notices(
    arriving: PageSession, made: Run, toy: Model
) -> None:
    arriving.take_events(events(made, 0))
    for index in range(made.chunks):
        arriving.take_chunk(chunk(made, index, missing=index in (2, 3, 4)))
    told = [event for event in arriving.record.of_type(Notice) if event.kind == "audio_missing"]
    assert [notice.chunk for notice in told] == [2, 5]
    assert "1.2 s before it are silence" in told[1].message
    np.testing.assert_array_equal(arriving.record.audio[2 * 6_400 : 5 * 6_400], 0)
    np.testing.assert_array_equal(arriving.record.audio[5 * 6_400 :], made.audio[5 * 6_400 :])
    with pytest.raises(SessionError, match="chunk 2"):
        arriving.record.replay(toy)


# Hostile pages

Change = Callable[[dict[str, Any]], object]
FALSE: dict[str, tuple[str, Change]] = {
    "a level that is no number": ("chunk", lambda event: event.update(rms_db=float("nan"))),
    "an infinite peak": ("chunk", lambda event: event.update(envelope=[float("inf")] * 16)),
    "a short envelope": ("chunk", lambda event: event.update(envelope=[0.0])),
    "an unknown flag": ("chunk", lambda event: event.update(flags=["loud"])),
    "a flag twice": ("chunk", lambda event: event.update(flags=["late", "late"])),
    "a picture that is none": ("chunk", lambda event: event.update(mel="?")),
    "a state of the features that is none": ("chunk", lambda event: event.update(lead="AAAA")),
    "another start": ("chunk", lambda event: event.update(start_s=9.0)),
    "a chunk that was heard": ("chunk", lambda event: event.update(chunk=max(0, event["chunk"] - 1), start_s=0.0)),
    "a clip far away": ("chunk", lambda event: event.update(clip=event["clip"] + 2)),
    "a probability above 1": ("decision", lambda event: event.update(p_text=1.5)),
    "probabilities that do not add up": ("decision", lambda event: event.update(p_keep=0.0, p_text=0.0, p_other=0.0)),
    "a token outside of the vocabulary": ("decision", lambda event: event.update(argmax=288)),
    "a negative token": ("token", lambda event: event.update(token=-1)),
    "a choice that is not its token's": ("decision", lambda event: event.update(token=0)),
    "a position outside of the context": ("decision", lambda event: event.update(position=10**9)),
    "a rule with other fields": ("decision", lambda event: event["rule"].update(evil="x")),
    "a rule without fields": ("decision", lambda event: event.update(rule={})),
    "a decision of another chunk": ("decision", lambda event: event.update(chunk=event["chunk"] + 1)),
    "a number beyond 64 bits": ("decision", lambda event: event.update(used=10**30)),
    "a text for a number": ("decision", lambda event: event.update(used="3")),
    "half a character": ("token", lambda event: event.update(text="\ud800")),
    "a long text": ("token", lambda event: event.update(text="x" * 501)),
    "a token that is left out": ("token", lambda event: event.update(index=event["index"] + 1)),
    "a token of another turn": ("token", lambda event: event.update(turn=event["turn"] + 1)),
    "a turn with other tokens": ("turn", lambda event: event.update(tokens=[1])),
    "an unknown ending": ("turn", lambda event: event.update(ended="unknown")),
    "an unknown emotion": ("turn", lambda event: event.update(emotion="UNKNOWN")),
    "a timing of another chunk": ("timing", lambda event: event.update(chunk=event["chunk"] + 1)),
    "a time that is no number": ("timing", lambda event: event.update(tower_ms=float("nan"))),
    "an unknown type": ("timing", lambda event: event.update(type="__class__")),
    "no type": ("timing", lambda event: event.pop("type")),
}
NOTICES: dict[str, dict[str, Any]] = {
    "a kind with markup": {"kind": "<b>"},
    "a kind of the kernel": {"kind": "salvaged"},
    "a sentence that is too long": {"message": "x" * 4_001},
    "a slide without positions": {"kind": "context_slide"},
    "settings without names": {"kind": "settings"},
    "settings that do not exist": {"kind": "settings", "data": {"changed": {"warmth": 1}, "settings": {}}},
    "settings that are not possible": {"kind": "settings", "data": {"changed": {"temperature": -1}, "settings": {}}},
    "a context that no chunk fits": {"kind": "settings", "data": {"changed": {"context_limit": 3}, "settings": {}}},
    "an end without a chunk": {"kind": "limit", "data": {"drawn": 3}},
    "a chunk to come": {"chunk": 2},
    "more data than a notice has": {"data": {"x": "y" * 300_000}},
}


@pytest.mark.parametrize("name", FALSE)
def test_a_false_event_ends_the_session_and_loses_nothing(arriving: PageSession, made: Run, name: str) -> None:
    kind, change = FALSE[name]
    of_kind = [place for place, event in enumerate(made.events) if event["type"] == kind]
    place = of_kind[min(2, len(of_kind) - 1)]
    told = deepcopy(made.events)
    change(told[place])
    arriving.take_events(EngineEvents("one", 1, 0, "run", "", -1, 0, told))
    assert arriving.events == place
    assert [event.to_json() for event in arriving.record.events] == made.events[:place]
    assert f"Event {place} of this session cannot be recorded" in arriving.refused
    assert arriving.taken.refused
    arriving.take_events(events(made, place))
    assert arriving.events == place
    for index in range(arriving.heard):
        arriving.take_chunk(chunk(made, index))
    assert arriving.chunks == arriving.heard
    read_all(arriving.record)


def _more(session: PageSession, *values: dict[str, Any]) -> EngineEvents:
    return EngineEvents("one", 1, session.events, "run", "", -1, 0, list(values))


@pytest.mark.parametrize("name", NOTICES)
def test_a_false_notice_is_not_taken(arriving: PageSession, name: str) -> None:
    notice = {"type": "notice", "chunk": 0, "kind": "note", "message": "x", "data": {}}
    arriving.take_events(_more(arriving, notice, {**notice, **NOTICES[name]}))
    assert (arriving.events, bool(arriving.refused)) == (1, True)


def test_notices_without_audio_do_not_fill_the_memory(arriving: PageSession) -> None:
    notice = {"type": "notice", "chunk": 0, "kind": "note", "message": "x" * 4_000, "data": {}}
    while not arriving.refused:
        arriving.take_events(_more(arriving, *[notice] * 100))
    assert "bytes in all" in arriving.refused
    assert arriving.events < FREE_BYTES / 4_000


def test_a_reply_stays_open_until_its_turn(arriving: PageSession, made: Run) -> None:
    begins = next(place for place, event in enumerate(made.events) if event.get("choice") == "TEXT_BEGIN")
    arriving.take_events(events(made, 0, begins + 1))
    assert arriving.replying
    following = next(event for event in made.events[begins:] if event["type"] == "chunk")
    arriving.take_events(_more(arriving, following))
    assert "before the reply has ended" in arriving.refused
    read_all(arriving.record)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(data=st.data())
def test_any_change_of_any_event_leaves_a_record_that_can_be_read(toy: Model, made: Run, data: st.DataObject) -> None:
    told = deepcopy(made.events)
    for _ in range(data.draw(st.integers(1, 4))):
        event = told[data.draw(st.integers(0, len(told) - 1))]
        field = data.draw(st.sampled_from(sorted(event)))
        others = [each[field] for each in made.events if field in each]
        event[field] = data.draw(st.one_of(JSON, st.sampled_from(others)))
    session = PageSession(toy, begin(made), SessionRecord())
    session.take_events(EngineEvents("one", 1, 0, "run", "", -1, 0, told))
    kept = [event.to_json() for event in session.record.events]
    assert len(kept) == session.events
    assert json.loads(json.dumps(kept)) == json.loads(json.dumps(told[: session.events]))
    assert bool(session.refused) == (session.events < len(told))
    read_all(session.record)


def test_a_record_that_a_page_filled_with_what_it_may_is_shown_in_a_notebook(arriving: PageSession, made: Run) -> None:
    deliver(arriving, made)
    assert "<iframe" in saved_viewer(arriving.record)
    assert len(arriving.record.plot().data) > 0
