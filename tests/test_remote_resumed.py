"""A session whose class server is lost goes on at another one, from what its kernel kept; its record is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ai_widgets.errors import MessageError
from ai_widgets.inference import Model
from ai_widgets.policies.constant import AlwaysReply
from ai_widgets.protocol import CHUNK_SAMPLES, Decision, Notice, Token, Turn
from ai_widgets.serve import driver
from ai_widgets.serve.incoming import GivenEnd, parse
from ai_widgets.session.ensemble import Ensemble
from ai_widgets.settings import Settings
from ai_widgets.widget.app import AudioInteraction
from ai_widgets.widget.remote import held_past, past
from tests.class_server import Class, Learner, class_of
from tests.learners import SETTINGS, facts
from tests.signals import babble
from tests.test_remote import alone
from tests.whole_records import check_reproduced, check_whole, events, without_notices

SOUND = babble(2.4, 3)
CHUNKS = 7


@pytest.fixture
def served(toy: Model) -> Iterator[Class]:
    with class_of(toy, 3, places=2) as running:
        yield running


def forget(served: Class) -> None:
    """Lose the sessions as a server does that dies: connections and places."""

    async def die() -> None:
        room = served.server.room
        for place in list(room.places.taken):
            room.places.leave(place)
        for connection in room.connections:
            connection._socket.abort()

    served.run(die())


def told(widget: AudioInteraction, kind: str) -> list[Notice]:
    return [event for event in events(widget.record) if isinstance(event, Notice) and event.kind == kind]


def test_a_session_goes_on_at_a_server_that_does_not_know_it(served: Class, toy: Model) -> None:
    widget = AudioInteraction(served.address, token=served.token(), seed=5, **SETTINGS)
    for start in range(0, len(SOUND), CHUNK_SAMPLES):
        widget.feed(SOUND[start : start + CHUNK_SAMPLES], 16_000)
        forget(served)
    widget.feed(np.zeros(0, np.float32), 16_000, end=True, tail_silence=0.4)
    assert without_notices(widget.record) == [each for each in alone(toy) if each[0] != "notice"]
    notices = told(widget, "context_rebuilt")
    assert [(notice.chunk, notice.data["chunks"], notice.data["exact"]) for notice in notices] == [
        (chunk, chunk, True) for chunk in range(1, CHUNKS)
    ]
    check_whole(widget.record)
    check_reproduced(widget.record, toy)
    widget.close()


def test_settings_from_before_the_first_chunk_are_kept(served: Class, toy: Model) -> None:
    widget = AudioInteraction(served.address, token=served.token(), seed=5, **SETTINGS)
    assert widget.model.name
    forget(served)
    widget.feed(SOUND, 16_000, end=True, tail_silence=0.4)
    assert facts(events(widget.record)) == alone(toy)
    widget.close()


def up_to_date(served: Class, events: int) -> bool:
    return all(connection._sent >= events for connection in served.server.room.connections)


def die_in_reply(served: Class, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Have the server lose its sessions once, when `after` tokens of a reply were sent."""
    advance, died = Ensemble.advance, []

    def dying(sessions: Any) -> Any:
        outcomes = advance(sessions)
        for place in served.server.room.places.taken:
            newest = list(place.record.since(max(0, len(place.record) - after)))
            if not died and len(newest) == after and all(isinstance(event, Token) for event in newest):
                died.append(place)
                place.changed()
                served.until(partial(up_to_date, served, len(place.record)))
                forget(served)
        return outcomes

    monkeypatch.setattr(driver.Ensemble, "advance", staticmethod(dying))


@pytest.mark.parametrize("after", [1, 3])
def test_a_reply_that_the_loss_cuts_is_closed_once_and_the_session_goes_on(
    served: Class, toy: Model, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    rules = {**SETTINGS, "bias": 4.0, "max_reply_tokens": 8}
    widget = AudioInteraction(served.address, token=served.token(), seed=5, **rules)
    widget.feed(SOUND[:CHUNK_SAMPLES], 16_000)
    die_in_reply(served, monkeypatch, after)
    widget.feed(np.concatenate([SOUND, SOUND]), 16_000, end=True, tail_silence=0.4)
    turns = [event for event in events(widget.record) if isinstance(event, Turn)]
    (cut,) = [turn for turn in turns if turn.ended == "interrupted"]
    assert len(cut.tokens) == after
    assert [notice.data for notice in told(widget, "server_changed")] == [{"turn": cut.turn}]
    assert [notice.chunk for notice in told(widget, "context_rebuilt")] == [cut.chunk + 1]
    check_whole(widget.record)
    check_reproduced(widget.record, toy)
    widget.close()


def test_changed_settings_and_another_prompt_apply_after_the_loss(served: Class, toy: Model) -> None:
    widget = AudioInteraction(served.address, token=served.token(), seed=5, **SETTINGS)
    for place, changes in enumerate(
        [{}, {"seed": 9, "bias": 2.0}, {"temperature": 0.5}, {"system_prompt": "Be brief."}]
    ):
        widget.set(**changes)
        widget.feed(SOUND[place * CHUNK_SAMPLES : (place + 1) * CHUNK_SAMPLES], 16_000)
        forget(served)
    widget.feed(SOUND[4 * CHUNK_SAMPLES :], 16_000, end=True, tail_silence=0.4)
    assert len(told(widget, "settings")) == 3
    check_whole(widget.record)
    check_reproduced(widget.record, toy)
    widget.close()


def test_a_context_that_slid_goes_on_with_what_it_held_and_says_so(served: Class, toy: Model) -> None:
    framing = toy.framing(Settings())
    limit = len(framing.prefix) + 5 * (len(framing.block) + 1)
    rules = {**SETTINGS, "bias": -20.0, "context_limit": limit}
    widget = AudioInteraction(served.address, token=served.token(), seed=5, **rules)
    widget.feed(SOUND, 16_000)
    forget(served)
    widget.feed(SOUND, 16_000)
    (notice,) = told(widget, "context_rebuilt")
    assert (notice.data["exact"], notice.data["chunks"] < 6) == (False, True)
    check_whole(widget.record)
    with toy.session(seed=5, **rules) as session:
        session.push(SOUND)
        session.push(SOUND)
    was, now = ([(e.position, e.used, e.draw, e.oldest) for e in events(record) if isinstance(e, Decision)]
                for record in (session.record, widget.record))  # fmt: skip
    assert now == was
    widget.close()


class TestImpossible:
    """The session starts over, with the notice `context_reset`."""

    def lost(self, widget: AudioInteraction, served: Class) -> list[Notice]:
        widget.feed(SOUND[: 2 * CHUNK_SAMPLES], 16_000)
        forget(served)
        widget.feed(SOUND[2 * CHUNK_SAMPLES :], 16_000)
        assert not told(widget, "context_rebuilt")
        return told(widget, "context_reset")

    def check(self, notices: list[Notice]) -> None:
        assert [(notice.chunk, notice.data) for notice in notices] == [(2, {"why": "server"})]

    def test_a_policy_has_no_context(self) -> None:
        with class_of(AlwaysReply(), 1) as served:
            widget = AudioInteraction(served.address, token=served.token())
            self.check(self.lost(widget, served))
            widget.close()

    def test_another_model_cannot_go_on(self, served: Class, reference: Model) -> None:
        widget = AudioInteraction(served.address, token=served.token(), seed=5, **SETTINGS)
        widget.feed(SOUND[:CHUNK_SAMPLES], 16_000)
        served.server.room.places._model = reference
        forget(served)
        widget.feed(SOUND[CHUNK_SAMPLES:], 16_000)
        assert [notice.chunk for notice in told(widget, "context_reset")] == [1]
        check_whole(widget.record)
        widget.close()

    def test_a_past_that_is_refused(self, served: Class, monkeypatch: pytest.MonkeyPatch) -> None:
        widget = AudioInteraction(served.address, token=served.token(), seed=5, **SETTINGS)

        part = past.Past
        monkeypatch.setattr(past, "Past", lambda chunks: part([past.PastChunk(10**9) for _ in chunks]))
        self.check(self.lost(widget, served))
        widget.close()


def test_a_long_past_is_bounded(served: Class, monkeypatch: pytest.MonkeyPatch, toy: Model) -> None:
    monkeypatch.setattr(held_past, "MAX_PAST_CHUNKS", 3)
    widget = AudioInteraction(served.address, token=served.token(), seed=5, **SETTINGS)
    widget.feed(SOUND, 16_000)
    forget(served)
    widget.feed(SOUND, 16_000)
    (notice,) = told(widget, "context_rebuilt")
    assert (notice.data["chunks"], notice.data["exact"]) == (3, False)
    check_whole(widget.record)
    widget.close()


class TestServer:
    @examples(max_examples=20)
    @given(
        kind=st.sampled_from(["past", "resume"]),
        fields=st.dictionaries(
            st.sampled_from(["chunks", "draws", "lead", "begun"]),
            st.one_of(
                st.none(), st.integers(), st.text(max_size=6), st.lists(st.dictionaries(st.text(), st.integers()))
            ),
        ),
        size=st.integers(0, 64),
    )
    def test_any_past_is_typed_or_a_message_error(self, kind: str, fields: dict[str, Any], size: int) -> None:
        with suppress(MessageError):
            assert isinstance(parse({"type": kind, **fields}, [bytes(size)]), GivenEnd)

    def test_a_past_comes_before_the_first_audio_only(self, served: Class) -> None:
        learner = Learner(served)
        learner.open()
        learner.block(SOUND[:CHUNK_SAMPLES])
        for message, buffers in past.messages([], 0, (None, -np.inf), False):
            learner.send(message, buffers)
        assert learner.hear("problem")["code"] == "resume"

    def test_a_past_longer_than_allowed_is_refused_before_it_is_kept(self, served: Class) -> None:
        learner = Learner(served)
        learner.hear("welcome")
        chunk = held_past.Kept(np.zeros(CHUNK_SAMPLES, np.float32), 1)
        parts = [
            each for each, _ in zip(past.messages([chunk] * 320, 0, (None, -np.inf), False), range(8), strict=False)
        ]
        for message, buffers in parts:
            learner.send(message, buffers)
        assert "at most 300 chunks" in learner.hear("problem")["message"]
        assert sum(len(part[0]["chunks"]) for part in parts) == 320
        assert len(served.server.room.places.taken[0]._past) <= past.MAX_PAST_CHUNKS
