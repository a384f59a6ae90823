"""The history: the newest part of a record, never longer than a trait may be, and written when it is due."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.protocol import Alternative, Chunk, Decision, Notice, Timing, Token, Turn
from ai_widgets.record.record import SessionRecord
from ai_widgets.widget import history_writer as keeping
from ai_widgets.widget.history import MEL_CHUNKS, MOST_BYTES, History
from ai_widgets.widget.history_writer import HistoryKeeper
from tests.page import Page, settled
from tests.signals import babble

MEL = base64.b64encode(bytes(range(256)) + bytes(64)).decode()
RULE = {"greedy": False, "temperature": 0.3, "top_k": 3, "top_p": None, "bias": 0.0, "mask": True, "seed": 0}


def chunk_events(chunk: int, **decision: Any) -> list[Any]:
    numbers = {"p_keep": 0.123456789012, "p_text": 0.8, "p_other": 0.1, "logit_keep": 1.5, "logit_text": -2.0}
    return [
        Chunk(chunk, 0, chunk * 0.4, -33.3333333333, tuple(place / 16 for place in range(16)), ("late",), MEL),
        Decision(
            **{
                "chunk": chunk,
                "clip": 0,
                "start_s": chunk * 0.4,
                "token": 7,
                "choice": "KEEP_SILENCE",
                **numbers,
                "p_drawn": 0.5,
                "draw": 0.25,
                "argmax": 7,
                "position": chunk,
                "before": (3,),
                "used": 9,
                "limit": 2000,
                "rule": RULE,
                **decision,
            }
        ),
        Timing(chunk, 1.23456, 2.0, 3.0, 0.0, 4.0, 1, chunk, 1.8e12 + 0.123456, 1.8e12, 0.5),
    ]


def filled(chunks: int) -> SessionRecord:
    record = SessionRecord()
    for chunk in range(chunks):
        for event in chunk_events(chunk):
            record.append(event)
    return record


class TestSchema:
    def test_columns_hold_the_events(self) -> None:
        record = filled(2)
        history = History(record, 5).to_json()
        assert (history["version"], history["session"], history["first"], history["count"]) == (1, 5, 0, 6)
        chunks = history["chunks"]
        assert (chunks["chunk"], chunks["start_s"], chunks["flags"]) == ([0, 1], [0.0, 0.4], [["late"]] * 2)
        assert chunks["rms_db"] == [-33.33333, -33.33333]
        peaks = np.frombuffer(base64.b64decode(chunks["env"]), np.uint8).reshape(2, 16)
        np.testing.assert_allclose(peaks / 255, [np.arange(16) / 16] * 2, atol=1 / 255)
        assert base64.b64decode(chunks["mel"]) == base64.b64decode(MEL) * 2
        assert chunks["mel_from"] == 0
        decisions = history["decisions"]
        assert (decisions["p_keep"], decisions["choice"]) == ([0.1234568] * 2, ["KEEP_SILENCE"] * 2)
        assert decisions["before"] == [[3], [3]]
        assert history["rules"] == [[0, RULE]]
        assert history["timings"]["features_ms"] == [1.235, 1.235]
        assert history["timings"]["arrived_ms"] == pytest.approx([1.8e12 + 0.123456] * 2, rel=0, abs=1e-3)

    def test_a_changed_rule_is_told_where_it_changed(self) -> None:
        record = filled(2)
        for event in chunk_events(2, rule={**RULE, "bias": 1.0}):
            record.append(event)
        assert [row for row, _ in History(record, 1).to_json()["rules"]] == [0, 2]

    def test_tokens_have_at_most_three_alternatives(self) -> None:
        record = SessionRecord()
        likeliest = tuple(Alternative(token, "x", 1 / (token + 1), 0.1, 0.0) for token in range(9))
        record.append(Token(0, 0, 0, 5, 0.5, "x", 0.5, 0.1, 5, 10, likeliest))
        (token,) = History(record, 1).to_json()["tokens"]
        assert [each["token"] for each in token["alternatives"]] == [0, 1, 2]

    def test_it_is_json_whatever_the_session(self, page: Page) -> None:
        page.record(babble(5))
        settled(page)
        page.widget.close()
        history = page.widget.history
        assert json.loads(json.dumps(history, allow_nan=False)) == history
        assert history["count"] == len(page.widget.record)
        assert len(history["turns"]) == len(page.widget.record.turns)


class TestBound:
    def test_the_newest_are_kept(self) -> None:
        record = filled(9000)
        history = History(record, 1).to_json()
        assert len(json.dumps(history)) <= MOST_BYTES
        kept = history["chunks"]["chunk"]
        assert kept == list(range(kept[0], 9000))
        assert len(kept) > 500
        assert history["first"] == kept[0] * 3
        assert history["first"] + history["count"] == len(record)
        mels = base64.b64decode(history["chunks"]["mel"])
        assert (len(mels), history["chunks"]["mel_from"]) == (320 * MEL_CHUNKS, len(kept) - MEL_CHUNKS)

    def test_step_by_step_is_as_at_once(self) -> None:
        record, at_once = SessionRecord(), filled(1500)
        history = History(record, 1)
        for place, event in enumerate(at_once.events):
            record.append(event)
            if place % 400 == 0:
                history.to_json()
        assert history.to_json() == History(at_once, 1).to_json()

    @given(
        st.lists(
            st.one_of(
                st.builds(
                    lambda text, data: Notice(0, "x", text, data),
                    st.text(max_size=20).map(lambda text: text * 2000),
                    st.dictionaries(st.text(max_size=5), st.text(max_size=9).map(lambda text: text * 3000)),
                ),
                st.builds(
                    lambda text, count: Turn(0, 0, 0, 0.0, None, text * 5000, tuple(range(count)), "limit"),
                    st.text(max_size=9),
                    st.integers(0, 3000),
                ),
                st.builds(
                    lambda text: Token(
                        0, 0, 0, 1, 0.5, text * 900, 0.5, None, 1, 1, (Alternative(1, text * 900, 0.5),)
                    ),
                    st.text(max_size=9),
                ),
            ),
            max_size=30,
        ),
        st.integers(1, 60),
    )
    def test_whatever_is_said(self, said: list[Any], times: int) -> None:
        record = filled(3)
        for event in said * times:
            record.append(event)
        history = History(record, 1).to_json()
        assert len(json.dumps(history)) <= MOST_BYTES
        assert history["first"] + history["count"] == len(record)

    def test_a_prefix_of_ten_thousand_tokens_before_every_chunk(self) -> None:
        record = SessionRecord()
        for chunk in range(300):
            for event in chunk_events(chunk, before=tuple(range(10_000, 20_000))):
                record.append(event)
        assert len(json.dumps(History(record, 1).to_json())) <= MOST_BYTES


class TestWhen:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        now = [100.0]
        monkeypatch.setattr(keeping, "monotonic", lambda: now[0])
        return now

    def test_every_five_seconds_while_events_come(self, clock: list[float]) -> None:
        written: list[dict[str, Any]] = []
        keeper, record = HistoryKeeper(lambda history, _: written.append(history)), SessionRecord()
        keeper.follow(record, 1)
        for second in range(21):
            clock[0] = 100.0 + second
            record.append(Notice(0, "x", str(second)))
            keeper.look(idle=True)
        assert [history["count"] for history in written] == [1, 6, 11, 16, 21]

    @pytest.mark.usefixtures("clock")
    def test_at_the_end_of_a_recording_as_soon_as_it_is_answered(self) -> None:
        written: list[dict[str, Any]] = []
        keeper, record = HistoryKeeper(lambda history, _: written.append(history)), SessionRecord()
        keeper.follow(record, 1)
        for idle in (False, False, True, True):
            record.append(Notice(0, "x", "y"))
            if len(record) == 2:
                keeper.recording_ended()
            keeper.look(idle)
        assert [history["count"] for history in written] == [1, 3]
        keeper.flush()
        assert [history["count"] for history in written] == [1, 3, 4]

    def test_nothing_new_is_not_written_again(self, clock: list[float]) -> None:
        written: list[dict[str, Any]] = []
        keeper = HistoryKeeper(lambda history, _: written.append(history))
        keeper.follow(filled(1), 1)
        for _ in range(3):
            clock[0] += 60
            keeper.look(idle=True)
            keeper.flush()
        assert len(written) == 1

    def test_a_reset_begins_an_empty_one(self, page: Page) -> None:
        page.record(babble(1))
        settled(page)
        page.widget.reset()
        assert page.widget.history == {}
        page.record(babble(1))
        settled(page)
        page.widget.close()
        assert page.widget.history["session"] == 2
