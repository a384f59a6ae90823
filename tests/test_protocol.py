"""Events are frozen and JSON-able; special-token ids are data of the checkpoint."""

from __future__ import annotations

import copy
import json
import math
import pickle
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.errors import CheckpointError, EventError, UnknownEventError
from ai_widgets.protocol import (
    CHUNK_SAMPLES,
    CHUNK_SECONDS,
    EVENT_TYPES,
    FRAMES_PER_CHUNK,
    MELS_PER_CHUNK,
    SAMPLE_RATE,
    Alternative,
    Chunk,
    Decision,
    Event,
    Notice,
    Timing,
    Token,
    Turn,
)
from ai_widgets.special_tokens import TOKEN_NAMES, Emotion, SpecialTokens
from tests.every_event import EVENTS, FIXTURE

number = st.floats(allow_nan=False, allow_infinity=False)
share = st.floats(0, 1)
count = st.integers(0, 2**31)
text = st.text(max_size=20)
alternatives = st.lists(st.builds(Alternative, count, text, share, share, share), max_size=5).map(tuple)
flags = st.lists(st.sampled_from(["clipped", "padded", "tail"]), unique=True).map(tuple)
plain = st.recursive(
    st.none() | st.booleans() | count | number | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
events = st.one_of(
    st.builds(Chunk, count, count, number, number, st.lists(share, min_size=16, max_size=16).map(tuple), flags, text),
    st.builds(
        Decision,
        chunk=count,
        clip=count,
        start_s=number,
        token=count,
        choice=st.sampled_from(["KEEP_SILENCE", "TEXT_BEGIN", "OTHER"]),
        p_keep=share,
        p_text=share,
        p_other=share,
        logit_keep=number,
        logit_text=number,
        p_drawn=share,
        draw=st.none() | share,
        argmax=count,
        position=count,
        alternatives=alternatives,
        before=st.lists(count, max_size=5).map(tuple),
        oldest=count,
        used=count,
        limit=count,
        rule=st.dictionaries(text, st.none() | st.booleans() | number, max_size=7),
    ),
    st.builds(
        Token,
        chunk=count,
        turn=count,
        index=count,
        token=count,
        p=share,
        text=text,
        p_drawn=share,
        draw=st.none() | share,
        argmax=count,
        position=count,
        alternatives=alternatives,
    ),
    st.builds(
        Turn,
        count,
        count,
        count,
        number,
        st.none() | st.sampled_from(Emotion),
        text,
        st.lists(count).map(tuple),
        st.sampled_from(["TEXT_END", "limit", "interrupted"]),
    ),
    st.builds(Notice, count, text, text, st.dictionaries(text, plain, max_size=3)),
    st.builds(Timing, *[count, *[number] * 5, count, st.integers(-1, 2**31), *[number] * 3]),
)


def table(**changes: int) -> dict[str, int]:
    """A complete special-token table, ids counting up from 100."""
    return {name: 100 + place for place, name in enumerate(TOKEN_NAMES)} | changes


def test_the_time_grid_is_the_models() -> None:
    assert (SAMPLE_RATE, CHUNK_SAMPLES, CHUNK_SECONDS) == (16_000, 6_400, 0.4)
    assert (MELS_PER_CHUNK, FRAMES_PER_CHUNK) == (40, 10)


@given(events)
def test_an_event_survives_json(event: Event) -> None:
    assert Event.from_json(json.loads(json.dumps(event.to_json()))) == event


@pytest.mark.parametrize(("event", "line"), zip(EVENTS, FIXTURE.read_text("utf-8").split("\n")[:-1], strict=True))
def test_the_json_text_of_an_event_stays_the_same(event: Event, line: str) -> None:
    """Saved sessions, exported notebooks and open pages hold this text."""
    assert json.dumps(event.to_json(), ensure_ascii=False) == line
    assert Event.from_json(json.loads(line)) == event


@given(events)
def test_json_begins_with_the_type_and_holds_every_field(event: Event) -> None:
    values = event.to_json()
    assert list(values) == ["type", *event.__struct_fields__]
    assert EVENT_TYPES[values["type"]] is type(event)


@given(events)
def test_a_newer_versions_unknown_fields_are_ignored(event: Event) -> None:
    assert Event.from_json({**event.to_json(), "invented_later": [1, 2]}) == event


def test_events_of_version_1_can_be_read() -> None:
    """Fields that came later have defaults."""
    old = {"chunk": 3, "clip": 0, "start_s": 1.2, "token": 5, "choice": "KEEP_SILENCE", "p_keep": 0.75, "p_text": 0.25}
    old |= {"p_other": 0.0, "logit_keep": 1.0, "logit_text": 0.0, "p_drawn": 1.0, "draw": None, "argmax": 5}
    old |= {"position": 60, "alternatives": [{"token": 5, "text": "KEEP_SILENCE", "p": 0.75}], "type": "decision"}
    decision = Event.from_json(old)
    assert isinstance(decision, Decision)
    assert decision.alternatives == (Alternative(5, "KEEP_SILENCE", 0.75, 0.0, 0.0),)
    assert (decision.before, decision.rule, decision.limit) == ((), {}, 0)
    timing = Event.from_json(
        dict.fromkeys(["features_ms", "tower_ms", "decide_ms", "reply_ms", "queue_ms"], 1.0)
        | {"type": "timing", "chunk": 3}
    )
    assert isinstance(timing, Timing)
    assert (timing.stream, timing.seq, timing.decided_ms) == (0, -1, 0.0)


@given(events)
def test_events_are_frozen(event: Event) -> None:
    with pytest.raises(AttributeError, match="immutable"):
        event.chunk = 0  # type: ignore[misc]


@pytest.mark.parametrize("values", [{}, {"type": "song"}, {"type": ""}, {"type": ["turn"]}, {"type": 10**5000}])
def test_an_unknown_event_type_names_the_known_ones(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the types are chunk, decision, token, turn, notice, timing"):
        Event.from_json(values)


def read(values: dict[str, Any]) -> Event | EventError:
    """The event of a JSON form, or why there is none."""
    try:
        return Event.from_json(values)
    except EventError as error:
        return error


@given(events)
def test_a_lost_field_has_its_default_or_is_named(event: Event) -> None:
    for name in event.to_json().keys() - {"type"}:
        values = event.to_json()
        del values[name]
        outcome = read(values)
        assert type(outcome) is type(event) or f"`{name}`" in str(outcome)


@given(events, st.data())
def test_any_value_in_a_field_is_read_or_refused_by_name(event: Event, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(event.to_json().keys() - {"type"})))
    wrong = data.draw(plain | st.just(10**400) | st.just(math.nan))
    outcome = read({**event.to_json(), name: wrong})
    assert type(outcome) is type(event) or name in str(outcome)


@given(events, plain)
def test_any_value_as_a_type_is_a_known_or_an_unknown_type(event: Event, wrong: Any) -> None:
    outcome = read({**event.to_json(), "type": wrong})
    assert isinstance(outcome, UnknownEventError)
    assert outcome.type == (wrong if isinstance(wrong, str) else None)


def test_a_reader_can_tell_an_event_of_a_newer_version_from_a_damaged_one() -> None:
    with pytest.raises(UnknownEventError, match="'song' is not an event type") as unknown:
        Event.from_json({"type": "song", "chunk": 3, "melody": "la"})
    assert unknown.value.type == "song"
    with pytest.raises(EventError, match=r"'notice' is damaged.*`kind`") as damaged:
        Event.from_json({"type": "notice", "chunk": 3})
    assert not isinstance(damaged.value, UnknownEventError)


@given(events)
def test_events_are_copied_and_pickled(event: Event) -> None:
    for other in (copy.copy(event), copy.deepcopy(event), pickle.loads(pickle.dumps(event))):  # noqa: S301
        assert (type(other), other) == (type(event), event)


def test_the_type_is_read_from_a_class_and_from_an_event() -> None:
    assert list(EVENT_TYPES) == ["chunk", "decision", "token", "turn", "notice", "timing"]
    assert [kind.type for kind in EVENT_TYPES.values()] == list(EVENT_TYPES)
    assert {event.type for event in EVENTS} == set(EVENT_TYPES)


def test_values_of_numpy_and_other_mappings_are_written_as_plain_json() -> None:
    data = MappingProxyType({"level": np.float32(0.5), "peaks": np.array([1.0, 2.0]), "more": MappingProxyType({})})
    written = json.dumps(Notice(1, "limit", "A limit.", data).to_json()["data"])
    assert written == '{"level": 0.5, "peaks": [1.0, 2.0], "more": {}}'


def test_numbers_that_are_not_finite_survive_python_json() -> None:
    event = Timing(3, math.inf, -math.inf, 1.0, 0.0, 0.0)
    assert Event.from_json(json.loads(json.dumps(event.to_json()))) == event


class TestSpecialTokens:
    def test_ids_by_name_and_names_by_id(self) -> None:
        tokens = SpecialTokens(table(), {Emotion.SAD: 7})
        assert tokens["KEEP_SILENCE"] == table()["KEEP_SILENCE"]
        assert [tokens.name(token) for token in table().values()] == list(table())
        assert (tokens.name(7), tokens.emotion(7)) == ("SAD", Emotion.SAD)
        assert (tokens.name(3), tokens.emotion(3)) == (None, None)

    def test_of_two_names_for_one_id_the_first_is_shown(self) -> None:
        assert SpecialTokens(table(PAD=100), {}).name(100) == "TEXT_BEGIN"

    @pytest.mark.parametrize("name", TOKEN_NAMES)
    def test_a_missing_name_is_said(self, name: str) -> None:
        ids = table()
        del ids[name]
        with pytest.raises(CheckpointError, match=f"lacks {name};"):
            SpecialTokens(ids, {})

    def test_the_tables_cannot_be_changed(self) -> None:
        ids = table()
        tokens = SpecialTokens(ids, {})
        ids["PAD"] = 5
        assert tokens["PAD"] != 5
        with pytest.raises(TypeError):
            tokens.ids["PAD"] = 5  # type: ignore[index]

    def test_the_highest_id_may_be_an_emotion(self) -> None:
        assert SpecialTokens(table(), {Emotion.SAD: 900}).highest == 900
        assert SpecialTokens(table(PAD=901), {Emotion.SAD: 900}).highest == 901
