"""The memory of a record is bounded: rows for the tables, complete events for the newest only."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.errors import RecordWarning
from ai_widgets.inference import Model
from ai_widgets.protocol import Alternative, Chunk, Decision, Event, Notice, Timing, Token, Turn
from ai_widgets.record import event_store
from ai_widgets.record.columns import ROWS, Columns
from ai_widgets.record.record import SessionRecord
from tests.signals import babble

RULE = {"greedy": False, "temperature": 0.7, "top_k": 20, "top_p": 0.8, "bias": 0.0, "mask": True, "seed": 1}
HOUR = 9_000
"""Chunks of an hour."""


def events_of(chunk: int) -> list[Event]:
    """Events of one chunk as a session makes them; every hundredth begins a reply of eight tokens."""
    start, p = chunk * 0.4, (chunk * 0.6180339887498949 + 0.01) % 1
    alternatives = tuple(Alternative(token, f"t{token}", p / 5, p / 6, p / 7) for token in range(5))
    choice = "TEXT_BEGIN" if chunk % 100 == 99 else "KEEP_SILENCE"
    head = Decision(
        *(chunk, 0, start, 486, choice, 1 - p, p, 0.0, -p, p, p, p / 3, 486, 13 * (chunk % 30), alternatives),
        *((488, 490), max(0, chunk - 29), 13 * (chunk % 30), 400, RULE),
    )
    made: list[Event] = [Chunk(chunk, 0, start, -20 - p, (p,) * 16, ("clipped",) * (chunk % 3 == 0), "A" * 428), head]
    if choice == "TEXT_BEGIN":
        turn = chunk // 100
        made += [Token(chunk, turn, n, 300 + n, p, f" w{n}", p, p, 300 + n, 20 + n, alternatives) for n in range(8)]
        made.append(Turn(chunk, turn, 0, start, None, f"Reply {turn}.", tuple(range(8)), "TEXT_END"))
    if chunk % 500 == 0:
        made.append(Notice(chunk, "context_slide", f"Slide {chunk}.", {"chunks": 3}))
    return [*made, Timing(chunk, p, 2 * p, 3 * p, 0.0, 4 * p, 1, chunk, 1.6e12 + start, 1.6e12 + start + p)]


def filled(record: SessionRecord, chunks: int) -> list[Event]:
    """Fill a record without audio, and return what was appended."""
    made = [event for chunk in range(chunks) for event in events_of(chunk)]
    for event in made:
        record.append(event)
    return made


def without_details(event: Event) -> dict[str, Any]:
    lost = {"alternatives": [], "envelope": [], "mel": "", "before": []}
    return {name: lost.get(name, value) for name, value in event.to_json().items()}


class TestReduced:
    def test_of_old_events_the_tables_stay(self) -> None:
        record, whole = SessionRecord(0, max_events=50), SessionRecord(0)
        made = filled(record, 3_000)
        filled(whole, 3_000)
        assert len(record) == len(made)
        assert record.reduced == range(len(made) - 50)
        assert whole.reduced == range(0)
        for kind in (Chunk, Decision, Token, Turn, Notice, Timing):
            assert record.table(kind).equals(whole.table(kind))
            assert record.count(kind) == len(record.of_type(kind)) == len(whole.of_type(kind))
        assert record.of_type(Turn) == whole.of_type(Turn)
        assert record.of_type(Notice) == whole.of_type(Notice)
        assert record.text == whole.text

    def test_every_index_gives_its_event(self) -> None:
        record = SessionRecord(0, max_events=50)
        made = filled(record, 1_200)
        assert record.events[-50:] == tuple(made[-50:])
        expected = [without_details(event) for event in made[:-50]]
        assert [event.to_json() for event in record.events[:-50]] == expected
        for first in range(0, len(made), 701):
            assert [event.to_json() for event in record.since(first, 3)][:1] == [
                (made[first].to_json() if first >= len(made) - 50 else expected[first])
            ]

    def test_it_is_told_once(self, toy: Model) -> None:
        session = toy.session(SessionRecord(max_events=20), max_reply_tokens=1)
        session.push(babble(8))
        (notice,) = [each for each in session.record.of_type(Notice) if each.kind == "events_reduced"]
        assert notice.data == {"events": 20}
        assert notice.message.startswith("Of events older than the newest 20, the details (alternatives,")
        told = session.record.events.index(notice)
        assert 20 <= told < 20 + 8

    def test_with_a_folder_nothing_is_reduced(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(event_store, "FILED_EVENTS", 50)
        record = SessionRecord(0, tmp_path / "talk.aiw")
        made = filled(record, 1_000)
        assert record.reduced == range(0)
        assert record.events == tuple(made)
        assert record.since(7, 2) == made[7:9]
        assert record.of_type(Decision) == [event for event in made if isinstance(event, Decision)]
        assert len(record._events._recent) == 50
        with pytest.warns(RecordWarning, match="audio of its last"):
            loaded = SessionRecord.load(tmp_path / "talk.aiw")
        assert loaded.events[:-1] == tuple(made)

    @given(st.lists(st.integers(0, 400), min_size=1, max_size=6), st.integers(1, 60))
    def test_any_read_gives_what_was_appended(self, places: list[int], limit: int) -> None:
        record = SessionRecord(0, max_events=limit)
        made = filled(record, 60)
        for place in places:
            read = [without_details(event) for event in record.since(place, 5)]
            assert read == [without_details(event) for event in made[place : place + 5]]


def objects() -> int:
    gc.collect()
    return len(gc.get_objects())


class TestTwelveHours:
    """Counted, not measured: what memory does in hours shows in how many objects and bytes an hour adds."""

    def test_an_hour_adds_no_objects_and_two_megabytes(self) -> None:
        record = SessionRecord(0, max_events=1_000)
        filled(record, HOUR // 4)
        rows, before = record._events.nbytes, objects()
        for chunk in range(HOUR // 4, HOUR // 2):
            for event in events_of(chunk):
                record.append(event)
        added = objects() - before
        # Lines of replies and notices are bytes, which the collector does not count; their number is small.
        assert added < 200
        assert len(record._events._recent) == 1_000
        per_chunk = (record._events.nbytes - rows) / (HOUR / 4)
        assert per_chunk < 200, "bytes of rows a chunk, less than 2 MB an hour"

    def test_beside_a_folder_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(event_store, "FILED_EVENTS", 500)
        record = SessionRecord(0, tmp_path / "talk.aiw")
        filled(record, 1_000)
        before, pages = objects(), sys.getsizeof(record._events._file._pages)  # type: ignore[union-attr]
        for chunk in range(1_000, 2_000):
            for event in events_of(chunk):
                record.append(event)
        assert objects() - before < 100
        assert sys.getsizeof(record._events._file._pages) - pages < 1_000  # type: ignore[union-attr]


class TestColumns:
    @given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats()), max_size=30), st.integers(1, 8))
    def test_rows_of_compressed_blocks_are_exact(self, values: list[tuple[int, float]], repeat: int) -> None:
        columns = Columns(np.dtype([("n", "<i8"), ("x", "<f8")]))
        many = (values * (ROWS // 8) * repeat)[: 3 * ROWS]
        for row, each in enumerate(many):
            columns.put(row, each)
        rows = columns.rows(len(many))
        np.testing.assert_array_equal(rows["x"], [x for _, x in many])
        np.testing.assert_array_equal(rows["n"], np.array([n for n, _ in many], np.int64))
        for row in range(0, len(many), 97):
            assert columns.get(row)[0] == many[row][0]

    def test_a_row_may_be_written_again_but_no_row_of_a_full_block(self) -> None:
        columns = Columns(np.dtype([("n", "<i8")]))
        for row in range(ROWS + 1):
            columns.put(row, (row,))
        columns.put(ROWS, (7,))
        assert columns.rows(ROWS + 1)["n"][-1] == 7
        with pytest.raises(ValueError, match="in a block that is complete"):
            columns.put(3, (7,))
