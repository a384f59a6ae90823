"""What a person reads of a record: flat tables, short reprs, a transcript as text and as HTML that stands alone."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.errors import SettingError
from ai_widgets.inference import Model
from ai_widgets.protocol import EVENT_TYPES, Chunk, Decision, Event, Notice, Timing, Token, Turn
from ai_widgets.record.record import SessionRecord
from ai_widgets.record.tables import COLUMNS, DETAILS
from ai_widgets.record.transcript import clock, transcript_html, transcript_text
from ai_widgets.session.session import StreamingSession
from ai_widgets.special_tokens import Emotion
from tests.signals import babble

KINDS = sorted(EVENT_TYPES)


@pytest.fixture(scope="module")
def record(toy: Model) -> SessionRecord:
    session = toy.session(seed=1, max_reply_tokens=10)
    session.push_clip(babble(8))
    session.change(bias=0.5)
    session.push(babble(0.4))
    return session.record


def spoken(*turns: Turn) -> SessionRecord:
    record = SessionRecord()
    for turn in turns:
        record.append(turn)
    return record


class TestTables:
    @pytest.mark.parametrize("kind", KINDS)
    def test_flat_columns_without_type(self, record: SessionRecord, kind: str) -> None:
        table = record.table(kind)
        events = record.of_type(EVENT_TYPES[kind])
        assert len(table) == len(events) > 0
        assert list(table.columns) == list(COLUMNS[EVENT_TYPES[kind]])
        assert "type" not in table.columns
        assert "start_s" in table.columns
        for column in table.columns:
            assert not any(isinstance(value, (list, tuple, dict)) for value in table[column]), column
        np.testing.assert_allclose(table["start_s"], [event.chunk * 0.4 for event in events])

    @pytest.mark.parametrize("kind", KINDS)
    def test_details_on_request(self, record: SessionRecord, kind: str) -> None:
        table = record.table(EVENT_TYPES[kind], details=True)
        assert list(table.columns) == [*COLUMNS[EVENT_TYPES[kind]], *DETAILS[EVENT_TYPES[kind]]]

    def test_all_that_an_event_says_is_in_its_table_with_details(self) -> None:
        renamed = {"rule": "rule_seed", "type": None}
        for name, kind in EVENT_TYPES.items():
            columns = {*COLUMNS[kind], *DETAILS[kind]}
            for item in kind.__struct_fields__:
                assert renamed.get(item, item) in {*columns, None}, (name, item)

    def test_the_properties_are_these_tables(self, record: SessionRecord) -> None:
        for kind, table in [
            ("chunk", record.chunks),
            ("decision", record.decisions),
            ("token", record.tokens),
            ("turn", record.turns),
            ("notice", record.notices),
            ("timing", record.timings),
        ]:
            assert table.equals(record.table(kind))

    def test_decisions(self, record: SessionRecord) -> None:
        table = record.table("decision", details=True)
        assert list(table["chunk"]) == list(range(24))
        np.testing.assert_allclose(table[["p_keep", "p_text", "p_other"]].sum(axis=1), 1, atol=1e-6)
        assert set(table["choice"]) == {"KEEP_SILENCE", "TEXT_BEGIN"}
        assert table["rule_bias"].tolist() == [0.0] * 23 + [0.5]
        assert table["alternatives"][0][0].keys() == {"token", "text", "p", "scaled", "kept"}

    def test_turns(self, record: SessionRecord) -> None:
        table = record.table("turn", details=True)
        assert len(table) >= 2
        assert set(table["emotion"].dropna()) <= {emotion.value for emotion in Emotion}
        assert record.text == "\n".join(table["text"])
        assert table["tokens"].tolist() == [len(ids) for ids in table["token_ids"]]

    def test_an_empty_record_has_empty_tables_with_all_columns(self) -> None:
        empty = SessionRecord()
        for kind in KINDS:
            assert len(empty.table(kind)) == 0
            assert list(empty.table(kind).columns) == list(COLUMNS[EVENT_TYPES[kind]])
        assert (empty.text, len(empty), empty.seconds, len(empty.audio)) == ("", 0, 0, 0)

    def test_an_unknown_table(self) -> None:
        with pytest.raises(SettingError, match="There is no table 'talk'; the tables are chunk, decision, token"):
            SessionRecord().table("talk")


class TestReadWhileItIsWritten:
    """A table ends at one event, whatever another thread appends while it is read."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_an_event_that_comes_at_any_line_of_a_read(self, record: SessionRecord, kind: str) -> None:
        """Deterministic: at the n-th traced line of the reading call another thread would append an event."""
        given = record.of_type(EVENT_TYPES[kind])[:3]
        line, done = 0, False
        while not done:
            line += 1
            growing, lines, done = SessionRecord(), 0, True
            for event in given:
                growing.append(event)

            def trace(frame: FrameType, *_: Any, growing: SessionRecord = growing, at: int = line) -> Any:
                nonlocal lines, done
                if "ai_widgets" not in frame.f_code.co_filename:
                    return None
                lines += 1
                if lines == at:
                    sys.settrace(None)
                    done = False
                    growing.append(given[-1])
                return trace

            sys.settrace(trace)
            try:
                table = growing.table(kind)
            finally:
                sys.settrace(None)
            expected = [event.chunk for event in (*given, given[-1])]
            assert table["chunk"].tolist() in (expected[:-1], expected), line
            assert table["start_s"].tolist() == [chunk * 0.4 for chunk in table["chunk"].tolist()]
        assert line > 10


class TestReprs:
    def test_one_readable_line_each(self, record: SessionRecord) -> None:
        for event in record.events:
            line = repr(event)
            assert len(line) <= 220, line
            assert "\n" not in line
            assert line.startswith(f"<{type(event).__name__}")

    @pytest.mark.parametrize(
        ("event", "line"),
        [
            (Chunk(3, 0, 1.2, -23.4, (), ("clipped", "tail")), "<Chunk 3 at 1.2 s: -23 dB, clipped tail>"),
            (Token(3, 0, 1, 70, 0.934, "Fire", 1.0, None, 70, 9), "<Token 1 of reply 0: 'Fire', p 0.934>"),
            (Turn(3, 0, 0, 1.2, Emotion.URGENT, "Fire!", (1,), "limit"), "<Turn 0 at 1.2 s, urgent: 'Fire!' (limit)>"),
            (Notice(3, "limit", "The reply was truncated."), "<Notice at chunk 3, limit: The reply was truncated.>"),
            (
                Timing(3, 0.5, 1.25, 2, 0, 0),
                "<Timing of chunk 3: features 0.5, tower 1.2, decide 2.0, reply 0.0 ms, queued 0 ms>",
            ),
        ],
    )
    def test_what_they_say(self, event: Event, line: str) -> None:
        assert repr(event) == line

    def test_a_decision(self, record: SessionRecord) -> None:
        decision = record.of_type(Decision)[2]
        said = f"{decision.choice}, p(TEXT_BEGIN) {decision.p_text:.3g}"
        assert repr(decision) == f"<Decision 2 at 0.8 s: {said}>"

    def test_what_a_person_sees_of_twelve_seconds_is_short(self, record: SessionRecord) -> None:
        """64,620 characters were printed of 11.6 s."""
        assert len(str(record)) < 1_000
        assert sum(len(repr(event)) for event in record.events) < 15_000


class _Checked(HTMLParser):
    """Which elements there are; fails on anything that could run or load."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"div", "strong", "table", "thead", "tbody", "tr", "th", "td"}, tag
        assert {name for name, _ in attrs} <= {"style", "dir", "scope"}, attrs
        if tag == "tr":
            self.rows.append([])

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.rows:
            self.rows[-1].append(data)


def checked(html: str) -> _Checked:
    parser = _Checked()
    parser.feed(html)
    parser.close()
    return parser


class TestTranscript:
    @pytest.mark.parametrize(
        ("seconds", "said"), [(0, "0:00.0"), (59.96, "1:00.0"), (64.8, "1:04.8"), (3600, "60:00.0")]
    )
    def test_clock(self, seconds: float, said: str) -> None:
        assert clock(seconds) == said

    def test_text(self) -> None:
        record = spoken(
            Turn(11, 0, 0, 4.4, Emotion.NORMAL, "The telephone is ringing.", (1, 2), "TEXT_END"),
            Turn(20, 1, 0, 8.0, None, "A\ndog\x1b[31m", (1,), "interrupted"),
            Turn(30, 2, 0, 12.0, None, "", (), "limit"),
        )
        assert transcript_text(record) == (
            "0.0 s heard, 0 decisions, 3 replies\n"
            "0:04.8  The telephone is ringing.  [normal]\n"
            "0:08.4  A dog\N{REPLACEMENT CHARACTER}[31m  (interrupted)\n"
            "0:12.4  (empty reply)  (limit)"
        )
        assert str(record) == transcript_text(record)

    @given(st.text(max_size=40), st.text(max_size=40))
    def test_html_shows_any_text_as_text(self, text: str, title: str) -> None:
        for hostile in (text, f"<script>{text}</script>", f'"><img src=x onerror="{text}">', f"<!--{text}"):
            html = transcript_html(
                spoken(Turn(0, 0, 0, 0.0, None, hostile, (1,), "TEXT_END")), title, {"state": hostile}
            )
            assert checked(html).rows[1][0] == "0:00.4"
            assert "<script" not in html
            assert "<img" not in html

    def test_a_long_session_shows_its_newest_replies(self) -> None:
        turns = [Turn(n, n, 0, n * 0.4, None, "x" * 10_000, (1,), "TEXT_END") for n in range(3_000)]
        html = transcript_html(spoken(*turns), "Session record")
        assert len(html) < 60_000
        assert "The newest 50 replies are shown; 2950 earlier ones are not." in html
        assert "(2950 earlier)" in transcript_text(spoken(*turns))

    @pytest.mark.parametrize("made", ["record", "session", "model"])
    def test_record_session_and_model_have_both(self, toy: Model, record: SessionRecord, made: str) -> None:
        session = toy.session(record)
        shown: Any = {"record": record, "session": session, "model": toy}[made]
        assert " at 0x" not in repr(shown)
        assert len(repr(shown)) < 250
        assert checked(shown._repr_html_()).text
        if made != "model":
            assert f"{len(record.of_type(Turn))} replies" in repr(shown)
            assert f"{len(record.of_type(Turn))} replies" in shown._repr_html_()

    def test_a_session_says_how_it_stands(self, toy: Model) -> None:
        session: StreamingSession = toy.session()
        assert repr(session).endswith("0 replies, open>")
        session.close()
        assert repr(session).endswith("0 replies, closed>")
        assert "state: closed" in checked(session._repr_html_()).text
